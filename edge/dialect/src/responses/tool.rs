//! Tools, and whether they must be called.
//!
//! Owns functions, tools of the client's own form, and which tool is the provider's own. Must never know how a call
//! looks: see `item`.

use payload::{
    object::{self, Misfit, Object},
    writer::Writer,
};

use crate::{
    neutral::{Extra, Json, Tool, ToolChoice, Unsupported},
    responses::{
        content, own,
        page::{Page, unsupported},
    },
};

/// What a tool of the client's own form takes, as any model understands it.
const CUSTOM_PARAMETERS: &str = r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#;
const CUSTOM: &str = "\"custom\"";

/// Reads the tools.
pub(crate) fn read(tools: &[&str]) -> Result<Vec<Tool>, Misfit> {
    let tools = tools.iter().enumerate();
    tools
        .map(|(at, raw)| read_one(raw).map_err(|misfit| misfit.within_element(at)))
        .collect()
}

fn read_one(raw: &str) -> Result<Tool, Misfit> {
    let mut object = Object::parse(raw)?;
    let kind = object.text("type")?.unwrap_or("function".into());
    if kind != "function" && kind != "custom" {
        return Ok(Tool {
            name: String::new(),
            description: None,
            parameters: None,
            strict: None,
            cache: None,
            extra: vec![own::extra(kind, raw)],
        });
    }
    let name = content::required(&mut object, "name")?;
    if name.is_empty() {
        return Err(Misfit::new("must not be empty").within("name"));
    }
    let description = object.text("description")?.map(Into::into);
    let mut extra = Vec::new();
    let (parameters, strict) = if kind == "custom" {
        extra.push(own::extra("type", CUSTOM));
        (Some(Json::of(CUSTOM_PARAMETERS)), None)
    } else {
        (
            object.raw("parameters")?.map(Json::of),
            object.flag("strict")?,
        )
    };
    own::keep(object, "", &mut extra);
    Ok(Tool {
        name,
        description,
        parameters,
        strict,
        cache: None,
        extra,
    })
}

/// Whether the tool takes any text, by a call of its own kind.
pub(crate) fn is_custom(tool: &Tool) -> bool {
    !tool.name.is_empty() && own::find(&tool.extra, "type") == Some(CUSTOM)
}

/// Writes the tools, as an array.
pub(crate) fn write(page: &mut Page<'_>, tools: &[Tool]) -> Result<(), Unsupported> {
    page.writer.open_array();
    for (at, tool) in tools.iter().enumerate() {
        write_one(page, tool, &format!("tools[{at}]"))?;
    }
    page.writer.close_array();
    Ok(())
}

fn write_one(page: &mut Page<'_>, tool: &Tool, at: &str) -> Result<(), Unsupported> {
    if tool.name.is_empty() {
        let raw = own::ours(&tool.extra).next();
        let raw = raw.ok_or_else(|| unsupported(at, "is a tool of another provider's own"))?;
        page.writer.raw(raw.value.as_str());
        return Ok(());
    }
    own::note_foreign(&mut page.dropped, &tool.extra, &format!("{at}."));
    if tool.cache.is_some() {
        page.dropped.note(format!("{at}.cache_control"));
    }
    let crossing = page.target.crossing;
    let custom = is_custom(tool);
    let writer = page.writer.open();
    let kind = if custom { "custom" } else { "function" };
    writer.key("type").text(kind).key("name").text(&tool.name);
    if let Some(description) = &tool.description {
        writer.key("description").text(description);
    }
    if !custom {
        match &tool.parameters {
            Some(parameters) => writer.key("parameters").raw(parameters.as_str()),
            None if crossing => {
                let none = r#"{"type":"object","properties":{}}"#;
                writer.key("parameters").raw(none)
            }
            None => writer,
        };
        if let Some(strict) = tool.strict.or(crossing.then_some(false)) {
            writer.key("strict").flag(strict);
        }
    }
    own::write_except(writer, &tool.extra, "", &["type"]);
    writer.close();
    Ok(())
}

/// Reads whether tools must be called. What only this family understands is kept.
pub(crate) fn read_choice(raw: &str, extra: &mut Vec<Extra>) -> Result<Option<ToolChoice>, Misfit> {
    if object::is_text(raw) {
        return match object::text(raw)?.as_ref() {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" => Ok(Some(ToolChoice::Required)),
            _ => Err(Misfit::new("must be auto, none, required or an object")),
        };
    }
    let mut object = Object::parse(raw)?;
    let kind = object.text("type")?;
    let choice = match kind.as_deref() {
        Some("function" | "custom") => {
            Some(ToolChoice::Named(content::required(&mut object, "name")?))
        }
        Some("allowed_tools") => read_allowed(&mut object)?,
        _ => None,
    };
    if choice.is_some() && object.is_empty() {
        return Ok(choice);
    }
    extra.push(own::extra("tool_choice", raw));
    Ok(None)
}

/// The names of the tools that are allowed, if all of them are the client's.
fn read_allowed(object: &mut Object<'_>) -> Result<Option<ToolChoice>, Misfit> {
    let required = object.text("mode")?.as_deref() == Some("required");
    let mut names = Vec::new();
    for raw in object.array("tools")?.unwrap_or_default() {
        let mut tool = Object::parse(raw)?;
        let kind = tool.text("type")?;
        let name = tool.text("name")?;
        match (kind.as_deref(), name) {
            (Some("function" | "custom"), Some(name)) if tool.is_empty() => names.push(name.into()),
            _ => return Ok(None),
        }
    }
    Ok(Some(ToolChoice::Allowed { names, required }))
}

/// Writes whether tools must be called.
pub(crate) fn write_choice(writer: &mut Writer, choice: &ToolChoice, tools: &[Tool]) {
    match choice {
        ToolChoice::Auto => {
            writer.text("auto");
        }
        ToolChoice::None => {
            writer.text("none");
        }
        ToolChoice::Required => {
            writer.text("required");
        }
        ToolChoice::Named(name) => write_named(writer, name, tools),
        ToolChoice::Allowed { names, required } => {
            let mode = if *required { "required" } else { "auto" };
            let writer = writer.open().key("type").text("allowed_tools");
            writer.key("mode").text(mode).key("tools").open_array();
            for name in names {
                write_named(writer, name, tools);
            }
            writer.close_array().close();
        }
    }
}

fn write_named(writer: &mut Writer, name: &str, tools: &[Tool]) {
    let custom = tools.iter().any(|it| it.name == name && is_custom(it));
    let kind = if custom { "custom" } else { "function" };
    let writer = writer.open().key("type").text(kind);
    writer.key("name").text(name).close();
}
