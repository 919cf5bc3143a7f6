//! A call of a tool, as an element of `tool_calls`.
//!
//! Owns that a call without arguments is written in three ways: absent, null and empty. All of them are `{}`.

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{
    cohere::own,
    neutral::{Content, Part},
};

/// Reads one call. `id` is what it is called if the provider gives it no name of its own.
pub(crate) fn decode(raw: &str, id: Option<String>) -> Result<Part, Misfit> {
    let mut call = Object::parse(raw)?;
    if call.text("type")?.is_some_and(|kind| kind != "function") {
        return Err(Misfit::new("must be function").within("type"));
    }
    let given = call.text("id")?.filter(|id| !id.is_empty());
    let id = given
        .map(std::borrow::Cow::into_owned)
        .or(id)
        .ok_or_else(|| Misfit::new("is missing").within("id"))?;
    let mut function = call
        .object("function")?
        .ok_or_else(|| Misfit::new("is missing").within("function"))?;
    let read = (|| {
        let name = function
            .text("name")?
            .ok_or_else(|| Misfit::new("is missing").within("name"))?;
        let arguments = function.text("arguments")?.unwrap_or_default();
        Ok((name.into_owned(), arguments.into_owned()))
    })();
    let (name, mut arguments) = read.map_err(|misfit: Misfit| misfit.within("function"))?;
    if arguments.trim().is_empty() {
        "{}".clone_into(&mut arguments);
    }
    let mut extra = own::kept("function.", function);
    extra.extend(own::kept("", call));
    Ok(Part {
        content: Content::ToolCall {
            id,
            name,
            arguments,
        },
        cache: None,
        extra,
    })
}

/// Writes the calls among the parts, if there are any, as the member `tool_calls`.
pub(crate) fn encode(writer: &mut Writer, parts: &[Part]) {
    if !parts.iter().any(is_call) {
        return;
    }
    writer.key("tool_calls").open_array();
    for part in parts {
        let Content::ToolCall {
            id,
            name,
            arguments,
        } = &part.content
        else {
            continue;
        };
        writer.open().key("id").text(id);
        writer.key("type").text("function");
        writer.key("function").open().key("name").text(name);
        let arguments = if arguments.trim().is_empty() {
            "{}"
        } else {
            arguments
        };
        writer.key("arguments").text(arguments);
        own::write(writer, &part.extra, "function.", &[]);
        writer.close();
        own::write(writer, &part.extra, "", &[]);
        writer.close();
    }
    writer.close_array();
}

/// Whether a part is a call.
pub(crate) fn is_call(part: &Part) -> bool {
    matches!(part.content, Content::ToolCall { .. })
}
