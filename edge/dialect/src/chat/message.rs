//! The message in an answer.
//!
//! Owns what a model says in it, read and written. Requests have messages of their own kind: see `turns`.

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{
    chat::{
        call::{self, Call},
        client::Client,
        own, part,
        stop::Seen,
        thoughts,
    },
    neutral::{Content, Extra, Part, Seed},
};

/// What stands before the names of its members that are kept.
pub(crate) const UNDER: &str = "message.";
/// The member that held plain thoughts, where it was the less usual one.
const PLAIN: &str = "message.reasoning";

/// The number from which the id of a call is made where the provider gives none: the same in an answer and a stream.
pub(crate) const fn call_number(choice: u32, call: u32) -> u32 {
    (choice << 10).saturating_add(call)
}

/// What was said, as far as it tells why the answer ended.
pub(crate) fn seen(parts: &[Part]) -> Seen {
    Seen {
        anything: !parts.is_empty(),
        calls: parts.iter().any(|part| match part.content {
            Content::ToolCall { .. } => true,
            Content::Other => own::find(&part.extra, call::OTHER).is_some(),
            _ => false,
        }),
        refusal: parts
            .iter()
            .any(|part| matches!(part.content, Content::Refusal(_))),
    }
}

/// Reads the message of the answer number `choice`; what is not understood of it is kept with the answer.
pub(crate) fn read(
    raw: &str,
    choice: u32,
    seed: &Seed,
    kept: &mut Vec<Extra>,
) -> Result<Vec<Part>, Misfit> {
    let mut message = Object::parse(raw)?;
    message.raw("role")?;
    let (mut parts, plain) = thoughts::take(&mut message)?;
    if plain == Some("reasoning") {
        kept.push(own::extra(PLAIN, "true"));
    }
    let content = message.raw("content")?;
    parts.extend(part::read_all(content).map_err(|misfit| misfit.within("content"))?);
    if let Some(refusal) = message.text("refusal")?.filter(|text| !text.is_empty()) {
        parts.push(Part::new(Content::Refusal(refusal.into_owned())));
    }
    let mut number = 0;
    let calls = message.array("tool_calls")?.unwrap_or_default();
    for (at, raw) in calls.into_iter().enumerate() {
        let call =
            call::read(raw).map_err(|misfit| misfit.within_element(at).within("tool_calls"))?;
        match call {
            Call::Function(call) => {
                let id = call.id.as_deref().map(Into::into);
                let id = id.unwrap_or_else(|| seed.tool_call_id(call_number(choice, number)));
                call.push(id, &mut parts);
            }
            Call::Other(part) => parts.push(part),
        }
        number += 1;
    }
    if let Some(raw) = message.raw("function_call")? {
        let call = call::read_old(raw).map_err(|misfit| misfit.within("function_call"))?;
        call.push(seed.tool_call_id(call_number(choice, number)), &mut parts);
    }
    own::keep(message, UNDER, kept);
    Ok(parts)
}

/// Writes a message. `kept` is what was kept with the answer, and `declined` why the model declined, where no part
/// says it.
pub(crate) fn write(
    writer: &mut Writer,
    parts: &[Part],
    kept: &[Extra],
    (declined, client): (Option<&str>, Client),
) {
    let texts = |of: fn(&Content) -> Option<&str>| -> String {
        parts.iter().filter_map(|part| of(&part.content)).collect()
    };
    let words = texts(|content| match content {
        Content::Text(text) => Some(text),
        _ => None,
    });
    let refusal = texts(|content| match content {
        Content::Refusal(text) => Some(text),
        _ => None,
    });
    let refusal = Some(refusal.as_str())
        .filter(|text| !text.is_empty())
        .or(declined);
    writer.open().key("role").text("assistant").key("content");
    if words.is_empty() && (refusal.is_some() || seen(parts).calls) {
        writer.null();
    } else {
        writer.text(&words);
    }
    writer.key("refusal");
    match refusal {
        Some(refusal) => writer.text(refusal),
        None => writer.null(),
    };
    write_thoughts(writer, parts, kept);
    write_calls(writer, parts, client);
    for (name, raw) in own::under(kept, UNDER).filter(|(name, _)| *name != "reasoning") {
        writer.key(name).raw(raw);
    }
    writer.close();
}

fn write_thoughts(writer: &mut Writer, parts: &[Part], kept: &[Extra]) {
    let words = thoughts::words(parts.iter());
    if !words.is_empty() {
        let plain = own::find(kept, PLAIN).is_some();
        let name = if plain {
            "reasoning"
        } else {
            "reasoning_content"
        };
        writer.key(name).text(&words);
    }
    if thoughts::need_details(parts.iter()) {
        writer.key(thoughts::DETAILS).open_array();
        thoughts::write_details(parts.iter(), writer);
        writer.close_array();
    }
}

fn write_calls(writer: &mut Writer, parts: &[Part], client: Client) {
    if !seen(parts).calls {
        return;
    }
    if !client.functions {
        writer.key("tool_calls").open_array();
    }
    for part in parts {
        match &part.content {
            Content::ToolCall {
                name, arguments, ..
            } if client.functions => {
                // Whoever asks in the old way takes one call.
                writer.key("function_call").open().key("name").text(name);
                writer.key("arguments").text(arguments).close();
                return;
            }
            Content::ToolCall {
                id,
                name,
                arguments,
            } => {
                writer
                    .open()
                    .key("id")
                    .text(id)
                    .key("type")
                    .text("function");
                writer.key("function").open().key("name").text(name);
                writer.key("arguments").text(arguments);
                for (name, raw) in own::under(&part.extra, "function.") {
                    writer.key(name).raw(raw);
                }
                writer.close();
                for (name, raw) in own::under(&part.extra, "") {
                    if !name.starts_with("function.") {
                        writer.key(name).raw(raw);
                    }
                }
                writer.close();
            }
            Content::Other if !client.functions => {
                if let Some(raw) = own::find(&part.extra, call::OTHER) {
                    writer.raw(raw);
                }
            }
            _ => {}
        }
    }
    if !client.functions {
        writer.close_array();
    }
}
