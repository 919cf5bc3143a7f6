//! Where each dialect has its instructions, and how more of them are added there.
//!
//! Knows the place and the shape; knows nothing of what is said. The client's own words keep their bytes: the new ones
//! stand in front of them or behind, an empty line between.

use crate::{
    family::Family,
    object::{self, Misfit, Object},
    scalar,
    transform::{
        path::Step,
        place::{self, Found, Place},
        splice::{Changed, End, add_element, replaced, set},
    },
};

/// What stands between the client's instructions and ours.
const BETWEEN: &str = "\n\n";

/// What instructions look like at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A string.
    Text,
    /// A string, or an array of parts with a type.
    TextOrTyped,
    /// An array of parts that are objects with a text, or one such part.
    Parts,
}

/// Adds instructions at one end of those of the client.
pub(crate) fn add(text: &str, family: Family, end: End, words: &str) -> Changed {
    match family {
        Family::Chat | Family::Cohere => add_to_messages(text, end, words),
        Family::Responses => add_at(text, &[name("instructions")], Shape::Text, end, words),
        Family::Messages => add_at(text, &[name("system")], Shape::TextOrTyped, end, words),
        Family::Converse => add_at(text, &[name("system")], Shape::Parts, end, words),
        Family::Gemini => {
            let holder = name(spelled(text)?);
            add_at(text, &[holder, name("parts")], Shape::Parts, end, words)
        }
    }
}

/// How the client spells Gemini's member, which is read in both spellings.
fn spelled(text: &str) -> Result<&'static str, Misfit> {
    const SPELLINGS: [&str; 2] = ["systemInstruction", "system_instruction"];
    let found = SPELLINGS.map(|spelling| {
        place::find(text, &[name(spelling)]).map(|place| matches!(place, Place::Found(_)))
    });
    match found {
        [Err(misfit), _] | [_, Err(misfit)] => Err(misfit),
        [Ok(true), Ok(true)] => {
            Err(Misfit::new("stands there in two spellings: send it once").within(SPELLINGS[0]))
        }
        [_, Ok(true)] => Ok(SPELLINGS[1]),
        [_, Ok(false)] => Ok(SPELLINGS[0]),
    }
}

/// Adds to the first or the last of the system messages that the messages begin with, or writes one in front of all.
/// Without messages there is no conversation, and nothing to add to.
fn add_to_messages(text: &str, end: End, words: &str) -> Changed {
    let Place::Found(Found { value, .. }) = place::find(text, &[name("messages")])? else {
        return Ok(None);
    };
    let raw = text.get(value.clone()).unwrap_or_default();
    let messages = object::elements(raw).map_err(|misfit| misfit.within("messages"))?;
    let instructions = messages
        .into_iter()
        .take_while(|raw| is_instruction(raw))
        .count();
    let Some(last) = instructions.checked_sub(1) else {
        let message = format!(r#"{{"role":"system","content":{}}}"#, quoted(words));
        return Ok(Some(add_element(text, value, End::Front, &message)));
    };
    let at = if end == End::Front { 0 } else { last };
    let at = Step::At(i64::try_from(at).unwrap_or(i64::MAX));
    let steps = [name("messages"), at, name("content")];
    add_at(text, &steps, Shape::TextOrTyped, end, words)
}

fn is_instruction(message: &str) -> bool {
    let role = Object::parse(message).and_then(|mut members| members.text("role"));
    matches!(role.ok().flatten().as_deref(), Some("system" | "developer"))
}

/// Adds to what stands at a place, whatever of the shapes it has.
fn add_at(text: &str, steps: &[Step], shape: Shape, end: End, words: &str) -> Changed {
    let Place::Found(found) = place::find(text, steps)? else {
        return set(text, steps, &first(shape, words), false);
    };
    let raw = text.get(found.value.clone()).unwrap_or_default();
    Ok(Some(match (raw.as_bytes().first(), shape) {
        (Some(b'n'), _) => replaced(text, found.value, &first(shape, words)),
        (Some(b'"'), Shape::Text | Shape::TextOrTyped) => {
            let piece = joined(raw, end, words);
            replaced(text, found.value, &piece)
        }
        (Some(b'['), Shape::TextOrTyped | Shape::Parts) => {
            add_element(text, found.value, end, &part(shape, words))
        }
        (Some(b'{'), Shape::Parts) => {
            let (part, only) = (part(shape, words), raw);
            let both = match end {
                End::Front => format!("[{part},{only}]"),
                End::Back => format!("[{only},{part}]"),
            };
            replaced(text, found.value, &both)
        }
        _ => {
            let wants = match shape {
                Shape::Text => "must be a string",
                Shape::TextOrTyped => "must be a string or an array",
                Shape::Parts => "must be an array",
            };
            return Err(place::seen_from_outside(Misfit::new(wants), Some(steps)));
        }
    }))
}

/// Our words alone.
fn first(shape: Shape, words: &str) -> String {
    match shape {
        Shape::Text | Shape::TextOrTyped => quoted(words),
        Shape::Parts => format!("[{}]", part(shape, words)),
    }
}

/// Our words as one part among others.
fn part(shape: Shape, words: &str) -> String {
    match shape {
        Shape::Text | Shape::TextOrTyped => {
            format!(r#"{{"type":"text","text":{}}}"#, quoted(words))
        }
        Shape::Parts => format!(r#"{{"text":{}}}"#, quoted(words)),
    }
}

/// Our words and those of a string, whose bytes stay as they are.
fn joined(raw: &str, end: End, words: &str) -> String {
    let theirs = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    if theirs.is_empty() {
        return quoted(words);
    }
    let ours = match end {
        End::Front => quoted(&format!("{words}{BETWEEN}")),
        End::Back => quoted(&format!("{BETWEEN}{words}")),
    };
    let ours = ours
        .get(1..ours.len().saturating_sub(1))
        .unwrap_or_default();
    match end {
        End::Front => format!("\"{ours}{theirs}\""),
        End::Back => format!("\"{theirs}{ours}\""),
    }
}

fn quoted(words: &str) -> String {
    let mut out = Vec::with_capacity(words.len() + 2);
    scalar::quote(&mut out, words);
    String::from_utf8(out).unwrap_or_default()
}

fn name(name: &str) -> Step {
    Step::Name(name.to_owned())
}
