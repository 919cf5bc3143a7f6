//! Why an answer ended: `finish_reason`.
//!
//! Knows the words of all providers of this family. What a word means may hang on what was said: a call that a
//! provider reports as a plain stop is a call.

use crate::neutral::Stop;

/// What was said in an answer, as far as it tells why it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Anything.
    pub(crate) anything: bool,
    /// A tool was called.
    pub(crate) calls: bool,
    /// The model declined.
    pub(crate) refusal: bool,
}

/// What a word stands for.
pub(crate) fn read(word: &str, seen: Seen) -> Stop {
    match word {
        "length" | "max_tokens" | "MAX_TOKENS" => Stop::Length,
        "model_length" => Stop::ContextFull,
        _ if seen.refusal => Stop::Refused(None),
        "content_filter" | "SAFETY" => Stop::Filtered,
        "error" | "insufficient_system_resource" | "abort" => Stop::Failed(word.to_owned()),
        "stop" | "eos" | "end_turn" | "stop_sequence" | "STOP" if seen.calls => Stop::ToolCalls,
        "stop" | "eos" | "end_turn" | "STOP" => Stop::End,
        "stop_sequence" => Stop::Sequence(None),
        "tool_calls" | "function_call" | "tool_use" => Stop::ToolCalls,
        "pause_turn" => Stop::Paused,
        _ if seen.calls => Stop::ToolCalls,
        _ if seen.anything => Stop::End,
        _ => Stop::Failed(word.to_owned()),
    }
}

/// The word for it.
pub(crate) const fn word(stop: &Stop, seen: Seen, functions: bool) -> &'static str {
    match stop {
        Stop::Length | Stop::ContextFull => "length",
        Stop::Filtered => "content_filter",
        Stop::Refused(_) if !seen.refusal => "content_filter",
        Stop::Failed(_) => "error",
        Stop::ToolCalls => called(functions),
        Stop::End | Stop::Sequence(_) | Stop::Paused if seen.calls => called(functions),
        Stop::End | Stop::Sequence(_) | Stop::Paused | Stop::Refused(_) => "stop",
    }
}

const fn called(functions: bool) -> &'static str {
    if functions {
        "function_call"
    } else {
        "tool_calls"
    }
}
