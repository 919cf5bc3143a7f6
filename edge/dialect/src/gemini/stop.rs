//! Why an answer ended: `finishReason`.
//!
//! Owns the words. Google says `STOP` for calls of tools as well, so that what was said decides.

use payload::{object, scalar};

use crate::neutral::{MISCALLED, Stop};

/// Words by the numbers that Vertex writes for them where a client asks for numbers.
const NUMBERED: [&str; 11] = [
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "MODEL_ARMOR",
];

/// What a failed call of a tool is called.
pub(crate) const MALFORMED_CALL: &str = MISCALLED;

/// What was said before the end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// A tool was called.
    pub(crate) calls: bool,
    /// Anything was said at all.
    pub(crate) content: bool,
}

/// What a finish reason means behind what was seen.
pub(crate) fn read(raw: &str, seen: Seen) -> Stop {
    let word = word(raw);
    match word.as_str() {
        "STOP" if seen.calls => Stop::ToolCalls,
        "STOP" => Stop::End,
        "MAX_TOKENS" => Stop::Length,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "MODEL_ARMOR" => {
            Stop::Filtered
        }
        "CONTINUATION" => Stop::Paused,
        MALFORMED_CALL
        | "UNEXPECTED_TOOL_CALL"
        | "MALFORMED_RESPONSE"
        | "LANGUAGE"
        | "OTHER"
        | "MISSING_THOUGHT_SIGNATURE"
        | "TOO_MANY_TOOL_CALLS"
        | "NO_IMAGE" => Stop::Failed(word),
        word if word.starts_with("IMAGE_") => Stop::Filtered,
        _ if seen.calls => Stop::ToolCalls,
        _ if seen.content => Stop::End,
        _ => Stop::Failed(word),
    }
}

/// The finish reason for a stop.
pub(crate) fn write(stop: &Stop) -> &str {
    match stop {
        Stop::End | Stop::Sequence(_) | Stop::ToolCalls => "STOP",
        Stop::Length | Stop::ContextFull => "MAX_TOKENS",
        Stop::Filtered | Stop::Refused(_) => "SAFETY",
        Stop::Paused => "CONTINUATION",
        Stop::Failed(word) if is_word(word) => word,
        Stop::Failed(_) => "OTHER",
    }
}

/// Whether nothing but the neutral stop is needed to write this finish reason again.
pub(crate) fn is_plain(raw: &str, stop: &Stop) -> bool {
    object::text(raw).is_ok_and(|word| word == write(stop))
}

/// Whether a finish reason says that nothing is finished.
pub(crate) fn is_unsaid(raw: &str) -> bool {
    word(raw) == NUMBERED[0]
}

fn word(raw: &str) -> String {
    if let Ok(word) = object::text(raw) {
        return word.into_owned();
    }
    let number = scalar::whole_number(raw).and_then(|number| usize::try_from(number).ok());
    let word = number.and_then(|number| NUMBERED.get(number));
    word.map_or_else(|| "OTHER".to_owned(), ToString::to_string)
}

fn is_word(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}
