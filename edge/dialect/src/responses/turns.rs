//! A list of items as the turns of a conversation, and back.
//!
//! Owns which items belong to one turn: all that the model says in a row is one, calls and thoughts among it, and all
//! that its tools answer in a row is another. Must never know what an item says: see `item`.

use payload::object::Misfit;

use crate::{
    neutral::{Content, Part, Role, Turn, Unsupported},
    responses::{
        content::{self, MESSAGE},
        item::{self, Item, OTHER, REDACTED},
        own,
        page::{Page, unsupported},
    },
};

/// Reads the items of an input.
pub(crate) fn read(items: &[&str]) -> Result<Vec<Turn>, Misfit> {
    let mut turns = Vec::new();
    for (at, raw) in items.iter().enumerate() {
        let item = item::read(raw, None).map_err(|misfit| misfit.within_element(at))?;
        match item {
            Item::Message(Role::Assistant, parts) => say(&mut turns, parts),
            Item::Message(role, parts) => turns.push(Turn::new(role, parts)),
            Item::Model(part) => join(&mut turns, Role::Assistant, part),
            Item::Reply(part) => join(&mut turns, Role::User, part),
        }
    }
    Ok(turns)
}

/// A message of the model goes on with its turn, unless nothing would tell it from the message before.
fn say(turns: &mut Vec<Turn>, mut parts: Vec<Part>) {
    let marked = parts.first().is_some_and(begins);
    match turns.last_mut() {
        Some(turn) if turn.role == Role::Assistant && (marked || !ends_in_message(turn)) => {
            turn.parts.append(&mut parts);
        }
        _ => turns.push(Turn::new(Role::Assistant, parts)),
    }
}

fn join(turns: &mut Vec<Turn>, role: Role, part: Part) {
    match turns.last_mut() {
        Some(turn) if turn.role == role && (role == Role::Assistant || !ends_in_message(turn)) => {
            turn.parts.push(part);
        }
        _ => turns.push(Turn::new(role, vec![part])),
    }
}

fn ends_in_message(turn: &Turn) -> bool {
    turn.parts.last().is_none_or(content::is_content)
}

/// Whether a part begins a message, because members of the message stand at it.
fn begins(part: &Part) -> bool {
    own::any(&part.extra, MESSAGE)
}

/// Writes turns as items, into the array that is open. `first` is the number of the first of them.
pub(crate) fn write(page: &mut Page<'_>, turns: &[Turn], first: usize) -> Result<(), Unsupported> {
    for (at, turn) in turns.iter().enumerate() {
        let at = format!("messages[{}]", first + at);
        own::note_foreign(&mut page.dropped, &turn.extra, &format!("{at}."));
        if turn.name.is_some() {
            page.dropped.note(format!("{at}.name"));
        }
        write_turn(page, turn, &at)?;
    }
    Ok(())
}

fn write_turn(page: &mut Page<'_>, turn: &Turn, at: &str) -> Result<(), Unsupported> {
    let mut message: Vec<(usize, &Part)> = Vec::new();
    for (number, part) in turn.parts.iter().enumerate() {
        let is_content = content::is_content(part);
        if !message.is_empty() && (!is_content || begins(part)) {
            write_message(page, turn.role, &message, at)?;
            message.clear();
        }
        if is_content {
            let empty = matches!(&part.content, Content::Text(text) if text.is_empty());
            if !(empty && page.target.crossing) {
                message.push((number, part));
            }
        } else {
            write_item(page, part, &format!("{at}.content[{number}]"))?;
        }
    }
    if message.is_empty() {
        return Ok(());
    }
    write_message(page, turn.role, &message, at)
}

fn write_message(
    page: &mut Page<'_>,
    role: Role,
    parts: &[(usize, &Part)],
    at: &str,
) -> Result<(), Unsupported> {
    let (role, text) = match role {
        Role::System => ("system", content::INPUT),
        Role::Developer => ("developer", content::INPUT),
        Role::User => ("user", content::INPUT),
        Role::Assistant => ("assistant", content::OUTPUT),
    };
    let writer = page.writer.open().key("type").text("message");
    writer.key("role").text(role);
    let only: Vec<&Part> = parts.iter().map(|(_, part)| *part).collect();
    let members = only.first().map_or(&[][..], |part| &part.extra);
    let plain = content::plain(&only);
    if own::find(members, &format!("{MESSAGE}content")).is_some() {
        // The message said that it has no parts, and does so below.
    } else if let Some(plain) = plain {
        page.writer.key("content").text(plain);
        own::note_foreign(&mut page.dropped, members, &format!("{at}.content[0]."));
    } else {
        page.writer.key("content").open_array();
        for (number, part) in parts {
            let at = format!("{at}.content[{number}]");
            let words = matches!(
                part.content,
                Content::Text(_) | Content::Refusal(_) | Content::Other
            );
            if role == "assistant" && page.target.crossing && !words {
                return Err(unsupported(at, "what a model said can only be words here"));
            }
            content::write(page, part, text, &at)?;
        }
        page.writer.close_array();
    }
    own::write(&mut page.writer, members, MESSAGE);
    page.writer.close();
    Ok(())
}

/// Writes a part that is an item of its own.
fn write_item(page: &mut Page<'_>, part: &Part, at: &str) -> Result<(), Unsupported> {
    own::note_foreign(&mut page.dropped, &part.extra, &format!("{at}."));
    if part.cache.is_some() {
        page.dropped.note(format!("{at}.cache_control"));
    }
    match &part.content {
        Content::Other => {
            page.writer
                .raw(own::find(&part.extra, OTHER).unwrap_or("{}"));
        }
        Content::ToolCall {
            id,
            name,
            arguments,
        } => write_call(page, part, [id, name, arguments]),
        Content::ToolResult {
            id,
            name,
            parts,
            failed,
        } => {
            if *failed {
                page.dropped.note(format!("{at}.is_error"));
            }
            write_result(page, part, [Some(id), name.as_ref()], at, parts)?;
        }
        Content::Reasoning { text, signature } => {
            write_reasoning(page, part, [Some(text), signature.as_ref()], at);
        }
        // Sealed by another family's model: this one cannot open it.
        Content::RedactedReasoning(_) if page.target.crossing => page.dropped.note(at),
        Content::RedactedReasoning(data) => {
            let sealed = format!("{REDACTED}{data}");
            write_reasoning(page, part, [None, Some(&sealed)], at);
        }
        _ => return Err(unsupported(at, "cannot stand on its own")),
    }
    Ok(())
}

fn write_call(page: &mut Page<'_>, part: &Part, [id, name, arguments]: [&String; 3]) {
    let writer = page.writer.open();
    if own::find(&part.extra, "type").is_some() {
        writer.key("type").text("custom_tool_call");
        writer.key("input").text(&item::unwrapped(arguments));
    } else {
        writer.key("type").text("function_call");
        let none = arguments.trim().is_empty();
        let arguments = if none { "{}" } else { arguments };
        writer.key("arguments").text(arguments);
    }
    writer.key("call_id").text(id).key("name").text(name);
    own::write_except(writer, &part.extra, "", &["type"]);
    writer.close();
}

fn write_result(
    page: &mut Page<'_>,
    part: &Part,
    [id, name]: [Option<&String>; 2],
    at: &str,
    said: &[Part],
) -> Result<(), Unsupported> {
    let custom = own::find(&part.extra, "type").is_some();
    let kind = if custom {
        "custom_tool_call_output"
    } else {
        "function_call_output"
    };
    let writer = page.writer.open().key("type").text(kind);
    writer.key("call_id").text(id.map_or("", String::as_str));
    // Only this family names the tool again, and not always.
    if let Some(name) = name.filter(|_| !page.target.crossing) {
        writer.key("name").text(name);
    }
    writer.key("output");
    let all: Vec<&Part> = said.iter().collect();
    if all.is_empty() && page.target.crossing {
        page.writer.text("");
    } else if let Some(plain) = content::plain(&all) {
        page.writer.text(plain);
        let extras = all.first().map_or(&[][..], |part| &part.extra);
        own::note_foreign(&mut page.dropped, extras, &format!("{at}.content[0]."));
    } else {
        page.writer.open_array();
        for (number, part) in said.iter().enumerate() {
            let at = format!("{at}.content[{number}]");
            content::write(page, part, content::INPUT, &at)?;
        }
        page.writer.close_array();
    }
    own::write_except(&mut page.writer, &part.extra, "", &["type"]);
    page.writer.close();
    Ok(())
}

/// Writes what was thought. Thoughts of another family that nothing proves are left out: this one would refuse them.
fn write_reasoning(
    page: &mut Page<'_>,
    part: &Part,
    [text, sealed]: [Option<&String>; 2],
    at: &str,
) {
    if page.target.crossing && sealed.is_none() {
        page.dropped.note(at);
        return;
    }
    let writer = page.writer.open().key("type").text("reasoning");
    if own::find(&part.extra, "summary").is_none() {
        writer.key("summary").open_array();
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            let writer = writer.open().key("type").text("summary_text");
            writer.key("text").text(text).close();
        }
        writer.close_array();
    }
    if let Some(sealed) = sealed {
        writer.key("encrypted_content").text(sealed);
    }
    own::write(writer, &part.extra, "");
    writer.close();
}
