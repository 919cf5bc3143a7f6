//! Why an answer ended: `stop_reason`, and what stands beside it.
//!
//! Knows the words. Must never report an end that it does not know as a finished answer when nothing was said.

use std::borrow::Cow;

use payload::object::{self, Object};

use crate::neutral::Stop;

/// What a word stands for, and whether we know it. `spoken` is whether anything was said: an unknown end of nothing
/// is a failure.
pub(crate) fn read(
    word: &str,
    sequence: Option<Cow<'_, str>>,
    details: Option<&str>,
    spoken: bool,
) -> (Stop, bool) {
    let stop = match word {
        "end_turn" => Stop::End,
        "max_tokens" => Stop::Length,
        "stop_sequence" => Stop::Sequence(sequence.map(Into::into)),
        "tool_use" => Stop::ToolCalls,
        "refusal" => Stop::Refused(details.and_then(explanation)),
        "pause_turn" => Stop::Paused,
        "model_context_window_exceeded" => Stop::ContextFull,
        _ if spoken => return (Stop::End, false),
        _ => return (Stop::Failed(word.to_owned()), false),
    };
    (stop, true)
}

/// The word for it. `tools` is whether a tool was called: then the answer ends for that, whatever a provider says
/// who calls it a plain end. `None` for a failure, which is no end.
pub(crate) fn word(stop: &Stop, tools: bool) -> Option<&'static str> {
    Some(match stop {
        Stop::End | Stop::ToolCalls if tools => "tool_use",
        Stop::End | Stop::ToolCalls => "end_turn",
        Stop::Length => "max_tokens",
        Stop::Sequence(_) => "stop_sequence",
        Stop::Filtered | Stop::Refused(_) => "refusal",
        Stop::Paused => "pause_turn",
        Stop::ContextFull => "model_context_window_exceeded",
        Stop::Failed(_) => return None,
    })
}

fn explanation(details: &str) -> Option<String> {
    let raw = Object::parse(details).ok()?.raw("explanation").ok()??;
    object::text(raw).ok().map(Into::into)
}
