//! Writes a message of a model.
//!
//! Owns how its thoughts go back. Must never give a provider a member that it refuses: what it does not take is left
//! out, and told.

use crate::{
    chat::{call, draft::Draft, own, part, target::Thoughts, thoughts, tool_id},
    neutral::{Content, Part, Turn, Unsupported},
    place::Place,
};

/// A message: the turns that it says together, which follow one another, and the number of the first.
pub(crate) fn write(
    turns: &[Turn],
    first: usize,
    draft: &mut Draft<'_>,
) -> Result<(), Unsupported> {
    let parts: Vec<(Place, &Part)> = turns
        .iter()
        .enumerate()
        .flat_map(|(at, turn)| {
            let place = Place::of(first + at);
            let placed = move |(at, part)| (place.part(at), part);
            turn.parts.iter().enumerate().map(placed)
        })
        .collect();
    draft.writer.open().key("role").text("assistant");
    if let Some(name) = turns.iter().find_map(|turn| turn.name.as_ref()) {
        draft.writer.key("name").text(name);
    }
    write_thoughts(&parts, draft);
    write_said(&parts, draft)?;
    write_calls(&parts, draft)?;
    for (at, turn) in turns.iter().enumerate() {
        draft.note_others(&turn.extra, Place::of(first + at));
        for (name, raw) in own::under(&turn.extra, "") {
            let before = turns.get(..at).unwrap_or_default();
            if !before
                .iter()
                .any(|turn| own::find(&turn.extra, name).is_some())
            {
                draft.writer.key(name).raw(raw);
            }
        }
    }
    draft.writer.close();
    Ok(())
}

fn write_thoughts(parts: &[(Place, &Part)], draft: &mut Draft<'_>) {
    let thoughts = || {
        parts
            .iter()
            .map(|(_, part)| *part)
            .filter(|part| thoughts::is_thought(part))
    };
    let Some((place, _)) = parts.iter().find(|(_, part)| thoughts::is_thought(part)) else {
        return;
    };
    let place = place.turn();
    let words = thoughts::words(thoughts());
    for part in thoughts() {
        draft.note_others(&part.extra, place);
    }
    match draft.target.thoughts {
        Thoughts::Content | Thoughts::Plain => {
            let plain = draft.target.thoughts == Thoughts::Plain;
            if !words.is_empty() {
                let name = if plain {
                    "reasoning"
                } else {
                    "reasoning_content"
                };
                draft.writer.key(name).text(&words);
            }
            if thoughts::need_details(thoughts()) {
                draft.note(place, thoughts::DETAILS);
            }
        }
        Thoughts::Details => {
            draft.writer.key(thoughts::DETAILS).open_array();
            thoughts::write_details(thoughts(), &mut draft.writer);
            draft.writer.close_array();
        }
        Thoughts::Chunks => {
            if thoughts().any(|part| !is_words(part)) {
                draft.note(place, thoughts::DETAILS);
            }
        }
        Thoughts::Dropped | Thoughts::Google => {
            let google = draft.target.thoughts == Thoughts::Google;
            if !words.is_empty() {
                draft.note(place, "reasoning_content");
            }
            if !google && thoughts::need_details(thoughts()) {
                draft.note(place, thoughts::DETAILS);
            }
        }
    }
}

/// Whether a thought is nothing but words.
fn is_words(part: &Part) -> bool {
    matches!(&part.content, Content::Reasoning { text, .. } if !text.is_empty())
}

fn write_said(parts: &[(Place, &Part)], draft: &mut Draft<'_>) -> Result<(), Unsupported> {
    let chunks = draft.target.thoughts == Thoughts::Chunks;
    let refusals = parts
        .iter()
        .filter(|(_, part)| matches!(part.content, Content::Refusal(_)));
    let one = refusals.clone().count() == 1;
    let refusal = refusals.clone().next().filter(|_| one);
    let said: Vec<(Place, &Part)> = parts
        .iter()
        .filter(|(_, part)| match part.content {
            Content::ToolCall { .. } => false,
            Content::Reasoning { .. } | Content::RedactedReasoning(_) => chunks && is_words(part),
            Content::Refusal(_) => !one,
            Content::Other => !is_other_call(part),
            _ => true,
        })
        .copied()
        .collect();
    let calls = parts.iter().any(|(_, part)| is_call(part));
    if said.is_empty() && (calls || refusal.is_some()) {
        draft.writer.key("content").null();
    } else {
        part::write_all(&said, draft)?;
    }
    if let Some((
        place,
        Part {
            content: Content::Refusal(text),
            extra,
            ..
        },
    )) = refusal
    {
        draft.note_others(extra, place);
        draft.writer.key("refusal").text(text);
    }
    Ok(())
}

fn is_other_call(part: &Part) -> bool {
    own::find(&part.extra, call::OTHER).is_some() && part.raw().is_some()
}

/// Whether a part is a call, of any kind.
pub(crate) fn is_call(part: &Part) -> bool {
    matches!(part.content, Content::ToolCall { .. }) || is_other_call(part)
}

fn write_calls(parts: &[(Place, &Part)], draft: &mut Draft<'_>) -> Result<(), Unsupported> {
    if !parts.iter().any(|(_, part)| is_call(part)) {
        return Ok(());
    }
    let google = draft.target.thoughts == Thoughts::Google;
    let mut signature = None;
    draft.writer.key("tool_calls").open_array();
    for (place, part) in parts {
        match &part.content {
            Content::Reasoning {
                signature: Some(proof),
                ..
            } if google => signature = Some(proof),
            Content::ToolCall {
                id,
                name,
                arguments,
            } => {
                draft.note_others(&part.extra, place);
                let id = tool_id::fit(id, draft.target.tool_ids);
                draft.writer.open().key("id").text(&id);
                draft.writer.key("type").text("function");
                draft.writer.key("function").open().key("name").text(name);
                draft.writer.key("arguments").text(arguments);
                draft.write_under(&part.extra, "function.");
                draft.writer.close();
                draft.write_own(&part.extra, &["function."]);
                if let Some(proof) = signature.take() {
                    draft
                        .writer
                        .key("extra_content")
                        .open()
                        .key("google")
                        .open();
                    draft
                        .writer
                        .key("thought_signature")
                        .text(proof)
                        .close()
                        .close();
                }
                draft.writer.close();
                if part.cache.is_some() {
                    draft.note(place, "cache_control");
                }
            }
            Content::Other if is_call(part) => part::write(part, *place, draft)?,
            _ => {}
        }
    }
    draft.writer.close_array();
    Ok(())
}
