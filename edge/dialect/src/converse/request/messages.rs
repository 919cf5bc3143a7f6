//! The conversation: instructions in front, then messages in turns.
//!
//! Owns the rules of turns: the same role never speaks twice in a row, and what tools said comes first.

use payload::writer::Writer;

use crate::{
    converse::{
        block::{Piece, Place, Scribe},
        extras,
    },
    neutral::{Content, Extra, Request, Role, Turn, Unsupported},
};

/// A message, which may be several turns of one role.
struct Message<'a> {
    role: &'static str,
    pieces: Vec<Piece<'a>>,
    extra: Vec<&'a Extra>,
}

/// Writes `system` and `messages` into the object that is open.
pub(crate) fn write(
    writer: &mut Writer,
    scribe: &mut Scribe<'_>,
    request: &Request,
) -> Result<(), Unsupported> {
    let (system, messages) = arrange(scribe, request);
    if !system.is_empty() {
        writer.key("system").open_array();
        scribe.write(writer, &system, Place::System)?;
        writer.close_array();
    } else if let Some(raw) = extras::get(&request.extra, "system") {
        writer.key("system").raw(raw);
    }
    if messages.is_empty() {
        if let Some(raw) = extras::get(&request.extra, "messages") {
            writer.key("messages").raw(raw);
        }
        return Ok(());
    }
    writer.key("messages").open_array();
    for message in &messages {
        writer.open().key("role").text(message.role);
        writer.key("content").open_array();
        let place = if message.role == "system" {
            Place::System
        } else {
            Place::Message
        };
        scribe.write(writer, &message.pieces, place)?;
        writer.close_array();
        for extra in &message.extra {
            let extra = std::slice::from_ref(*extra);
            extras::write(writer, extra, "", &["role", "content"]);
        }
        writer.close();
    }
    writer.close_array();
    Ok(())
}

fn arrange<'a>(
    scribe: &mut Scribe<'_>,
    request: &'a Request,
) -> (Vec<Piece<'a>>, Vec<Message<'a>>) {
    let mut system = Vec::new();
    let mut messages: Vec<Message<'a>> = Vec::new();
    for (index, turn) in request.turns.iter().enumerate() {
        let at = format!("messages[{index}]");
        if turn.name.is_some() {
            scribe.dropped.note(format!("{at}.name"));
        }
        extras::note(&mut scribe.dropped, &at, &turn.extra);
        let mut pieces = scribe.pieces(&turn.parts, &at);
        if turn.role.instructs() && !stands_here(turn, scribe, messages.is_empty()) {
            if !messages.is_empty() && !pieces.is_empty() {
                // It is said, but no longer where it was said.
                scribe.dropped.note(format!("{at}.role"));
            }
            system.append(&mut pieces);
            continue;
        }
        if pieces.is_empty() {
            continue;
        }
        let role = match turn.role {
            Role::System | Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        match messages.last_mut().filter(|last| last.role == role) {
            Some(last) => {
                last.pieces.append(&mut pieces);
                for extra in &turn.extra {
                    // No member stands there twice.
                    if !last.extra.iter().any(|known| known.name == extra.name) {
                        last.extra.push(extra);
                    }
                }
            }
            None => messages.push(Message {
                role,
                pieces,
                extra: turn.extra.iter().collect(),
            }),
        }
    }
    for message in &mut messages {
        // Stable: results among themselves keep their order, and so do all others.
        message
            .pieces
            .sort_by_key(|piece| !matches!(piece.part.content, Content::ToolResult { .. }));
    }
    (system, messages)
}

/// Whether instructions stay in the middle of the conversation.
fn stands_here(turn: &Turn, scribe: &Scribe<'_>, leads: bool) -> bool {
    let stood_here = extras::get(&turn.extra, "role").is_some();
    stood_here || scribe.target.system_messages && !leads
}
