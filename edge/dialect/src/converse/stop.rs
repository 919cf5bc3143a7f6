//! Why an answer ended, in this dialect's words.

use crate::neutral::Stop;

/// What a word means; `None` for one that is new.
pub(crate) fn of(word: &str) -> Option<Stop> {
    Some(match word {
        "end_turn" => Stop::End,
        "tool_use" => Stop::ToolCalls,
        "max_tokens" => Stop::Length,
        "stop_sequence" => Stop::Sequence(None),
        "guardrail_intervened" | "content_filtered" => Stop::Filtered,
        "refusal" => Stop::Refused(None),
        "pause_turn" => Stop::Paused,
        "model_context_window_exceeded" => Stop::ContextFull,
        "malformed_model_output" | "malformed_tool_use" => Stop::Failed(word.to_owned()),
        _ => return None,
    })
}

/// What an answer with this word means. A word that is new is an end if there is something to read, and a failure if
/// not; and who called tools waits for them, whatever the word is for the end of a turn.
pub(crate) fn read(word: &str, any_content: bool, any_call: bool) -> Stop {
    match of(word) {
        Some(Stop::End) | None if any_call => Stop::ToolCalls,
        Some(stop) => stop,
        None if any_content => Stop::End,
        None if word.is_empty() => Stop::Failed("the provider did not say why".to_owned()),
        None => Stop::Failed(word.to_owned()),
    }
}

/// The word for it. A model that declines is told as a filter that took the answer, as older clients know it.
pub(crate) fn word(stop: &Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Paused => "end_turn",
        Stop::ToolCalls => "tool_use",
        Stop::Length => "max_tokens",
        Stop::Sequence(_) => "stop_sequence",
        Stop::Filtered | Stop::Refused(_) => "content_filtered",
        Stop::ContextFull => "model_context_window_exceeded",
        Stop::Failed(why) if why == "malformed_tool_use" => "malformed_tool_use",
        Stop::Failed(_) => "malformed_model_output",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_never_reported_as_an_end_and_length_and_filter_beat_them() {
        assert_eq!(read("end_turn", true, true), Stop::ToolCalls);
        assert_eq!(read("max_tokens", true, true), Stop::Length);
        assert_eq!(read("guardrail_intervened", true, true), Stop::Filtered);
        assert_eq!(read("brand_new", true, false), Stop::End);
        assert_eq!(
            read("brand_new", false, false),
            Stop::Failed("brand_new".to_owned())
        );
    }
}
