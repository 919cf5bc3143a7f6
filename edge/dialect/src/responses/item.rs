//! The items of a conversation, read one by one: messages, calls, what tools said, what was thought.
//!
//! Owns what each item says. Must never know which items stand beside it. A tool of the client's own form takes any
//! text instead of JSON: its text stands as the `input` of an object, and is taken out of it on the way back.

use payload::{
    json::{self, Fault},
    object::{self, Misfit, Object},
    scalar,
};

use crate::{
    neutral::{Content, Extra, Part, Role},
    responses::{content, own},
};

/// What an item is, by the side that said it.
#[derive(Debug)]
pub(crate) enum Item {
    /// A message, its own members at its first part.
    Message(Role, Vec<Part>),
    /// Something else that the model said.
    Model(Part),
    /// Something that was said to the model in return.
    Reply(Part),
}

/// What marks thoughts that another family's model sealed whole, where this one keeps what proves them. No base64
/// holds a colon.
pub(crate) const REDACTED: &str = "redacted:";

/// The name under which an item is kept that only this family understands.
pub(crate) const OTHER: &str = "input";

/// Reads an item. `call_id` stands in for the id of a call that has none.
pub(crate) fn read(raw: &str, call_id: Option<&str>) -> Result<Item, Misfit> {
    let mut object = Object::parse(raw)?;
    let kind = object.text("type")?;
    let kind = match kind {
        None if object.has("role") => "message".into(),
        // The API takes such an item for a reference, if it has an id and nothing else.
        None => "item_reference".into(),
        Some(kind) => kind,
    };
    match kind.as_ref() {
        "message" => message(object),
        "function_call" | "custom_tool_call" => {
            Ok(Item::Model(call(object, kind.starts_with('c'), call_id)?))
        }
        "function_call_output" | "custom_tool_call_output" => {
            Ok(Item::Reply(result(object, kind.starts_with('c'))?))
        }
        "reasoning" => Ok(Item::Model(reasoning(object)?)),
        kind => {
            let part = Part::other(own::extra(OTHER, raw));
            let reply = ["_output", "_response"]
                .iter()
                .any(|end| kind.ends_with(end));
            Ok(if reply {
                Item::Reply(part)
            } else {
                Item::Model(part)
            })
        }
    }
}

fn message(mut object: Object<'_>) -> Result<Item, Misfit> {
    let role = match content::required(&mut object, "role")?.as_str() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => {
            let wants = "must be system, developer, user or assistant";
            return Err(Misfit::new(wants).within("role"));
        }
    };
    let text = match role {
        Role::Assistant => content::OUTPUT,
        _ => content::INPUT,
    };
    let raw = object.raw("content")?.unwrap_or("[]");
    let mut parts = content::read_all(raw, text, "content").map_err(|it| it.within("content"))?;
    let mut members = Vec::new();
    if parts.is_empty() {
        parts.push(Part::text(""));
        members.push(own::extra(format!("{}content", content::MESSAGE), "[]"));
    }
    own::keep(object, content::MESSAGE, &mut members);
    if let Some(first) = parts.first_mut() {
        first.extra.append(&mut members);
    }
    Ok(Item::Message(role, parts))
}

fn call(mut object: Object<'_>, custom: bool, call_id: Option<&str>) -> Result<Part, Misfit> {
    let id = object.text("call_id")?.filter(|id| !id.is_empty());
    let id = id.map(Into::into).or_else(|| call_id.map(str::to_owned));
    let id = id.ok_or_else(|| Misfit::new("must be a string").within("call_id"))?;
    let name = content::required(&mut object, "name")?;
    let mut extra = Vec::new();
    let arguments = if custom {
        extra.push(own::extra("type", "\"custom_tool_call\""));
        wrapped(&content::required(&mut object, "input")?)
    } else {
        arguments(&mut object)?
    };
    own::keep(object, "", &mut extra);
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

/// The arguments of a call. Some servers give the object itself.
fn arguments(object: &mut Object<'_>) -> Result<String, Misfit> {
    let raw = object.raw("arguments")?.unwrap_or("\"\"");
    let said = if raw.starts_with('{') {
        raw.into()
    } else {
        object::text(raw).map_err(|misfit| misfit.within("arguments"))?
    };
    Ok(if said.trim().is_empty() {
        "{}".to_owned()
    } else {
        said.into_owned()
    })
}

/// The text of a call that takes any, as the arguments of one that takes an object.
pub(crate) fn wrapped(input: &str) -> String {
    let mut out = b"{\"input\":".to_vec();
    scalar::quote(&mut out, input);
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

/// The text again. Arguments of another form are the text as they are.
pub(crate) fn unwrapped(arguments: &str) -> String {
    let mut object = Object::parse(arguments).unwrap_or_default();
    let input = object.text("input").ok().flatten();
    input.map_or_else(|| arguments.to_owned(), Into::into)
}

fn result(mut object: Object<'_>, custom: bool) -> Result<Part, Misfit> {
    let id = content::required(&mut object, "call_id")?;
    let name = object.text("name")?.map(Into::into);
    let raw = object.raw("output")?.unwrap_or("\"\"");
    let parts =
        content::read_all(raw, content::INPUT, "output").map_err(|it| it.within("output"))?;
    let mut extra = Vec::new();
    if custom {
        extra.push(own::extra("type", "\"custom_tool_call_output\""));
    }
    own::keep(object, "", &mut extra);
    Ok(Part {
        content: Content::ToolResult {
            id,
            name,
            parts,
            failed: false,
        },
        cache: None,
        extra,
    })
}

/// What was thought: its summary, or the thoughts themselves where there is none. What the two cannot say in one text
/// is kept as it is.
fn reasoning(mut object: Object<'_>) -> Result<Part, Misfit> {
    let mut extra = Vec::new();
    let summary = object.raw("summary")?.unwrap_or("[]");
    let mut text = texts(summary, "summary_text").map_err(|misfit| misfit.within("summary"))?;
    if !is_one_text(summary, &text) {
        extra.push(own::extra("summary", summary));
    }
    if let Some(thoughts) = object.raw("content")? {
        let said = texts(thoughts, "reasoning_text").map_err(|it| it.within("content"))?;
        extra.push(own::extra("content", thoughts));
        if text.is_empty() {
            text = said;
            keep_once(&mut extra, summary);
        }
    }
    let sealed = object.text("encrypted_content")?;
    own::keep(object, "", &mut extra);
    if let Some(data) = sealed.as_deref().and_then(|it| it.strip_prefix(REDACTED)) {
        return Ok(Part {
            content: Content::RedactedReasoning(data.to_owned()),
            cache: None,
            extra,
        });
    }
    let text = text.join("\n\n");
    Ok(Part {
        content: Content::Reasoning {
            text,
            signature: sealed.map(Into::into),
        },
        cache: None,
        extra,
    })
}

/// The summary must be kept, because the text is not its own.
fn keep_once(extra: &mut Vec<Extra>, summary: &str) {
    if own::find(extra, "summary").is_none() {
        extra.push(own::extra("summary", summary));
    }
}

/// The texts of an array of parts, those of other kinds left out.
fn texts(raw: &str, kind: &str) -> Result<Vec<String>, Misfit> {
    let mut texts = Vec::new();
    for (at, raw) in object::elements(raw)?.into_iter().enumerate() {
        let read = || -> Result<Option<String>, Misfit> {
            let mut part = Object::parse(raw)?;
            if part.text("type")?.is_none_or(|it| it == kind) {
                return Ok(part.text("text")?.map(Into::into));
            }
            Ok(None)
        };
        texts.extend(read().map_err(|misfit| misfit.within_element(at))?);
    }
    Ok(texts)
}

/// Whether a summary is what is written for these texts: nothing, or one text that is not empty and nothing beside it.
fn is_one_text(summary: &str, texts: &[String]) -> bool {
    let mut members = 0;
    let elements = object::elements(summary).unwrap_or_default();
    for raw in &elements {
        let counted = json::members(raw, |_, _| {
            members += 1;
            Ok::<_, Fault>(())
        });
        if counted.is_err() {
            return false;
        }
    }
    match texts {
        [] => elements.is_empty(),
        [text] => elements.len() == 1 && members == 2 && !text.is_empty(),
        _ => false,
    }
}
