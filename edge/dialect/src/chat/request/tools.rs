//! The tools, and whether one must be called.
//!
//! Must never leave a tool out that may be called: a model that lacks one answers something else.

use crate::{
    chat::{extras, mark, target::Target},
    neutral::{Dropped, Extra, Json, Request, Tool, ToolChoice, Unsupported},
    object::{self, Misfit, Object},
    writer::Writer,
};

/// Reads `tools`, and `functions` as they were before.
pub(crate) fn read(object: &mut Object<'_>) -> Result<Vec<Tool>, Misfit> {
    let mut tools = Vec::new();
    let all = object.array("tools")?.unwrap_or_default();
    for (index, raw) in all.into_iter().enumerate() {
        let tool = tool(raw).map_err(|misfit| misfit.within_element(index).within("tools"))?;
        tools.push(tool);
    }
    let old = object.array("functions")?.unwrap_or_default();
    for (index, raw) in old.into_iter().enumerate() {
        let tool = Object::parse(raw).and_then(function);
        tools.push(tool.map_err(|misfit| misfit.within_element(index).within("functions"))?);
    }
    Ok(tools)
}

fn tool(raw: &str) -> Result<Tool, Misfit> {
    let mut object = Object::parse(raw)?;
    let kind = object.text("type")?.unwrap_or("function".into());
    if kind != "function" {
        return Ok(Tool {
            name: String::new(),
            description: None,
            parameters: None,
            strict: None,
            cache: None,
            extra: vec![extras::extra(kind, raw)],
        });
    }
    let inner = object
        .object("function")?
        .ok_or_else(|| Misfit::new("is required").within("function"))?;
    let mut tool = function(inner).map_err(|misfit| misfit.within("function"))?;
    tool.cache = mark::take(&mut object, &mut tool.extra)?;
    extras::keep(object, "", &mut tool.extra);
    Ok(tool)
}

fn function(mut function: Object<'_>) -> Result<Tool, Misfit> {
    let name = function
        .text("name")?
        .filter(|name| !name.is_empty())
        .ok_or_else(|| Misfit::new("is required").within("name"))?;
    let mut tool = Tool {
        name: name.into(),
        description: function.text("description")?.map(Into::into),
        parameters: function.raw("parameters")?.map(Json::of),
        strict: function.flag("strict")?,
        cache: None,
        extra: Vec::new(),
    };
    extras::keep(function, "function.", &mut tool.extra);
    Ok(tool)
}

/// Reads `tool_choice`, and `function_call` as it was before.
pub(crate) fn read_choice(
    object: &mut Object<'_>,
    extra: &mut Vec<Extra>,
) -> Result<Option<ToolChoice>, Misfit> {
    let old = object.raw("function_call")?;
    let Some(raw) = object.raw("tool_choice")?.or(old) else {
        return Ok(None);
    };
    let within = |misfit: Misfit| misfit.within("tool_choice");
    if object::is_text(raw) {
        return Ok(Some(match &*object::text(raw).map_err(within)? {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" | "any" => ToolChoice::Required,
            _ => {
                return Err(within(Misfit::new(
                    "must be none, auto, required or an object",
                )));
            }
        }));
    }
    let mut choice = Object::parse(raw).map_err(within)?;
    let kind = choice.text("type").map_err(within)?;
    let chosen = match kind.as_deref() {
        Some("function") => choice
            .object("function")
            .and_then(|function| function.unwrap_or_default().text("name"))
            .map_err(within)?
            .map(|name| ToolChoice::Named(name.into())),
        None => choice
            .text("name")
            .map_err(within)?
            .map(|name| ToolChoice::Named(name.into())),
        Some("allowed_tools") => allowed(&mut choice).map_err(within)?,
        Some(_) => None,
    };
    if chosen.is_none() {
        extra.push(extras::extra("tool_choice", raw));
    }
    Ok(chosen)
}

/// Tools that are no functions can only be named by this family.
fn allowed(choice: &mut Object<'_>) -> Result<Option<ToolChoice>, Misfit> {
    let mut inner = choice.object("allowed_tools")?.unwrap_or_default();
    let required = inner.text("mode")?.as_deref() == Some("required");
    let mut names = Vec::new();
    for raw in inner.array("tools")?.unwrap_or_default() {
        let mut tool = Object::parse(raw)?;
        let mut function = tool.object("function")?.unwrap_or_default();
        match function.text("name")? {
            Some(name) => names.push(name.into()),
            None => return Ok(None),
        }
    }
    Ok(Some(ToolChoice::Allowed { names, required }))
}

/// Writes `tools`, `tool_choice` and `parallel_tool_calls`.
pub(crate) fn write(
    writer: &mut Writer,
    request: &Request,
    target: &Target<'_>,
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    let tools = request.tools.iter().enumerate();
    let told: Vec<_> = match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) if !target.strict_tools => tools
            .filter(|(_, tool)| names.contains(&tool.name))
            .collect(),
        _ => tools.collect(),
    };
    if !told.is_empty() {
        writer.key("tools").open_array();
        for (index, tool) in &told {
            write_tool(writer, tool, target, &format!("tools[{index}]"), dropped)?;
        }
        writer.close_array();
    }
    if let Some(choice) = &request.tool_choice {
        write_choice(writer, choice, target, !told.is_empty())?;
    }
    if let Some(parallel) = request.parallel_tools {
        // It is refused where there are no tools.
        if told.is_empty() {
            dropped.note("parallel_tool_calls");
        } else {
            writer.key("parallel_tool_calls").flag(parallel);
        }
    }
    Ok(())
}

fn write_choice(
    writer: &mut Writer,
    choice: &ToolChoice,
    target: &Target<'_>,
    tools: bool,
) -> Result<(), Unsupported> {
    match choice {
        ToolChoice::Allowed { required: true, .. }
        | ToolChoice::Required
        | ToolChoice::Named(_)
            if !tools =>
        {
            return Err(Unsupported {
                at: "tool_choice".to_owned(),
                why: "there is no tool to be called".to_owned(),
            });
        }
        ToolChoice::Auto | ToolChoice::None | ToolChoice::Allowed { .. } if !tools => {}
        ToolChoice::Auto => {
            writer.key("tool_choice").text("auto");
        }
        ToolChoice::None => {
            writer.key("tool_choice").text("none");
        }
        ToolChoice::Required => {
            writer.key("tool_choice").text("required");
        }
        ToolChoice::Named(name) => {
            writer
                .key("tool_choice")
                .open()
                .key("type")
                .text("function");
            writer.key("function").open().key("name").text(name).close();
            writer.close();
        }
        ToolChoice::Allowed { names, required } => {
            let mode = if *required { "required" } else { "auto" };
            writer.key("tool_choice");
            if !target.strict_tools {
                writer.text(mode);
                return Ok(());
            }
            writer.open().key("type").text("allowed_tools");
            writer.key("allowed_tools").open().key("mode").text(mode);
            writer.key("tools").open_array();
            for name in names {
                writer.open().key("type").text("function");
                writer.key("function").open().key("name").text(name).close();
                writer.close();
            }
            writer.close_array().close().close();
        }
    }
    Ok(())
}

fn write_tool(
    writer: &mut Writer,
    tool: &Tool,
    target: &Target<'_>,
    at: &str,
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    if tool.name.is_empty() && tool.parameters.is_none() {
        let own = tool.extra.first().filter(|extra| extras::is_own(extra));
        let extra = own.ok_or_else(|| Unsupported {
            at: at.to_owned(),
            why: "this tool is another provider's own, and this model's API does not have it"
                .to_owned(),
        })?;
        writer.raw(extra.value.as_str());
        return Ok(());
    }
    writer.open().key("type").text("function");
    writer.key("function").open().key("name").text(&tool.name);
    if let Some(description) = &tool.description {
        writer.key("description").text(description);
    }
    if let Some(parameters) = &tool.parameters {
        writer.key("parameters").raw(parameters.as_str());
    }
    match tool.strict {
        Some(strict) if target.strict_tools => {
            writer.key("strict").flag(strict);
        }
        Some(true) => dropped.note(format!("{at}.function.strict")),
        _ => {}
    }
    extras::write(writer, extras::under(&tool.extra, "function."));
    writer.close();
    if target.takes_marks() {
        let members = extras::under(&tool.extra, mark::PREFIX);
        mark::write(writer, tool.cache.as_ref(), members);
    } else if tool.cache.is_some() {
        dropped.note(format!("{at}.cache_control"));
    }
    extras::write_plain(writer, &tool.extra, at, dropped);
    writer.close();
    Ok(())
}
