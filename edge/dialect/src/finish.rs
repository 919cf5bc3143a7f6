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
        chat::target::Target as Chat,
        crossing::{Asked, Back, Decoder, Target, cross, stream::Aside, watch},
        neutral::{Family, Seed},
        openai::stream::Meter,
    };

    const BROKEN: &str = r#"{"city": "Bonn""#;
    const WHOLE: &str = r#"{"city": "Bonn"}"#;

    fn seed() -> Seed {
        Seed {
            request_id: String::new(),
            now_seconds: 0,
        }
    }

    fn call(arguments: &str) -> String {
        let quoted = arguments.replace('"', "\\\"");
        format!(
            r#"{{"index":0,"id":"c","type":"function","function":{{"name":"f","arguments":"{quoted}"}}}}"#
        )
    }

    /// A chat's answer that calls a tool with these arguments, in one piece.
    fn chat(arguments: &str, reason: &str) -> String {
        format!(
            r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","tool_calls":[{}]}},"finish_reason":"{reason}"}}]}}"#,
            call(arguments)
        )
    }

    /// The same in a stream.
    fn chat_stream(arguments: &str, reason: &str) -> String {
        let (head, rest) = arguments.split_at(arguments.len() / 2);
        let piece = |text: &str| {
            let call = call(text);
            format!(
                "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{call}]}}}}]}}\n\n"
            )
        };
        let last = format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}\n\ndata: [DONE]\n\n"
        );
        [piece(head), piece(rest), last].concat()
    }

    /// A stream of Anthropic's that calls a tool with these arguments.
    fn messages_stream(arguments: &str) -> String {
        let quoted = arguments.replace('"', "\\\"");
        let events = [
            r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"x","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}"#.to_owned(),
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"c","name":"f","input":{}}}"#.to_owned(),
            format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"input_json_delta","partial_json":"{quoted}"}}}}"#),
            r#"{"type":"content_block_stop","index":0}"#.to_owned(),
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}"#.to_owned(),
            r#"{"type":"message_stop"}"#.to_owned(),
        ];
        events.map(|it| format!("data: {it}\n\n")).concat()
    }

    /// What is seen of a chat's stream that passes, where somebody asks or nobody does.
    fn metered(stream: &str, asks: bool) -> Finish {
        let mut meter = Meter::new(false);
        if asks {
            meter.check_calls();
        }
        for byte in stream.bytes() {
            meter.push(Bytes::copy_from_slice(&[byte]), &mut Vec::new());
        }
        meter.finish_seen()
    }

    /// The same of another family's.
    fn watched(family: Family, stream: &str, asks: bool) -> Finish {
        let mut aside = Aside::new(Decoder::new(family, &seed(), false));
        if asks {
            aside.check_calls();
        }
        aside.push(stream.as_bytes());
        aside.finish();
        aside.watch().finish()
    }

    /// The same of a chat's that is translated.
    fn translated(stream: &str, asks: bool) -> Finish {
        let mut translation = back().stream();
        if asks {
            translation.check_calls();
        }
        translation.push(stream.as_bytes(), &mut Vec::new());
        translation.finish(&mut Vec::new());
        translation.watch().finish()
    }

    /// Brings a chat's answer to a client of Anthropic's.
    fn back() -> Back {
        let asked = Asked {
            family: Family::Messages,
            model: "m",
            stream: false,
            events: true,
            input_tokens_estimate: 5,
            ceiling: None,
        };
        let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
        let target = Target::Chat(Chat::new("m"));
        cross(&asked, body, &target, seed()).unwrap().back
    }

    #[test]
    fn a_call_that_nobody_can_make_is_told_and_one_that_was_cut_is_not_blamed() {
        for (arguments, reason, expected) in [
            (WHOLE, "tool_calls", Finish::Whole),
            (BROKEN, "tool_calls", Finish::Miscalled),
            (BROKEN, "stop", Finish::Miscalled),
            (BROKEN, "length", Finish::Truncated),
        ] {
            let (whole, stream) = (chat(arguments, reason), chat_stream(arguments, reason));
            let seen = [
                watch::finish_of_answer(Family::Chat, whole.as_bytes()),
                metered(&stream, true),
                translated(&stream, true),
            ];
            assert_eq!(seen, [expected; 3], "{arguments} {reason}");
        }
        let messages = |arguments| watched(Family::Messages, &messages_stream(arguments), true);
        assert_eq!(messages(WHOLE), Finish::Whole);
        assert_eq!(messages(BROKEN), Finish::Miscalled);
        let gemini =
            r#"{"candidates":[{"content":{"parts":[]},"finishReason":"MALFORMED_FUNCTION_CALL"}]}"#;
        let gemini = watch::finish_of_answer(Family::Gemini, gemini.as_bytes());
        assert_eq!(gemini, Finish::Miscalled);
    }

    #[test]
    fn nobody_reads_calls_where_nobody_asks() {
        let stream = chat_stream(BROKEN, "tool_calls");
        assert_eq!(metered(&stream, false), Finish::Whole);
        assert_eq!(translated(&stream, false), Finish::Whole);
        let messages = messages_stream(BROKEN);
        assert_eq!(watched(Family::Messages, &messages, false), Finish::Whole);
        // One that is translated in one piece is an error if its call is broken.
        let whole = chat(WHOLE, "tool_calls");
        let told = |asks| back().whole(whole.as_bytes(), asks).unwrap().finish;
        assert_eq!([told(false), told(true)], [Finish::Unseen, Finish::Whole]);
    }
}
