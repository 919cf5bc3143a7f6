//! Why an answer ended: `finish_reason`.
//!
//! Knows the words of this dialect and those of its imitators.

use crate::neutral::Stop;

/// What came before the end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Said {
    /// Anything at all.
    pub(crate) spoken: bool,
    /// Calls of tools.
    pub(crate) calls: bool,
    /// Words that decline.
    pub(crate) refusal: bool,
}

/// Reads a word. Also whether it must be kept, because the stop does not say all of it.
pub(crate) fn read(word: &str, said: Said) -> (Stop, bool) {
    match word {
        // Some providers say the same of calls.
        "stop" | "eos" if said.calls => (Stop::ToolCalls, false),
        "stop" if said.refusal => (Stop::Refused(None), false),
        "stop" => (Stop::End, false),
        "eos" => (Stop::End, true),
        "length" => (Stop::Length, false),
        "model_length" => (Stop::ContextFull, true),
        "tool_calls" | "function_call" => (Stop::ToolCalls, false),
        "content_filter" => (Stop::Filtered, false),
        "error" => (Stop::Failed(word.to_owned()), false),
        _ if said.calls => (Stop::ToolCalls, true),
        _ if said.spoken => (Stop::End, true),
        _ => (Stop::Failed(word.to_owned()), true),
    }
}

/// The word for it. `None` is an answer whose end nobody told.
pub(crate) const fn word(stop: Option<&Stop>, said: Said) -> &'static str {
    match stop {
        Some(Stop::Length | Stop::ContextFull) => "length",
        Some(Stop::Filtered) => "content_filter",
        Some(Stop::Refused(_)) if !said.refusal => "content_filter",
        Some(Stop::ToolCalls) => "tool_calls",
        Some(Stop::Failed(_)) => "error",
        None if said.calls => "tool_calls",
        Some(Stop::End | Stop::Sequence(_) | Stop::Paused | Stop::Refused(_)) | None => "stop",
    }
}
