//! Why an answer ended, in Cohere's words.
//!
//! Owns the words and what becomes of those that Cohere lacks. A word that would not come back the same is kept beside
//! its meaning, and written again while it still means that.

use payload::{object, writer::Writer};

use crate::{
    cohere::own,
    neutral::{Extra, Stop},
};

/// The member's name.
pub(crate) const NAME: &str = "finish_reason";

/// What the answer holds, which decides what a word means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Tools are called.
    pub(crate) calls: bool,
    /// Something was said.
    pub(crate) words: bool,
}

/// What a word means. A word that is not known is an end if anything was said, and a failure otherwise.
pub(crate) fn decode(word: &str, held: Held) -> Stop {
    match word {
        "STOP_SEQUENCE" => Stop::Sequence(None),
        "MAX_TOKENS" => Stop::Length,
        "TOOL_CALL" => Stop::ToolCalls,
        "ERROR" | "TIMEOUT" => Stop::Failed(word.to_owned()),
        _ if held.calls => Stop::ToolCalls,
        "COMPLETE" => Stop::End,
        _ if held.words => Stop::End,
        _ => Stop::Failed(word.to_owned()),
    }
}

/// The word as it came, if its meaning alone would not bring it back.
pub(crate) fn kept(word: &str, stop: &Stop) -> Option<Extra> {
    if self::word(stop) == word {
        return None;
    }
    let mut quoted = Writer::default();
    quoted.text(word);
    let raw = String::from_utf8(quoted.into_bytes()).ok()?;
    Some(own::extra(NAME, &raw))
}

/// Writes the member: `came`, the raw word that was kept, while it means the same.
pub(crate) fn encode(writer: &mut Writer, stop: &Stop, came: Option<&str>, held: Held) {
    let same = |raw: &&str| object::text(raw).is_ok_and(|word| decode(&word, held) == *stop);
    writer.key(NAME);
    match came.filter(same) {
        Some(raw) => writer.raw(raw),
        None => writer.text(word(stop)),
    };
}

/// The word for it. What a filter took is an error, because no other word says that something is missing.
fn word(stop: &Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Paused | Stop::Refused(_) => "COMPLETE",
        Stop::Sequence(_) => "STOP_SEQUENCE",
        Stop::Length | Stop::ContextFull => "MAX_TOKENS",
        Stop::ToolCalls => "TOOL_CALL",
        Stop::Failed(word) if word == "TIMEOUT" => "TIMEOUT",
        Stop::Filtered | Stop::Failed(_) => "ERROR",
    }
}
