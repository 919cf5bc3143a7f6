//! Streams as we write them: a strict client takes each of them, whatever the events were.
//!
//! Knows the neutral events; a stream of this family must come out as it went in.

use dialect::{
    Tokens,
    messages::encoder::{Encoder, Options},
    neutral::{Class, Delta, Error, Event, Kind, Stop},
};
use fastrand::Rng;
use serde_json::{Value, json};

use super::{
    client::{self, Heard},
    fixture, fold, same,
    streams::decode,
};

pub(crate) fn encode(events: &[Event]) -> Vec<u8> {
    let options = Options {
        model: "fallback",
        input_tokens_estimate: 12,
    };
    let mut encoder = Encoder::new(&fixture::seed(), options);
    let mut out = Vec::new();
    for event in events {
        encoder.push(event, &mut out);
    }
    out
}

fn hear(events: &[Event]) -> Heard {
    client::hear(&encode(events))
}

fn start() -> Event {
    Event::Start {
        id: "chatcmpl-1".to_owned(),
        model: "gpt".to_owned(),
        created_seconds: Some(1),
    }
}

fn open(part: u32, kind: Kind) -> Event {
    Event::Open {
        choice: 0,
        part,
        kind,
    }
}

fn call(part: u32) -> Event {
    let kind = Kind::ToolCall {
        id: format!("call_{part}"),
        name: "f".to_owned(),
    };
    open(part, kind)
}

fn delta(part: u32, delta: Delta) -> Event {
    Event::Delta {
        choice: 0,
        part,
        delta,
    }
}

fn text(part: u32, piece: &str) -> Event {
    delta(part, Delta::Text(piece.to_owned()))
}

fn arguments(part: u32, piece: &str) -> Event {
    delta(part, Delta::Arguments(piece.to_owned()))
}

fn close(part: u32) -> Event {
    Event::Close { choice: 0, part }
}

fn stop(stop: Stop) -> Event {
    Event::Stop { choice: 0, stop }
}

#[test]
fn a_stream_of_this_family_comes_out_as_it_went_in() {
    for name in fixture::names("stream_", ".sse") {
        let stream = fixture::text(&name);
        let events = decode(&[stream.as_bytes()]);
        let heard = hear(&events);
        if name.contains("cut") {
            assert!(heard.error.is_some());
            continue;
        }
        // Only pings and the first report of usage may differ: that waits for what is known when the first words come.
        let again = decode(&[&encode(&events)]);
        let words = |events: &[Event]| {
            let mut events = events.to_vec();
            events.retain(|event| !matches!(event, Event::Usage(_) | Event::Ping));
            events
        };
        assert_eq!(words(&again), words(&events), "{name}");
        assert_eq!(fold::answer(&again), fold::answer(&events), "{name}");
        if name.contains("length.sse") || name.contains("overloaded") {
            continue;
        }
        let mut original = client::hear(stream.as_bytes());
        if name.contains("refusal") {
            // Its only block has nothing in it.
            original.message["content"] = json!([]);
        }
        let message = |heard: &Heard| same::answer(&heard.message);
        assert_eq!(message(&heard), message(&original), "{name}");
        let count = |heard: &Heard| {
            let unknown = |event: &&Value| event["type"] == "brand_new_event";
            heard.events.iter().filter(unknown).count()
        };
        assert_eq!(count(&heard), count(&original), "{name}");
    }
}

#[test]
fn an_answer_of_another_family_is_a_stream_of_this_one() {
    let tokens = Tokens {
        input: 7,
        output: 3,
        ..Tokens::default()
    };
    let heard = hear(&[
        Event::Ping,
        start(),
        Event::Ping,
        open(0, Kind::Reasoning),
        text(0, "hm"),
        close(0),
        open(1, Kind::Text),
        text(1, ""),
        close(1),
        call(2),
        close(2),
        stop(Stop::End),
        Event::Usage(tokens),
        Event::End,
    ]);
    let message = &heard.message;
    assert_eq!(
        (&message["id"], &message["model"]),
        (&json!("msg_1"), &json!("gpt"))
    );
    let expected = json!([{"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "tool_use", "id": "call_2", "name": "f", "input": {}}]);
    assert_eq!(message["content"], expected);
    assert_eq!(message["stop_reason"], "tool_use");
    let usage = &message["usage"];
    assert_eq!(
        (&usage["input_tokens"], &usage["output_tokens"]),
        (&json!(7), &json!(3))
    );
    assert_eq!(heard.events[0]["message"]["usage"]["input_tokens"], 12);
    let kinds: Vec<&str> = heard
        .events
        .iter()
        .filter_map(|event| event["type"].as_str())
        .collect();
    assert_eq!(kinds[..2], ["message_start", "ping"]);
    // Clients wait for the proof of a thought, be it empty.
    let proof = json!({"type": "signature_delta", "signature": ""});
    assert!(heard.events.iter().any(|event| event["delta"] == proof));
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == "message_start")
            .count(),
        1
    );
}

#[test]
fn usage_comes_before_why_it_ended() {
    let heard = hear(&[
        start(),
        stop(Stop::Length),
        Event::Usage(Tokens {
            output: 9,
            ..Tokens::default()
        }),
        Event::End,
    ]);
    let delta = &heard.events[heard.events.len() - 2];
    assert_eq!(delta["usage"]["output_tokens"], 9);
    assert_eq!(delta["delta"]["stop_reason"], "max_tokens");
}

#[test]
fn pieces_of_calls_that_interleave_are_put_in_order() {
    let heard = hear(&[
        start(),
        call(0),
        arguments(0, "{\"a\":"),
        call(1),
        arguments(1, "{\"b\":"),
        arguments(0, "1}"),
        arguments(1, "2}"),
        call(2),
        close(0),
        close(2),
        close(1),
        stop(Stop::ToolCalls),
        Event::End,
    ]);
    let inputs: Vec<&Value> = heard.message["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| &block["input"])
        .collect();
    assert_eq!(inputs, [&json!({"a": 1}), &json!({"b": 2}), &json!({})]);
}

#[test]
fn too_much_out_of_order_is_an_error() {
    let piece = "x".repeat(600 << 10);
    let heard = hear(&[
        start(),
        call(0),
        call(1),
        arguments(1, &piece),
        arguments(1, &piece),
        Event::End,
    ]);
    assert_eq!(heard.error.unwrap()["type"], "api_error");
}

#[test]
fn a_failure_has_no_end() {
    let error = Event::Error(Error::new(Class::Overloaded, "full"));
    let heard = hear(&[
        start(),
        open(0, Kind::Text),
        text(0, "a"),
        error.clone(),
        Event::End,
    ]);
    assert_eq!(heard.error.unwrap()["type"], "overloaded_error");
    let heard = hear(&[error]);
    assert!(heard.message.is_null() && heard.error.is_some());
    let failed = hear(&[start(), stop(Stop::Failed("broken".to_owned())), Event::End]);
    assert_eq!(failed.error.unwrap()["type"], "api_error");
}

#[test]
fn a_refusal_is_words_and_a_reason() {
    let why = Stop::Refused(Some("no".to_owned()));
    let heard = hear(&[
        start(),
        open(0, Kind::Refusal),
        text(0, "I will not."),
        close(0),
        stop(why),
        Event::End,
    ]);
    assert_eq!(heard.message["content"][0]["text"], "I will not.");
    assert_eq!(heard.message["stop_reason"], "refusal");
    assert_eq!(heard.message["stop_details"]["explanation"], "no");
}

#[test]
fn other_answers_than_the_first_are_left_out() {
    let other = Event::Open {
        choice: 1,
        part: 0,
        kind: Kind::Text,
    };
    let heard = hear(&[start(), other, stop(Stop::End), Event::End]);
    assert_eq!(heard.message["content"], json!([]));
}

#[test]
fn any_events_make_a_stream_that_a_strict_client_takes() {
    let mut rng = Rng::with_seed(9);
    for _ in 0..3_000 {
        let mut events = Vec::new();
        for _ in 0..rng.usize(..20) {
            let part = rng.u32(..3);
            events.push(match rng.u8(..12) {
                0 => start(),
                1 => Event::Ping,
                2 => Event::Usage(Tokens::default()),
                3 => open(part, Kind::Text),
                4 => open(part, Kind::Reasoning),
                5 => call(part),
                6 => text(part, "a"),
                7 => arguments(part, "{}"),
                8 => delta(part, Delta::Signature("s".to_owned())),
                9 => delta(part, Delta::Redacted("r".to_owned())),
                10 => close(part),
                _ => stop(Stop::End),
            });
        }
        events.push(Event::End);
        hear(&events);
    }
}
