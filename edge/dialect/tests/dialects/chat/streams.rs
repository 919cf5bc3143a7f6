//! Streams, cut anywhere and broken in every way, and written again.
//!
//! Knows the fixtures, and what each of them comes to.

use dialect::{
    chat::{
        decoder::Decoder,
        encoder::{Encoder, Options},
    },
    neutral::{Class, Delta, Event, Kind, Stop},
};
use fastrand::Rng;
use serde_json::{Value, json};

use super::{fold, requests::seed};

const STREAMS: [&str; 3] = [
    include_str!("../../fixtures/chat/stream_tools.sse"),
    include_str!("../../fixtures/chat/stream_details.sse"),
    include_str!("../../fixtures/chat/stream_error.sse"),
];

pub(crate) fn decode(pieces: &[&[u8]]) -> Vec<Event> {
    let (mut decoder, mut events) = (Decoder::new(&seed()), Vec::new());
    for piece in pieces {
        decoder.push(piece, &mut events);
    }
    decoder.finish(&mut events);
    events
}

pub(crate) fn encode(events: &[Event], include_usage: bool) -> String {
    let options = Options { include_usage };
    let (mut encoder, mut out) = (Encoder::new(&seed(), options), Vec::new());
    for event in events {
        encoder.push(event, &mut out);
    }
    String::from_utf8(out).unwrap()
}

fn stream(deltas: &[Value], end: &str) -> Vec<Event> {
    let line = |delta: &Value| {
        let choice = match delta["finish_reason"].as_str() {
            Some(_) => json!({"index": 0, "delta": {}, "finish_reason": delta["finish_reason"]}),
            None => json!({"index": 0, "delta": delta, "finish_reason": null}),
        };
        format!("data: {}\n\n", json!({"id": "a", "choices": [choice]}))
    };
    let text: String = deltas.iter().map(line).collect();
    decode(&[(text + end).as_bytes()])
}

fn call(index: u64, id: &str, name: &str, arguments: &str) -> Value {
    json!({"tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]})
}

#[test]
fn events_are_the_same_wherever_a_stream_is_cut() {
    for text in STREAMS {
        for text in [text.to_owned(), text.replace('\n', "\r\n")] {
            let bytes = text.as_bytes();
            let whole = decode(&[bytes]);
            assert_eq!(fold::grammar(&whole), !text.contains("error"));
            for at in 0..bytes.len() {
                let (first, second) = bytes.split_at(at);
                assert_eq!(decode(&[first, second]), whole, "cut at {at}");
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(decode(&single), whole);
        }
    }
}

#[test]
fn what_a_client_hears_is_what_the_provider_said() {
    for text in STREAMS {
        let written = encode(&decode(&[text.as_bytes()]), true);
        let (heard, said) = (fold::client(&written, true), fold::client(text, false));
        for name in [
            "content",
            "reasoning",
            "refusal",
            "calls",
            "finish",
            "total",
        ] {
            assert_eq!(heard[name], said[name], "{name}: {written}");
        }
        // What was written is read as the same again.
        let again = encode(&decode(&[written.as_bytes()]), true);
        assert_eq!(again, written);
        let silent = encode(&decode(&[text.as_bytes()]), false);
        assert!(!silent.contains("usage"), "{silent}");
    }
}

#[test]
fn calls_that_come_mixed_are_told_one_after_another() {
    let events = stream(
        &[
            call(0, "a", "f", ""),
            call(1, "b", "g", "{\"y"),
            call(0, "", "", "{\"x\":"),
            call(1, "", "", "\":2}"),
            call(0, "", "", "1}"),
            call(2, "", "h", ""),
            json!({"finish_reason": "stop"}),
        ],
        "",
    );
    assert!(fold::grammar(&events));
    let heard = fold::client(&encode(&events, false), true);
    assert_eq!(
        heard["calls"],
        json!([
            ["a", "f", "{\"x\":1}"],
            ["b", "g", "{\"y\":2}"],
            ["call_req47112", "h", "{}"]
        ])
    );
    assert_eq!(heard["finish"], "tool_calls");
}

#[test]
fn calls_with_the_same_number_are_told_apart_by_their_ids() {
    let events = stream(
        &[
            call(0, "a", "f", "{}"),
            call(0, "b", "g", "{}"),
            json!({"content": "done"}),
            json!({"finish_reason": "stop"}),
        ],
        "data: [DONE]\n\n",
    );
    let opens = |event: &&Event| matches!(event, Event::Open { .. });
    assert_eq!(events.iter().filter(opens).count(), 3);
    assert!(fold::grammar(&events));
}

#[test]
fn a_stream_that_breaks_off_is_no_end() {
    let cut = stream(&[json!({"content": "a"})], "");
    assert!(matches!(cut.last(), Some(Event::Error(error)) if error.class == Class::Provider));
    let heard = encode(&cut, true);
    assert!(
        !heard.contains("[DONE]") && heard.contains("\"error\""),
        "{heard}"
    );
    assert!(fold::grammar(&stream(
        &[json!({"content": "a"})],
        "data: [DONE]\n\n"
    )));
    let error = stream(
        &[json!({"content": "a"})],
        "event: error\ndata: {\"error\":{\"message\":\"x\"}}\n\n",
    );
    assert!(!fold::grammar(&error));
    let list = stream(
        &[json!({"content": "a"})],
        "data: {\"choices\":[],\"error\":{\"code\":429,\"message\":\"x\"}}\n\n",
    );
    assert!(matches!(list.last(), Some(Event::Error(error)) if error.class == Class::RateLimited));
    assert!(!fold::grammar(&decode(&[])));
    assert!(!fold::grammar(&decode(&[b"data: [DONE]\n\n"])));
    assert!(!fold::grammar(&decode(&[
        b"{\"error\":{\"message\":\"x\"}}"
    ])));
}

#[test]
fn signatures_of_others_come_to_clients_and_back() {
    let (choice, part) = (0, 0);
    let delta = |delta| Event::Delta {
        choice,
        part,
        delta,
    };
    let events = [
        Event::Start {
            id: "msg_1".into(),
            model: "m".into(),
            created_seconds: Some(1),
        },
        Event::Open {
            choice,
            part,
            kind: Kind::Reasoning,
        },
        delta(Delta::Text("think".into())),
        delta(Delta::Signature("sig".into())),
        Event::Close { choice, part },
        Event::Stop {
            choice,
            stop: Stop::End,
        },
        Event::End,
    ];
    let written = encode(&events, false);
    assert!(written.contains("\"id\":\"chatcmpl-1\""), "{written}");
    let read = decode(&[written.as_bytes()]);
    assert_eq!(read[1..], events[1..]);
}

#[test]
fn mutated_bytes_never_break_the_grammar() {
    let mut rng = Rng::with_seed(5);
    for round in 0..2_000 {
        let mut bytes = STREAMS[round % STREAMS.len()].as_bytes().to_vec();
        for _ in 0..rng.usize(1..6) {
            let at = rng.usize(..bytes.len().max(1)).min(bytes.len());
            match rng.u8(..3) {
                0 => bytes
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|byte| *byte = rng.u8(..)),
                1 => drop(bytes.drain(at..(at + rng.usize(..40)).min(bytes.len()))),
                _ => bytes.truncate(at),
            }
        }
        let events = decode(&[&bytes]);
        fold::grammar(&events);
        fold::client(&encode(&events, true), true);
    }
}
