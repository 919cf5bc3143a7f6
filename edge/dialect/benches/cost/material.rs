//! One stream of words in every dialect, as its provider writes it: a beginning, and then one event for each word.

use dialect::{
    aws::event_stream::{self, Value},
    chat::{client::Client, encoder as chat},
    cohere::encoder as cohere,
    converse::encoder as converse,
    crossing::{self, Asked, Back, Target},
    gemini::encoder as gemini,
    messages::encoder as messages,
    neutral::{Delta, Event, Family, Kind, Seed},
    responses::{echo::Echo, encoder as responses},
};

/// Those that have clients.
pub(crate) const CLIENTS: [Family; 4] = [
    Family::Chat,
    Family::Responses,
    Family::Messages,
    Family::Gemini,
];

pub(crate) fn seed() -> Seed {
    Seed {
        request_id: "0192-cost".to_owned(),
        now_seconds: 1_790_000_000,
    }
}

/// All that comes before the first word.
pub(crate) fn beginning(family: Family) -> Vec<u8> {
    match family {
        Family::Chat => event(
            None,
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,"model":"m-2026","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]}"#,
        ),
        Family::Responses => [
            (
                "response.created",
                r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1790000000,"model":"m-2026","status":"in_progress","output":[]}}"#,
            ),
            (
                "response.output_item.added",
                r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}"#,
            ),
            (
                "response.content_part.added",
                r#"{"type":"response.content_part.added","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""}}"#,
            ),
        ]
        .into_iter()
        .flat_map(|(name, data)| event(Some(name), data))
        .collect(),
        Family::Messages => [
            (
                "message_start",
                r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m-2026","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":20,"output_tokens":1}}}"#,
            ),
            (
                "content_block_start",
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            ),
        ]
        .into_iter()
        .flat_map(|(name, data)| event(Some(name), data))
        .collect(),
        Family::Gemini => word(family, 0),
        Family::Converse => frame("messageStart", r#"{"role":"assistant"}"#),
        Family::Cohere => [
            (
                "message-start",
                r#"{"id":"c1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#,
            ),
            (
                "content-start",
                r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
            ),
        ]
        .into_iter()
        .flat_map(|(name, data)| event(Some(name), data))
        .collect(),
    }
}

/// The event of one word; all have the same length.
pub(crate) fn word(family: Family, at: usize) -> Vec<u8> {
    let text = format!(" word{:03}", at % 1_000);
    match family {
        Family::Chat => event(
            None,
            &format!(
                r#"{{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,"model":"m-2026","choices":[{{"index":0,"delta":{{"content":"{text}"}},"logprobs":null,"finish_reason":null}}]}}"#
            ),
        ),
        Family::Responses => event(
            Some("response.output_text.delta"),
            &format!(
                r#"{{"type":"response.output_text.delta","sequence_number":{},"item_id":"msg_1","output_index":0,"content_index":0,"delta":"{text}","logprobs":[]}}"#,
                1_000 + at
            ),
        ),
        Family::Messages => event(
            Some("content_block_delta"),
            &format!(
                r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}"#
            ),
        ),
        Family::Gemini => event(
            None,
            &format!(
                r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}},"index":0}}],"usageMetadata":{{"promptTokenCount":12,"candidatesTokenCount":4,"totalTokenCount":16}},"modelVersion":"m-2026","responseId":"r1"}}"#
            ),
        ),
        Family::Converse => frame(
            "contentBlockDelta",
            &format!(r#"{{"contentBlockIndex":0,"delta":{{"text":"{text}"}},"p":"abcdefghij"}}"#),
        ),
        Family::Cohere => event(
            Some("content-delta"),
            &format!(
                r#"{{"type":"content-delta","index":0,"delta":{{"message":{{"content":{{"text":"{text}"}}}}}}}}"#
            ),
        ),
    }
}

fn event(name: Option<&str>, data: &str) -> Vec<u8> {
    let name = name
        .map(|name| format!("event: {name}\n"))
        .unwrap_or_default();
    format!("{name}data: {data}\n\n").into_bytes()
}

fn frame(name: &str, payload: &str) -> Vec<u8> {
    let headers = [
        (":event-type", Value::Text(name)),
        (":content-type", Value::Text("application/json")),
        (":message-type", Value::Text("event")),
    ];
    let mut frame = Vec::new();
    event_stream::write(&mut frame, &headers, payload.as_bytes()).expect("a short frame");
    frame
}

/// All that neutral events say before the first word.
pub(crate) fn neutral_beginning() -> [Event; 2] {
    [
        Event::Start {
            id: "chatcmpl-1".to_owned(),
            model: "m-2026".to_owned(),
            created_seconds: Some(1_790_000_000),
        },
        Event::Open {
            choice: 0,
            part: 0,
            kind: Kind::Text,
        },
    ]
}

/// One word as a neutral event.
pub(crate) fn neutral_word(at: usize) -> Event {
    Event::Delta {
        choice: 0,
        part: 0,
        delta: Delta::Text(format!(" word{:03}", at % 1_000)),
    }
}

/// Whatever writes neutral events.
pub(crate) type Writer = Box<dyn FnMut(&Event, &mut Vec<u8>)>;

/// A writer of a family.
pub(crate) fn writer(family: Family) -> Writer {
    let seed = seed();
    match family {
        Family::Chat => {
            let mut it = chat::Encoder::new(&seed, Client::default());
            Box::new(move |event, out| it.push(event, out))
        }
        Family::Responses => {
            let mut it = responses::Encoder::new(&seed, Echo::default());
            Box::new(move |event, out| it.push(event, out))
        }
        Family::Messages => {
            let mut it = messages::Encoder::new(&seed, messages::Options::default());
            Box::new(move |event, out| it.push(event, out))
        }
        Family::Gemini => {
            let mut it = gemini::Encoder::new(&seed, gemini::Framing::Events);
            Box::new(move |event, out| it.push(event, out))
        }
        Family::Converse => {
            let mut it = converse::Encoder::new(&seed);
            Box::new(move |event, out| it.push(event, out))
        }
        Family::Cohere => {
            let mut it = cohere::Encoder::new(&seed);
            Box::new(move |event, out| it.push(event, out))
        }
    }
}

/// The way back of a greeting.
pub(crate) fn back(client: Family, provider: Family) -> Back {
    let body = match client {
        Family::Responses => r#"{"model":"m","stream":true,"input":"hi"}"#,
        Family::Gemini => r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#,
        Family::Messages => {
            r#"{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#
        }
        _ => r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#,
    };
    let asked = Asked {
        family: client,
        model: "m",
        stream: true,
        events: true,
        input_tokens_estimate: 5,
        ceiling: None,
    };
    let target = match provider {
        Family::Chat => Target::Chat(dialect::chat::target::Target::new("m")),
        Family::Responses => Target::Responses(dialect::responses::Target {
            crossing: true,
            ..dialect::responses::Target::new("m")
        }),
        Family::Messages => Target::Messages(dialect::messages::target::Target {
            output_tokens_default: Some(4_096),
            ..dialect::messages::target::Target::new("m")
        }),
        Family::Gemini => Target::Gemini(dialect::gemini::Target::new("gemini-3-pro")),
        Family::Converse => {
            Target::Converse(dialect::converse::target::Target::new("anthropic.claude-m"))
        }
        Family::Cohere => Target::Cohere(dialect::cohere::Target::new("m")),
    };
    let crossed = crossing::cross(&asked, body, &target, seed());
    crossed.expect("a greeting crosses").back
}
