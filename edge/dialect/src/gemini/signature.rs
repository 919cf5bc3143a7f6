//! Where signatures of thoughts stand: on any part at Google, on a thought of its own elsewhere.
//!
//! Owns both moves. A signed part is read as a signed thought and the part, which keeps the signature as an extra for
//! the way back to Google. Must never give a signature to two parts, or lose one.

use std::{borrow::Cow, collections::VecDeque};

use payload::object;

use crate::{
    gemini::{
        own,
        part::{self, SIGNATURE, Said},
    },
    neutral::{Content, Part},
};

/// The extra of a signed thought whose signature stood on an empty text of its own.
const ON_EMPTY_TEXT: &str = "text";

/// One part to be written, with its signature; or a signature alone.
#[derive(Debug)]
pub(crate) struct Placed<'a> {
    /// Which of the parts.
    pub(crate) part: Option<(usize, &'a Part)>,
    /// Its signature.
    pub(crate) signature: Option<Cow<'a, str>>,
}

/// Adds a part that was read to those of the same turn.
pub(crate) fn push(parts: &mut Vec<Part>, said: Said) {
    let Said {
        mut part,
        signature,
    } = said;
    match (&mut part.content, signature) {
        (Content::Reasoning { text, .. }, None) if text.is_empty() && part.extra.is_empty() => {}
        (Content::Reasoning { text, .. }, signature) => {
            if let Some(before) = unsigned(parts.last_mut()).filter(|_| part.extra.is_empty()) {
                before.0.push_str(text);
                *before.1 = signature;
            } else {
                let text = std::mem::take(text);
                part.content = Content::Reasoning { text, signature };
                parts.push(part);
            }
            mark(parts, SIGNATURE);
        }
        (Content::Text(text), None) if text.is_empty() && part.extra.is_empty() => {}
        (_, None) => parts.push(part),
        (content, Some(signature)) => {
            let bare = matches!(content, Content::Text(text) if text.is_empty());
            let raw = part::raw_text(&signature);
            carry(parts, signature);
            if bare && part.extra.is_empty() {
                mark(parts, ON_EMPTY_TEXT);
            } else {
                part.extra.push(own::extra(SIGNATURE, &raw));
                parts.push(part);
            }
        }
    }
}

/// Adds a part of a user's turn, where no thoughts stand.
pub(crate) fn push_unthought(parts: &mut Vec<Part>, said: Said) {
    let Said {
        mut part,
        signature,
    } = said;
    if let Some(signature) = signature {
        let raw = part::raw_text(&signature);
        part.extra.push(own::extra(SIGNATURE, &raw));
    }
    let empty = matches!(&part.content, Content::Text(text) if text.is_empty());
    if !empty || !part.extra.is_empty() {
        parts.push(part);
    }
}

/// Signs the thought before, or adds one that is nothing but its signature.
fn carry(parts: &mut Vec<Part>, signature: String) {
    if let Some(before) = unsigned(parts.last_mut()) {
        *before.1 = Some(signature);
        return;
    }
    parts.push(Part::new(Content::Reasoning {
        text: String::new(),
        signature: Some(signature),
    }));
}

fn unsigned(part: Option<&mut Part>) -> Option<(&mut String, &mut Option<String>)> {
    match &mut part?.content {
        Content::Reasoning { text, signature } if signature.is_none() => Some((text, signature)),
        _ => None,
    }
}

/// Marks the last thought, if it is signed, with where its signature stood.
fn mark(parts: &mut [Part], place: &str) {
    let Some(part) = parts.last_mut() else {
        return;
    };
    if let Content::Reasoning {
        signature: Some(signature),
        ..
    } = &part.content
    {
        let raw = if place == SIGNATURE {
            part::raw_text(signature)
        } else {
            "\"\"".to_owned()
        };
        part.extra.push(own::extra(place, &raw));
    }
}

/// The parts of a turn as Google is given them. Signatures without a place go to the next part that has none;
/// with `calls_first`, to the next call if there is one, because other dialects put calls last.
pub(crate) fn place(parts: &[Part], calls_first: bool) -> Vec<Placed<'_>> {
    let mut placed = Vec::with_capacity(parts.len());
    let mut waiting = VecDeque::new();
    let last_call = parts.iter().rposition(is_unsigned_call);
    for (at, part) in parts.iter().enumerate() {
        let here = Some((at, part));
        let mark = own::own(&part.extra, SIGNATURE).and_then(|raw| object::text(raw).ok());
        if let Content::Reasoning { text, signature } = &part.content {
            let signature = signature.as_deref().map(Cow::Borrowed);
            let stays = mark.is_some() && signature.is_some();
            if stays || !text.is_empty() {
                let signature = signature.clone().filter(|_| stays);
                placed.push(Placed {
                    part: here,
                    signature,
                });
            }
            let bare = own::own(&part.extra, ON_EMPTY_TEXT).is_some();
            match signature.filter(|_| !stays) {
                Some(signature) if bare => placed.push(alone(signature)),
                Some(signature) => waiting.push_back(signature),
                None => {}
            }
            continue;
        }
        let signature = if mark.is_some() {
            if waiting.front() == mark.as_ref() {
                waiting.pop_front();
            }
            mark
        } else if !can_be_signed(part)
            || calls_first && last_call > Some(at) && !is_unsigned_call(part)
        {
            None
        } else {
            waiting.pop_front()
        };
        let empty = matches!(&part.content, Content::Text(text) if text.is_empty());
        if empty && signature.is_none() && part.extra.is_empty() {
            continue;
        }
        placed.push(Placed {
            part: here,
            signature,
        });
    }
    placed.extend(waiting.into_iter().map(alone));
    placed
}

/// Parts that only one family understands hold all that is theirs, and thoughts of others are not for Google.
fn can_be_signed(part: &Part) -> bool {
    !matches!(
        part.content,
        Content::Other | Content::RedactedReasoning(_) | Content::ToolResult { .. }
    )
}

fn alone(signature: Cow<'_, str>) -> Placed<'_> {
    Placed {
        part: None,
        signature: Some(signature),
    }
}

fn is_unsigned_call(part: &Part) -> bool {
    matches!(part.content, Content::ToolCall { .. }) && own::own(&part.extra, SIGNATURE).is_none()
}
