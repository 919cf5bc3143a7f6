//! The conversation, written: `systemInstruction` and `contents`.
//!
//! Owns what Google asks of their order: one side after the other, and the results of all calls of one turn together,
//! in the order of the calls. Must never leave out what was said without a word about it.

use std::{borrow::Cow, collections::HashMap};

use payload::{object, writer::Writer};

use crate::{
    gemini::{
        content::ROLE,
        own,
        part::{self, Pen},
        result,
        signature::{self, Placed},
        target::Target,
    },
    neutral::{Content, Dropped, Part, Request, Role, Turn, Unsupported},
};

/// Stands for a signature that is lost, at models that want one. Google documents it for this.
const SIGNATURE_LOST: &str = "skip_thought_signature_validator";

const RESPONSE: &str = "functionResponse.response";

/// Where and under what name each call stands, by its id.
type Calls<'a> = HashMap<&'a str, (usize, &'a str)>;

/// Turns that are one content.
struct Group<'a> {
    role: Role,
    turns: Vec<(usize, &'a Turn)>,
}

/// Writes `systemInstruction` and `contents`.
pub(crate) fn write(
    writer: &mut Writer,
    request: &Request,
    target: &Target<'_>,
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    let mut turns: Vec<(usize, &Turn)> = request.turns.iter().enumerate().collect();
    let leading = turns
        .iter()
        .take_while(|(_, turn)| turn.role.instructs())
        .count();
    // Google answers no one who only instructs: then the instructions are what the user says.
    let instructions = if leading < turns.len() { leading } else { 0 };
    let spoken = turns.split_off(instructions);
    for (index, turn) in turns.iter().chain(&spoken) {
        own::note_foreign(&turn.extra, &format!("messages[{index}]."), dropped);
        if turn.name.is_some() {
            dropped.note(format!("messages[{index}].name"));
        }
    }
    let mut pen = Pen { target, dropped };
    write_instructions(writer, &turns, &mut pen)?;
    let calls = calls(request);
    writer.key("contents").open_array();
    for group in groups(&spoken) {
        if group.role == Role::Assistant {
            write_model(writer, &group, &mut pen)?;
        } else {
            write_user(writer, &group, &calls, &mut pen)?;
        }
    }
    writer.close_array();
    Ok(())
}

fn write_instructions(
    writer: &mut Writer,
    turns: &[(usize, &Turn)],
    pen: &mut Pen<'_>,
) -> Result<(), Unsupported> {
    if turns.iter().all(|(_, turn)| turn.parts.is_empty()) {
        return Ok(());
    }
    writer.key("systemInstruction").open();
    if let Some((_, turn)) = turns.first() {
        own::write(writer, &turn.extra, "", &[]);
    }
    writer.key("parts").open_array();
    for (index, turn) in turns {
        for (at, part) in turn.parts.iter().enumerate() {
            pen.write(writer, part, None, &place_of(*index, at))?;
        }
    }
    writer.close_array().close();
    Ok(())
}

/// Every call of the conversation.
fn calls(request: &Request) -> Calls<'_> {
    let parts = request.turns.iter().flat_map(|turn| &turn.parts);
    let called = parts.filter_map(|part| match &part.content {
        Content::ToolCall { id, name, .. } => Some((id.as_str(), name.as_str())),
        _ => None,
    });
    called
        .enumerate()
        .map(|(at, (id, name))| (id, (at, name)))
        .collect()
}

/// Puts turns of one side together, but for those that came apart from Google's own clients.
fn groups<'a>(turns: &[(usize, &'a Turn)]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (index, turn) in turns {
        let silent = turn.parts.iter().all(|part| {
            matches!(&part.content, Content::Text(text) if text.is_empty()) && part.extra.is_empty()
        });
        if silent {
            continue;
        }
        let role = if turn.role == Role::Assistant {
            Role::Assistant
        } else {
            Role::User
        };
        let apart = own::own(&turn.extra, ROLE).is_some() && !turn.role.instructs();
        match groups.last_mut() {
            Some(last) if last.role == role && !apart => last.turns.push((*index, turn)),
            _ => groups.push(Group {
                role,
                turns: vec![(*index, turn)],
            }),
        }
    }
    groups
}

fn write_model(
    writer: &mut Writer,
    group: &Group<'_>,
    pen: &mut Pen<'_>,
) -> Result<(), Unsupported> {
    open_content(writer, group, "\"model\"");
    for (index, turn) in &group.turns {
        let mut unsigned = pen.target.signature_required;
        for Placed { part, signature } in signature::place(&turn.parts, true) {
            let Some((at, part)) = part else {
                part::write_bare_signature(writer, &signature.unwrap_or_default());
                continue;
            };
            let mut signature = signature;
            match part.content {
                Content::RedactedReasoning(_) => {
                    pen.dropped.note(place_of(*index, at));
                    continue;
                }
                Content::ToolCall { .. } if unsigned => {
                    // Google signs the first call of several.
                    unsigned = false;
                    signature.get_or_insert(Cow::Borrowed(SIGNATURE_LOST));
                }
                _ => {}
            }
            pen.write(writer, part, signature.as_deref(), &place_of(*index, at))?;
        }
    }
    writer.close_array().close();
    Ok(())
}

fn write_user(
    writer: &mut Writer,
    group: &Group<'_>,
    calls: &Calls<'_>,
    pen: &mut Pen<'_>,
) -> Result<(), Unsupported> {
    open_content(writer, group, "\"user\"");
    let parts = group.turns.iter().flat_map(|(index, turn)| {
        let system = turn.role.instructs();
        let parts = turn.parts.iter().enumerate();
        parts.map(move |(at, part)| (place_of(*index, at), part, system))
    });
    let (mut results, others): (Vec<_>, Vec<_>) =
        parts.partition(|(_, part, _)| matches!(part.content, Content::ToolResult { .. }));
    results.sort_by_key(|(_, part, _)| match &part.content {
        Content::ToolResult { id, .. } => calls.get(id.as_str()).map_or(usize::MAX, |call| call.0),
        _ => usize::MAX,
    });
    let mut beside = Vec::new();
    for (at, part, _) in &results {
        write_result(writer, (part, at), calls, pen, &mut beside)?;
    }
    for (at, part) in &beside {
        pen.write(writer, part, None, at)?;
    }
    for (at, part, system) in &others {
        match &part.content {
            Content::Text(text) if *system => write_marked(writer, text),
            Content::Text(text) if text.is_empty() && part.extra.is_empty() => {}
            _ => {
                let signature = own::own(&part.extra, part::SIGNATURE);
                let signature = signature.and_then(|raw| object::text(raw).ok());
                pen.write(writer, part, signature.as_deref(), at)?;
            }
        }
    }
    writer.close_array().close();
    Ok(())
}

/// Writes instructions that stand amid the conversation, where Google has no place for them.
fn write_marked(writer: &mut Writer, text: &str) {
    let marked = format!("<system>\n{text}\n</system>");
    writer.open().key("text").text(&marked).close();
}

/// Writes a result, and puts what it cannot hold to what stands `beside` it.
fn write_result<'a>(
    writer: &mut Writer,
    (part, at): (&'a Part, &str),
    calls: &Calls<'a>,
    pen: &mut Pen<'_>,
    beside: &mut Vec<(String, &'a Part)>,
) -> Result<(), Unsupported> {
    let Content::ToolResult {
        id,
        name,
        parts,
        failed,
    } = &part.content
    else {
        return Ok(());
    };
    let name = name
        .as_deref()
        .or_else(|| calls.get(id.as_str()).map(|call| call.1));
    let name = name.ok_or_else(|| Unsupported {
        at: at.to_owned(),
        why: format!("Gemini wants the name of the tool, and no call has the id {id}"),
    })?;
    if part.cache.is_some() {
        pen.dropped.note(format!("{at}.cache_control"));
    }
    own::note_foreign(&part.extra, &format!("{at}."), pen.dropped);
    writer.open().key("functionResponse").open();
    pen.write_id(writer, id);
    writer.key("name").text(name).key("response");
    let said: Vec<&str> = parts.iter().filter_map(words).collect();
    match own::own(&part.extra, RESPONSE) {
        Some(raw) => {
            writer.raw(raw);
        }
        None => result::write(writer, &said.join("\n"), *failed),
    }
    let media: Vec<&Part> = parts.iter().filter(|part| words(part).is_none()).collect();
    if pen.target.result_media && !media.is_empty() {
        writer.key("parts").open_array();
        for part in media {
            pen.write(writer, part, None, at)?;
        }
        writer.close_array();
    } else {
        beside.extend(media.into_iter().map(|part| (at.to_owned(), part)));
    }
    own::write(writer, &part.extra, "functionResponse.", &["response"]);
    writer.close();
    own::write(writer, &part.extra, "", &[part::SIGNATURE]);
    part::write_signature(
        writer,
        own::own(&part.extra, part::SIGNATURE)
            .and_then(|raw| object::text(raw).ok())
            .as_deref(),
    );
    writer.close();
    Ok(())
}

fn words(part: &Part) -> Option<&str> {
    match &part.content {
        Content::Text(text) => Some(text),
        _ => None,
    }
}

fn open_content(writer: &mut Writer, group: &Group<'_>, role: &str) {
    writer.open();
    let first = group
        .turns
        .first()
        .filter(|(_, turn)| !turn.role.instructs());
    let extra = first.map_or(&[][..], |(_, turn)| &turn.extra);
    writer.key(ROLE).raw(own::own(extra, ROLE).unwrap_or(role));
    own::write(writer, extra, "", &[ROLE]);
    writer.key("parts").open_array();
}

fn place_of(turn: usize, part: usize) -> String {
    format!("messages[{turn}].content[{part}]")
}
