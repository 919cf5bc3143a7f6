//! Calls of tools: `tool_calls`, and `function_call` as it was before.
//!
//! Knows one call. Those that are no functions go on as they came, to this family alone.

use crate::{
    chat::extras,
    neutral::{Content, Dropped, Part, Unsupported},
    object::{self, Misfit, Object},
    writer::Writer,
};

/// The name of an extra that is a whole call.
const WHOLE: &str = "tool_calls";

/// Reads a call. `id` is for one that has none.
pub(crate) fn read(raw: &str, id: impl FnOnce() -> String) -> Result<Part, Misfit> {
    let mut call = Object::parse(raw)?;
    let kind = call.text("type")?;
    if kind.is_some_and(|kind| kind != "function" && !kind.is_empty()) && !call.has("function") {
        return Ok(Part::other(extras::extra(WHOLE, raw)));
    }
    let said = call.text("id")?.filter(|id| !id.is_empty());
    let mut function = call
        .object("function")?
        .ok_or_else(|| Misfit::new("is required").within("function"))?;
    // Its place in the list says the same.
    call.raw("index")?;
    let within = |misfit: Misfit| misfit.within("function");
    let content = Content::ToolCall {
        id: said.map_or_else(id, Into::into),
        name: function
            .text("name")
            .map_err(within)?
            .unwrap_or_default()
            .into(),
        arguments: arguments(&mut function).map_err(within)?,
    };
    let mut part = Part::new(content);
    extras::keep(function, "function.", &mut part.extra);
    extras::keep(call, "", &mut part.extra);
    Ok(part)
}

/// Reads a call of the old form, which has no id.
pub(crate) fn read_old(raw: &str, id: String) -> Result<Part, Misfit> {
    let mut function = Object::parse(raw)?;
    Ok(Part::new(Content::ToolCall {
        id,
        name: function.text("name")?.unwrap_or_default().into(),
        arguments: arguments(&mut function)?,
    }))
}

/// The arguments as they are in the text that they came in; an object, as some send it, is as good.
fn arguments(function: &mut Object<'_>) -> Result<String, Misfit> {
    let said = piece(function)?;
    Ok(if said.trim().is_empty() {
        "{}".to_owned()
    } else {
        said
    })
}

/// A piece of the arguments, which may be empty.
pub(crate) fn piece(function: &mut Object<'_>) -> Result<String, Misfit> {
    let raw = function.raw("arguments")?.unwrap_or("\"\"");
    if object::is_text(raw) {
        let said = object::text(raw).map_err(|misfit| misfit.within("arguments"))?;
        return Ok(said.into_owned());
    }
    Ok(raw.to_owned())
}

/// Whether a part stands among the calls.
pub(crate) fn is_call(part: &Part) -> bool {
    match part.content {
        Content::ToolCall { .. } => true,
        Content::Other => part
            .extra
            .first()
            .is_some_and(|extra| extras::is_own(extra) && extra.name == WHOLE),
        _ => false,
    }
}

/// Writes `tool_calls`. `at` is the place of the message.
pub(crate) fn write_all(
    writer: &mut Writer,
    calls: &[&Part],
    at: &str,
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    writer.key("tool_calls").open_array();
    for (index, part) in calls.iter().enumerate() {
        let at = format!("{at}.tool_calls[{index}]");
        if let Content::ToolCall {
            id,
            name,
            arguments,
        } = &part.content
        {
            let arguments = if arguments.trim().is_empty() {
                "{}"
            } else {
                arguments
            };
            writer.open().key("id").text(id);
            writer.key("type").text("function");
            writer.key("function").open().key("name").text(name);
            writer.key("arguments").text(arguments);
            extras::write(writer, extras::under(&part.extra, "function."));
            writer.close();
            extras::write_plain(writer, &part.extra, &at, dropped);
            writer.close();
        } else {
            let raw = part.raw().ok_or_else(|| Unsupported {
                at,
                why: "this call is another provider's own".to_owned(),
            })?;
            writer.raw(raw.as_str());
        }
    }
    writer.close_array();
    Ok(())
}
