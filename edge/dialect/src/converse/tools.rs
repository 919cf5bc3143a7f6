//! The tools of a request, and whether one must be called.
//!
//! Owns two rules of Bedrock: no choice says that none may be called, and a conversation in which tools were called
//! must have tools.

use std::borrow::Cow;

use payload::{
    object::{Misfit, Object, elements},
    writer::Writer,
};

use crate::{
    converse::{
        extras, mark, names,
        target::{CachePoints, Target, ToolChoices},
    },
    neutral::{Content, Dropped, Extra, Family, Json, Request, Tool, ToolChoice, Unsupported},
};

/// What stands for the arguments of a tool that takes none.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

/// The tool that is named where a conversation has calls and no tools are left.
const STUB: &str = "unavailable";

/// What becomes of the tools.
struct Choice<'a> {
    tools: Vec<(usize, &'a Tool)>,
    /// `any` or the name of a tool.
    forced: Option<Forced<'a>>,
    /// Whether `auto` is written, too.
    auto: bool,
}

enum Forced<'a> {
    Any,
    Named(&'a str),
}

/// Reads `toolConfig`.
pub(crate) fn read(raw: &str, request: &mut Request) -> Result<(), Misfit> {
    let mut config = Object::parse(raw)?;
    if let Some(raw) = config.raw("tools")? {
        read_tools(raw, request).map_err(|misfit| misfit.within("tools"))?;
    }
    if let Some(raw) = config.raw("toolChoice")? {
        match choice(raw).map_err(|misfit| misfit.within("toolChoice"))? {
            Some(choice) => request.tool_choice = Some(choice),
            None => extras::push(&mut request.extra, "toolConfig", "toolChoice", raw),
        }
    }
    extras::take(&mut request.extra, "toolConfig", config);
    Ok(())
}

fn read_tools(raw: &str, request: &mut Request) -> Result<(), Misfit> {
    let raws = elements(raw)?;
    if raws.is_empty() {
        extras::push(&mut request.extra, "toolConfig", "tools", raw);
    }
    for (at, raw) in raws.into_iter().enumerate() {
        read_tool(raw, &mut request.tools).map_err(|misfit| misfit.within_element(at))?;
    }
    Ok(())
}

fn read_tool(raw: &str, tools: &mut Vec<Tool>) -> Result<(), Misfit> {
    let mut object = Object::parse(raw)?;
    if let Some(mut spec) = object.object("toolSpec")? {
        let within = |misfit: Misfit| misfit.within("toolSpec");
        let missing = || Misfit::new("is missing").within("name");
        let name = spec.text("name").map_err(within)?;
        let name = name
            .filter(|name| !name.is_empty())
            .ok_or_else(missing)
            .map_err(within)?;
        let mut extra = Vec::new();
        let mut parameters = None;
        if let Some(mut schema) = spec.object("inputSchema").map_err(within)? {
            parameters = schema.raw("json").map_err(within)?.map(Json::of);
            extras::take(&mut extra, "toolSpec.inputSchema", schema);
        }
        let description = spec.text("description").map_err(within)?;
        let strict = spec.flag("strict").map_err(within)?;
        extras::take(&mut extra, "toolSpec", spec);
        extras::take(&mut extra, "", object);
        tools.push(Tool {
            name: name.into_owned(),
            description: description.map(Cow::into_owned),
            parameters,
            strict,
            cache: None,
            extra,
        });
        return Ok(());
    }
    let point = object.has("cachePoint").then(|| mark::read(raw)).flatten();
    if let (Some(cache), Some(tool)) = (point, tools.last_mut().filter(|it| it.cache.is_none())) {
        tool.cache = Some(cache);
        return Ok(());
    }
    let mut rest = object.rest();
    match (rest.next(), rest.next()) {
        (Some((name, raw)), None) => tools.push(Tool {
            name: String::new(),
            description: None,
            parameters: None,
            strict: None,
            cache: None,
            extra: vec![Extra::new(Family::Converse, name, raw)],
        }),
        _ => return Err(Misfit::new("must hold one kind of tool")),
    }
    Ok(())
}

fn choice(raw: &str) -> Result<Option<ToolChoice>, Misfit> {
    let mut object = Object::parse(raw)?;
    let empty = |object: &mut Object<'_>, name| -> Result<bool, Misfit> {
        Ok(object.object(name)?.is_some_and(|inside| inside.is_empty()))
    };
    let found = if object.has("auto") {
        empty(&mut object, "auto")?.then_some(ToolChoice::Auto)
    } else if object.has("any") {
        empty(&mut object, "any")?.then_some(ToolChoice::Required)
    } else if let Some(mut tool) = object.object("tool")? {
        let name = tool.text("name").map_err(|misfit| misfit.within("tool"))?;
        let name = name.filter(|_| tool.is_empty());
        name.map(|name| ToolChoice::Named(name.into_owned()))
    } else {
        None
    };
    Ok(found.filter(|_| object.is_empty()))
}

/// Writes `toolConfig` where there is something to write. `thinks`: the model thinks before it speaks, and Claude
/// refuses to be made to call while it does.
pub(crate) fn write(
    writer: &mut Writer,
    request: &Request,
    target: &Target<'_>,
    thinks: bool,
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    let choice = decide(request, target, thinks, dropped)?;
    let own = extras::members(&request.extra, "toolConfig", &["tools"]).next();
    let empty_list = extras::get(&request.extra, "toolConfig.tools");
    let stub = choice.tools.is_empty() && has_calls(request);
    if choice.tools.is_empty() && !stub && own.is_none() && empty_list.is_none() {
        if let Some(raw) = extras::get(&request.extra, "toolConfig") {
            writer.key("toolConfig").raw(raw);
        }
        return Ok(());
    }
    writer.key("toolConfig").open();
    if let (Some(raw), true) = (empty_list, choice.tools.is_empty() && !stub) {
        writer.key("tools").raw(raw);
    } else {
        writer.key("tools").open_array();
        for (at, tool) in &choice.tools {
            write_tool(writer, tool, target, dropped, &format!("tools[{at}]"))?;
        }
        if stub {
            write_stub(writer);
        }
        writer.close_array();
    }
    match choice.forced {
        Some(Forced::Any) => drop(writer.key("toolChoice").raw(r#"{"any":{}}"#)),
        Some(Forced::Named(name)) => {
            writer.key("toolChoice").open().key("tool").open();
            writer.key("name").text(&names::tool(name)).close().close();
        }
        None if choice.auto => drop(writer.key("toolChoice").raw(r#"{"auto":{}}"#)),
        None => {}
    }
    let written: &[&str] = if choice.auto || choice.forced.is_some() {
        &["tools", "toolChoice"]
    } else {
        &["tools"]
    };
    extras::write(writer, &request.extra, "toolConfig", written);
    writer.close();
    Ok(())
}

fn decide<'a>(
    request: &'a Request,
    target: &Target<'_>,
    thinks: bool,
    dropped: &mut Dropped,
) -> Result<Choice<'a>, Unsupported> {
    let all = || request.tools.iter().enumerate().collect();
    let mut choice = Choice {
        tools: all(),
        forced: None,
        auto: false,
    };
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => choice.auto = !choice.tools.is_empty(),
        Some(ToolChoice::None) if !has_calls(request) => choice.tools.clear(),
        // The tools stay, because Bedrock wants them and its cache has them; that none may be called, nobody tells.
        Some(ToolChoice::None) if choice.tools.is_empty() => {}
        Some(ToolChoice::None) => dropped.note("tool_choice"),
        Some(ToolChoice::Required) => choice.forced = Some(Forced::Any),
        Some(ToolChoice::Named(name)) => choice.forced = Some(Forced::Named(name)),
        Some(ToolChoice::Allowed { names, required }) => {
            choice.tools.retain(|(_, tool)| names.contains(&tool.name));
            choice.forced = required.then_some(Forced::Any);
            choice.auto = !required && !choice.tools.is_empty();
            // One that must be called is called by its name, where that can be said.
            if let ([name], true, ToolChoices::Named) = (&names[..], *required, target.tool_choices)
            {
                choice.forced = Some(Forced::Named(name));
            }
        }
    }
    if let Some(forced) = &choice.forced {
        refuse(forced, choice.tools.is_empty(), target, thinks)?;
    }
    if request.parallel_tools == Some(false) && !choice.tools.is_empty() {
        dropped.note("parallel_tool_calls");
    }
    Ok(choice)
}

fn refuse(
    forced: &Forced<'_>,
    no_tools: bool,
    target: &Target<'_>,
    thinks: bool,
) -> Result<(), Unsupported> {
    let wanted = match forced {
        Forced::Any => ToolChoices::Any,
        Forced::Named(_) => ToolChoices::Named,
    };
    let why = if no_tools {
        "there is no tool that could be called: send one, or no tool_choice"
    } else if target.tool_choices < wanted {
        "this model cannot be made to call a tool: use auto"
    } else if thinks {
        "this model cannot be made to call a tool while it thinks: use auto, or turn reasoning off"
    } else {
        return Ok(());
    };
    Err(Unsupported {
        at: "tool_choice".to_owned(),
        why: why.to_owned(),
    })
}

fn has_calls(request: &Request) -> bool {
    let mut parts = request.turns.iter().flat_map(|turn| &turn.parts);
    parts.any(|part| {
        matches!(
            part.content,
            Content::ToolCall { .. } | Content::ToolResult { .. }
        )
    })
}

fn write_tool(
    writer: &mut Writer,
    tool: &Tool,
    target: &Target<'_>,
    dropped: &mut Dropped,
    at: &str,
) -> Result<(), Unsupported> {
    if tool.name.is_empty() && tool.parameters.is_none() {
        let own = tool.extra.iter().find(|it| it.family == Family::Converse);
        let own = own.ok_or_else(|| Unsupported {
            at: at.to_owned(),
            why: "Bedrock does not have this provider's own tool".to_owned(),
        })?;
        writer.open().key(&own.name).raw(own.value.as_str()).close();
    } else {
        write_spec(writer, tool, target, dropped, at);
    }
    match &tool.cache {
        Some(cache) if target.cache_points >= CachePoints::Tools => {
            mark::write(writer, cache, target, dropped, at);
        }
        Some(_) => dropped.note(format!("{at}.cache_control")),
        None => {}
    }
    Ok(())
}

fn write_spec(
    writer: &mut Writer,
    tool: &Tool,
    target: &Target<'_>,
    dropped: &mut Dropped,
    at: &str,
) {
    writer.open().key("toolSpec").open();
    writer.key("name").text(&names::tool(&tool.name));
    if let Some(description) = tool.description.as_deref().filter(|it| !it.is_empty()) {
        writer.key("description").text(description);
    }
    let schema = tool.parameters.as_ref().map_or(NO_PARAMETERS, Json::as_str);
    writer.key("inputSchema").open().key("json").raw(schema);
    extras::write(writer, &tool.extra, "toolSpec.inputSchema", &[]);
    writer.close();
    match tool.strict {
        Some(strict) if target.strict_tools => drop(writer.key("strict").flag(strict)),
        Some(true) => dropped.note(format!("{at}.function.strict")),
        _ => {}
    }
    extras::write(writer, &tool.extra, "toolSpec", &["inputSchema"]);
    writer.close();
    extras::write(writer, &tool.extra, "", &["toolSpec"]);
    writer.close();
    extras::note(dropped, at, &tool.extra);
}

fn write_stub(writer: &mut Writer) {
    writer.open().key("toolSpec").open().key("name").text(STUB);
    writer
        .key("description")
        .text("No tool can be called any more.");
    writer
        .key("inputSchema")
        .open()
        .key("json")
        .raw(NO_PARAMETERS);
    writer.close().close().close();
}
