//! Writes messages.
//!
//! Owns the order in which they must stand: all results of a turn's calls at once, then what was shown beside them.

use crate::{
    chat::{cache, draft::Draft, part, tool_id, turns::assistant},
    neutral::{Content, Part, Role, Turn, Unsupported},
    place::Place,
};

/// What a model reads in the place of what only a user can show.
const SHOWN_BELOW: &str = "(shown in the next message)";
/// What stands before the result of a tool that failed: there is no other place for it.
const FAILED: &str = "Error: ";

/// What results of tools show that a tool cannot show here.
type Shown<'t> = Vec<(Place, &'t Part)>;

/// Writes all messages as the elements of the array that is open.
pub(crate) fn write(turns: &[Turn], draft: &mut Draft<'_>) -> Result<(), Unsupported> {
    let mut shown = Shown::new();
    let mut at = 0;
    while let Some(turn) = turns.get(at) {
        if !begins_with_results(turn) {
            write_shown(&mut shown, draft)?;
        }
        let run = run(turns.get(at..).unwrap_or_default());
        match turn.role {
            Role::Assistant => assistant::write(run, at, draft)?,
            Role::User => write_user(turn, Place::of(at), &mut shown, draft)?,
            Role::Developer if draft.target.developer => {
                write_words("developer", turn, Place::of(at), draft)?;
            }
            Role::System | Role::Developer => write_words("system", turn, Place::of(at), draft)?,
        }
        at += run.len();
    }
    write_shown(&mut shown, draft)
}

/// The turns that are one message: those of a model that goes on after it has called a tool.
fn run(turns: &[Turn]) -> &[Turn] {
    let calls = |turn: &Turn| {
        turn.role == Role::Assistant && turn.parts.last().is_some_and(assistant::is_call)
    };
    let joined = turns.windows(2).take_while(|pair| match pair {
        [turn, next] => calls(turn) && next.role == Role::Assistant,
        _ => false,
    });
    let len = joined.count() + 1;
    turns.get(..len).unwrap_or(turns)
}

const fn is_result(part: &Part) -> bool {
    matches!(part.content, Content::ToolResult { .. })
}

fn begins_with_results(turn: &Turn) -> bool {
    turn.role == Role::User && turn.parts.iter().any(is_result)
}

fn write_words(
    role: &str,
    turn: &Turn,
    place: Place,
    draft: &mut Draft<'_>,
) -> Result<(), Unsupported> {
    let placed = |(at, part)| (place.part(at), part);
    let parts: Vec<_> = turn.parts.iter().enumerate().map(placed).collect();
    write_message(role, turn, (place, &parts), draft)
}

fn write_message(
    role: &str,
    turn: &Turn,
    (place, parts): (Place, &[(Place, &Part)]),
    draft: &mut Draft<'_>,
) -> Result<(), Unsupported> {
    draft.note_others(&turn.extra, place);
    draft.writer.open().key("role").text(role);
    if let Some(name) = &turn.name {
        draft.writer.key("name").text(name);
    }
    part::write_all(parts, draft)?;
    draft.write_own(&turn.extra, &[]);
    draft.writer.close();
    Ok(())
}

/// Writes the results in a user's turn, each as a message, and then what the user says.
fn write_user<'t>(
    turn: &'t Turn,
    place: Place,
    shown: &mut Shown<'t>,
    draft: &mut Draft<'_>,
) -> Result<(), Unsupported> {
    let placed = turn
        .parts
        .iter()
        .enumerate()
        .map(|(at, part)| (place.part(at), part));
    let (results, said): (Vec<_>, Vec<_>) = placed.partition(|(_, part)| is_result(part));
    for (place, part) in &results {
        write_result(part, *place, shown, draft)?;
    }
    if said.is_empty() && !results.is_empty() {
        draft.note_others(&turn.extra, place);
        return Ok(());
    }
    write_shown(shown, draft)?;
    write_message("user", turn, (place, &said), draft)
}

fn write_result<'t>(
    result: &'t Part,
    place: Place,
    shown: &mut Shown<'t>,
    draft: &mut Draft<'_>,
) -> Result<(), Unsupported> {
    let Content::ToolResult {
        id,
        name,
        parts,
        failed,
    } = &result.content
    else {
        return Ok(());
    };
    draft.note_others(&result.extra, place);
    draft.writer.open().key("role").text("tool");
    draft
        .writer
        .key("tool_call_id")
        .text(&tool_id::fit(id, draft.target.tool_ids));
    if let Some(name) = name {
        draft.writer.key("name").text(name);
    }
    write_result_content(parts, *failed, (place, shown), draft)?;
    draft.write_own(&result.extra, &[]);
    cache::write(result.cache.as_ref(), place, draft);
    draft.writer.close();
    Ok(())
}

fn write_result_content<'t>(
    parts: &'t [Part],
    failed: bool,
    (place, shown): (Place, &mut Shown<'t>),
    draft: &mut Draft<'_>,
) -> Result<(), Unsupported> {
    let below = Part::text(SHOWN_BELOW);
    let prefixed = Part::text(FAILED);
    let mut said: Vec<(Place, &Part)> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let place = place.inner(at);
        match part.content {
            Content::Image(_) | Content::Audio(_) | Content::Document(_) => {
                shown.push((place, part));
                said.push((place, &below));
            }
            _ => said.push((place, part)),
        }
    }
    if failed {
        said.insert(0, (place, &prefixed));
    }
    let plain = said.iter().all(|(_, part)| part::is_plain(part));
    if !(plain && (failed || said.len() != parts.len())) {
        return part::write_all(&said, draft);
    }
    let words = said.iter().filter_map(|(_, part)| match &part.content {
        Content::Text(text) => Some(text.as_str()),
        _ => None,
    });
    let joined: String = words.collect();
    draft.writer.key("content").text(&joined);
    Ok(())
}

/// Writes what results show as a message of the user, because a tool can only say words.
fn write_shown(shown: &mut Shown<'_>, draft: &mut Draft<'_>) -> Result<(), Unsupported> {
    if shown.is_empty() {
        return Ok(());
    }
    draft.writer.open().key("role").text("user");
    part::write_all(shown, draft)?;
    draft.writer.close();
    shown.clear();
    Ok(())
}
