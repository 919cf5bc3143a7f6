//! The tools that a model may call, and whether it must: `tools`, `tool_choice`, and the older `functions`.
//!
//! A tool or a choice of a kind that only this family has is kept whole, because without it the question is another.

use payload::object::{Misfit, Object};

use crate::{
    chat::{cache, draft::Draft, own, target::Required},
    neutral::{Extra, Json, Request, Tool, ToolChoice, Unsupported},
};

/// The name under which a choice that only this family knows is kept.
pub(crate) const CHOICE: &str = "tool_choice";
const UNDER: &str = "function.";

/// Takes the tools.
pub(crate) fn take(object: &mut Object<'_>) -> Result<Vec<Tool>, Misfit> {
    let mut tools = Vec::new();
    for (at, raw) in object
        .array("tools")?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        tools.push(read(raw).map_err(|misfit| misfit.within_element(at).within("tools"))?);
    }
    let functions = object.array("functions")?.unwrap_or_default();
    if tools.is_empty() {
        for (at, raw) in functions.into_iter().enumerate() {
            let tool = Object::parse(raw).and_then(|function| read_function(function, ""));
            tools.push(tool.map_err(|misfit| misfit.within_element(at).within("functions"))?);
        }
    }
    Ok(tools)
}

fn read(raw: &str) -> Result<Tool, Misfit> {
    let mut object = Object::parse(raw)?;
    let kind = object.text("type")?.unwrap_or_default();
    let Some(function) = object.object("function")? else {
        return Ok(Tool {
            name: String::new(),
            description: None,
            parameters: None,
            strict: None,
            cache: None,
            extra: vec![own::extra(kind, raw)],
        });
    };
    let mut tool = read_function(function, UNDER).map_err(|misfit| misfit.within("function"))?;
    let cache = cache::take(&mut object)?;
    tool.cache = cache.or(tool.cache);
    own::keep(object, "", &mut tool.extra);
    Ok(tool)
}

fn read_function(mut function: Object<'_>, prefix: &str) -> Result<Tool, Misfit> {
    let name = function.text("name")?.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Misfit::new("must be a string").within("name"))?;
    let mut tool = Tool {
        name: name.into_owned(),
        description: function.text("description")?.map(Into::into),
        parameters: function.raw("parameters")?.map(Json::of),
        strict: function.flag("strict")?,
        cache: cache::take(&mut function)?,
        extra: Vec::new(),
    };
    own::keep(function, prefix, &mut tool.extra);
    Ok(tool)
}

/// Takes the choice.
pub(crate) fn take_choice(
    object: &mut Object<'_>,
    kept: &mut Vec<Extra>,
) -> Result<Option<ToolChoice>, Misfit> {
    let new = object.raw(CHOICE)?;
    let old = object.raw("function_call")?;
    let Some(raw) = new.or(old) else {
        return Ok(None);
    };
    let choice = match raw {
        "\"auto\"" => Some(ToolChoice::Auto),
        "\"none\"" => Some(ToolChoice::None),
        "\"required\"" | "\"any\"" => Some(ToolChoice::Required),
        _ if !raw.starts_with('{') => None,
        _ => read_choice(raw).map_err(|misfit| misfit.within(CHOICE))?,
    };
    if choice.is_none() {
        kept.push(own::extra(CHOICE, raw));
    }
    Ok(choice)
}

fn read_choice(raw: &str) -> Result<Option<ToolChoice>, Misfit> {
    let mut choice = Object::parse(raw)?;
    if let Some(name) = name_of(&mut choice)? {
        return Ok(Some(ToolChoice::Named(name)));
    }
    let Some(mut allowed) = choice.object("allowed_tools")? else {
        return Ok(None);
    };
    let required = allowed.text("mode")?.as_deref() == Some("required");
    let mut names = Vec::new();
    for raw in allowed.array("tools")?.unwrap_or_default() {
        match name_of(&mut Object::parse(raw)?)? {
            Some(name) => names.push(name),
            None => return Ok(None),
        }
    }
    Ok(Some(ToolChoice::Allowed { names, required }))
}

/// The name of the function in a choice: `{"function":{"name":""}}`, or `{"name":""}` in the old way.
fn name_of(choice: &mut Object<'_>) -> Result<Option<String>, Misfit> {
    let name = match choice.object("function")? {
        Some(mut function) => function.text("name")?,
        None if choice.has("type") => None,
        None => choice.text("name")?,
    };
    Ok(name.map(Into::into))
}

/// Writes the tools, the choice among them, and whether several may be called at once.
pub(crate) fn write(request: &Request, draft: &mut Draft<'_>) -> Result<(), Unsupported> {
    if !request.tools.is_empty() {
        draft.writer.key("tools").open_array();
        for (at, tool) in request.tools.iter().enumerate() {
            write_tool(tool, at, draft)?;
        }
        draft.writer.close_array();
    }
    if let Some(choice) = &request.tool_choice {
        draft.writer.key(CHOICE);
        write_choice(choice, draft);
    }
    match request.parallel_tools {
        Some(parallel) if draft.target.parallel_tools => {
            draft.writer.key("parallel_tool_calls").flag(parallel);
        }
        Some(_) => draft.note("", "parallel_tool_calls"),
        None => {}
    }
    Ok(())
}

fn write_tool(tool: &Tool, at: usize, draft: &mut Draft<'_>) -> Result<(), Unsupported> {
    let place = format!("tools[{at}]");
    if tool.name.is_empty() {
        let Some(extra) = tool.extra.first().filter(|extra| own::is_own(extra)) else {
            let why = "is a tool that only another API has".to_owned();
            return Err(Unsupported { at: place, why });
        };
        draft.writer.raw(extra.value.as_str());
        return Ok(());
    }
    draft.note_others(&tool.extra, &place);
    draft.writer.open().key("type").text("function");
    draft
        .writer
        .key("function")
        .open()
        .key("name")
        .text(&tool.name);
    if let Some(description) = &tool.description {
        draft.writer.key("description").text(description);
    }
    if let Some(parameters) = &tool.parameters {
        draft.writer.key("parameters").raw(parameters.as_str());
    }
    match tool.strict {
        Some(strict) if draft.target.strict => {
            draft.writer.key("strict").flag(strict);
        }
        Some(_) => draft.note(&place, "function.strict"),
        None => {}
    }
    draft.write_under(&tool.extra, UNDER);
    draft.writer.close();
    draft.write_own(&tool.extra, &[UNDER]);
    cache::write(tool.cache.as_ref(), &place, draft);
    draft.writer.close();
    Ok(())
}

fn write_choice(choice: &ToolChoice, draft: &mut Draft<'_>) {
    let required = match draft.target.required {
        Required::Required => "required",
        Required::Any => "any",
    };
    match choice {
        ToolChoice::Auto => {
            draft.writer.text("auto");
        }
        ToolChoice::None => {
            draft.writer.text("none");
        }
        ToolChoice::Required => {
            draft.writer.text(required);
        }
        ToolChoice::Named(name) => write_named(name, draft),
        ToolChoice::Allowed { names, required } => {
            draft.writer.open().key("type").text("allowed_tools");
            draft.writer.key("allowed_tools").open();
            draft
                .writer
                .key("mode")
                .text(if *required { "required" } else { "auto" });
            draft.writer.key("tools").open_array();
            for name in names {
                write_named(name, draft);
            }
            draft.writer.close_array().close().close();
        }
    }
}

fn write_named(name: &str, draft: &mut Draft<'_>) {
    draft.writer.open().key("type").text("function");
    draft.writer.key("function").open().key("name").text(name);
    draft.writer.close().close();
}
