//! Why an answer ended, as far as whoever compares versions asks.

use crate::calls::Calls;

/// Why an answer ended. The numbers are those of the usage contract; of several choices, the largest counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Finish {
    /// Nobody saw it, or nobody looked.
    #[default]
    Unseen = 0,
    /// It was whole: its end, a stop sequence, a tool call.
    Whole = 1,
    /// No more tokens were allowed.
    Truncated = 2,
    /// It was refused or filtered.
    Refused = 3,
    /// It calls a tool with what is no JSON object, so that nobody can make the call.
    Miscalled = 4,
}

// === impl Finish ===

impl Finish {
    /// The same of an answer with these calls. One that was cut or refused is not blamed for its last call.
    pub(crate) fn of_calls(self, calls: Option<&Calls>) -> Self {
        match calls {
            Some(calls) if self == Self::Whole && calls.are_broken() => Self::Miscalled,
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        crossing::{Decoder, stream::Aside, watch},
        neutral::{Family, Seed},
        openai::stream::Meter,
    };

    /// A chat's answer that calls a tool with these arguments, in one piece and in a stream.
    fn chat(arguments: &str, reason: &str) -> [Finish; 2] {
        let (head, rest) = arguments.split_at(arguments.len() / 2);
        let quoted = |text: &str| text.replace('"', "\\\"");
        let call = |text: &str| {
            let text = quoted(text);
            format!(
                r#"{{"index":0,"id":"c","type":"function","function":{{"name":"f","arguments":"{text}"}}}}"#
            )
        };
        let whole = format!(
            r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","tool_calls":[{}]}},"finish_reason":"{reason}"}}]}}"#,
            call(arguments)
        );
        let piece = |text: &str| {
            let call = call(text);
            format!(
                "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{call}]}}}}]}}\n\n"
            )
        };
        let last = format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}\n\ndata: [DONE]\n\n"
        );
        let stream = [piece(head), piece(rest), last].concat();
        let mut meter = Meter::new(false);
        for byte in stream.bytes() {
            meter.push(Bytes::copy_from_slice(&[byte]), &mut Vec::new());
        }
        [
            watch::finish_of_answer(Family::Chat, whole.as_bytes()),
            meter.finish_seen(),
        ]
    }

    /// A stream of Anthropic's that does.
    fn messages(arguments: &str) -> Finish {
        let quoted = arguments.replace('"', "\\\"");
        let events = [
            r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"x","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}"#.to_owned(),
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"c","name":"f","input":{}}}"#.to_owned(),
            format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"input_json_delta","partial_json":"{quoted}"}}}}"#),
            r#"{"type":"content_block_stop","index":0}"#.to_owned(),
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}"#.to_owned(),
            r#"{"type":"message_stop"}"#.to_owned(),
        ];
        let seed = Seed {
            request_id: String::new(),
            now_seconds: 0,
        };
        let mut aside = Aside::new(Decoder::new(Family::Messages, &seed, false));
        for event in events {
            aside.push(format!("data: {event}\n\n").as_bytes());
        }
        aside.finish();
        aside.watch().finish()
    }

    #[test]
    fn a_call_that_nobody_can_make_is_told_and_one_that_was_cut_is_not_blamed() {
        let broken = r#"{"city": "Bonn""#;
        let whole = r#"{"city": "Bonn"}"#;
        assert_eq!(chat(whole, "tool_calls"), [Finish::Whole; 2]);
        assert_eq!(chat(broken, "tool_calls"), [Finish::Miscalled; 2]);
        assert_eq!(chat(broken, "stop"), [Finish::Miscalled; 2]);
        assert_eq!(chat(broken, "length"), [Finish::Truncated; 2]);
        assert_eq!(messages(whole), Finish::Whole);
        assert_eq!(messages(broken), Finish::Miscalled);
        let gemini =
            r#"{"candidates":[{"content":{"parts":[]},"finishReason":"MALFORMED_FUNCTION_CALL"}]}"#;
        let gemini = watch::finish_of_answer(Family::Gemini, gemini.as_bytes());
        assert_eq!(gemini, Finish::Miscalled);
    }
}
