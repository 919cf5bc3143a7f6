//! Streams as providers send them, cut anywhere and broken in every way.
//!
//! Knows the fixtures, and what each of them comes to.

use dialect::{
    messages::{answer, decoder::Decoder},
    neutral::{Class, Content, Delta, Event, Stop},
};
use fastrand::Rng;
use serde_json::json;

use super::{fixture, fold};

pub(crate) fn decode(pieces: &[&[u8]]) -> Vec<Event> {
    run(Decoder::new(&fixture::seed()), pieces)
}

fn run(mut decoder: Decoder, pieces: &[&[u8]]) -> Vec<Event> {
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece, &mut events);
    }
    decoder.finish(&mut events);
    events
}

fn stream(events: &[serde_json::Value]) -> Vec<Event> {
    let lines = |event: &serde_json::Value| {
        format!(
            "event: {}\ndata: {event}\n\n",
            event["type"].as_str().unwrap()
        )
    };
    let text: String = events.iter().map(lines).collect();
    decode(&[text.as_bytes()])
}

#[test]
fn events_are_the_same_wherever_a_stream_is_cut() {
    let mut rng = Rng::with_seed(11);
    for name in fixture::names("stream_", ".sse") {
        for text in [
            fixture::text(&name),
            fixture::text(&name).replace('\n', "\r\n"),
        ] {
            let bytes = text.as_bytes();
            let whole = decode(&[bytes]);
            let well = fold::grammar(&whole);
            let fails = name.contains("overloaded") || name.contains("cut");
            assert_eq!(well, !fails, "{name}");
            let every = bytes.len() < 1_200;
            let places = if every { bytes.len() } else { 200 };
            for place in 0..places {
                let at = if every {
                    place
                } else {
                    rng.usize(..bytes.len())
                };
                let (first, second) = bytes.split_at(at);
                assert_eq!(decode(&[first, second]), whole, "{name} cut at {at}");
            }
            for size in [1, 2, 3, rng.usize(4..200)] {
                let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
                assert_eq!(decode(&pieces), whole, "{name} in pieces of {size}");
            }
        }
    }
}

#[test]
fn a_stream_comes_to_the_same_answer_as_one_piece() {
    let mut compared = 0;
    for name in fixture::names("answer_", ".json") {
        let stem = name.trim_start_matches("answer_").trim_end_matches(".json");
        if stem == "length"
            || !fixture::names("stream_", ".sse").contains(&format!("stream_{stem}.sse"))
        {
            continue;
        }
        let mut whole =
            answer::decode(&fixture::json(&name).to_string(), &fixture::seed()).unwrap();
        whole.extra.clear();
        whole.choices[0].extra.clear();
        let events = decode(&[fixture::text(&format!("stream_{stem}.sse")).as_bytes()]);
        assert_eq!(fold::answer(&events), whole, "{stem}");
        compared += 1;
    }
    assert_eq!(compared, 9);
}

#[test]
fn a_stream_is_unwrapped_as_an_answer_is() {
    let body = fixture::json("answer_structured.json").to_string();
    let mut whole = answer::decode_structured(&body, &fixture::seed()).unwrap();
    whole.extra.clear();
    let stream = fixture::text("stream_structured.sse");
    let decoder = Decoder::new(&fixture::seed()).structured();
    let events = run(decoder, &[stream.as_bytes()]);
    assert!(fold::grammar(&events));
    assert_eq!(fold::answer(&events), whole);
}

#[test]
fn a_call_that_is_cut_short_is_closed() {
    let events = decode(&[fixture::text("stream_length.sse").as_bytes()]);
    let answer = fold::answer(&events);
    assert_eq!(answer.choices[0].stop, Some(Stop::Length));
    let Content::ToolCall { arguments, .. } = &answer.choices[0].parts[1].content else {
        panic!("{answer:?}");
    };
    assert_eq!(arguments, "{\"lines\": [\"a");
}

#[test]
fn an_error_in_a_stream_is_never_an_end() {
    let events = decode(&[fixture::text("stream_overloaded.sse").as_bytes()]);
    let Some(Event::Error(error)) = events.last() else {
        panic!("{events:?}");
    };
    assert_eq!(
        (error.class, error.message.as_str()),
        (Class::Overloaded, "Overloaded")
    );
    let cut = decode(&[fixture::text("stream_cut.sse").as_bytes()]);
    assert!(matches!(cut.last(), Some(Event::Error(error)) if error.class == Class::Provider));
    let body = br#"{"type":"error","error":{"type":"rate_limit_error","message":"x"}}"#;
    let events = decode(&[body]);
    assert!(matches!(&events[..], [Event::Error(error)] if error.class == Class::RateLimited));
    assert!(!fold::grammar(&decode(&[])));
    assert!(!fold::grammar(&decode(&[b"<html>no</html>"])));
}

#[test]
fn usage_is_replaced_and_never_added() {
    let events = decode(&[fixture::text("stream_cache.sse").as_bytes()]);
    let usages: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Usage(tokens) => Some((tokens.input, tokens.cached_input, tokens.output)),
            _ => None,
        })
        .collect();
    assert_eq!(usages, [(3, 1000, 1), (3, 1000, 4)]);
    let last = fold::answer(&events).tokens.unwrap();
    assert_eq!((last.cache_write, last.cache_write_hour), (20, 30));
    let grown = decode(&[fixture::text("stream_server_tools.sse").as_bytes()]);
    assert_eq!(fold::answer(&grown).tokens.unwrap().input, 900);
}

#[test]
fn a_block_that_is_not_opened_or_not_closed_is_mended() {
    let text = |index, text: &str| {
        json!({"type": "content_block_delta", "index": index,
            "delta": {"type": "text_delta", "text": text}})
    };
    let thought = json!({"type": "content_block_delta", "index": 0,
        "delta": {"type": "thinking_delta", "thinking": "hm"}});
    let end = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}});
    let stop = json!({"type": "message_stop"});
    let unopened = stream(&[text(0, "a"), thought, end.clone(), stop.clone()]);
    assert!(fold::grammar(&unopened));
    assert_eq!(fold::answer(&unopened).choices[0].parts.len(), 2);
    // The end was told; only the mark behind it is missing.
    assert!(fold::grammar(&stream(&[text(0, "a"), end.clone()])));
    let start = json!({"type": "content_block_start", "index": 0,
        "content_block": {"type": "text", "text": "a"}});
    let interleaved = stream(&[start, text(1, "b"), end, stop]);
    assert!(!fold::grammar(&interleaved));
}

#[test]
fn a_message_that_begins_with_its_content_is_whole() {
    let start = json!({"type": "message_start", "message": {"id": "i", "content": [
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"b": 1}}]}});
    let end = json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}});
    let events = stream(&[start.clone(), start, end, json!({"type": "message_stop"})]);
    assert!(fold::grammar(&events));
    let parts = &fold::answer(&events).choices[0].parts;
    let Content::ToolCall { arguments, .. } = &parts[1].content else {
        panic!("{parts:?}");
    };
    assert_eq!((parts.len(), arguments.as_str()), (2, r#"{"b":1}"#));
}

#[test]
fn a_proof_in_pieces_is_told_whole_and_last() {
    let delta = |name: &str, piece: &str| {
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": format!("{name}_delta"), name: piece}})
    };
    let start = json!({"type": "content_block_start", "index": 0,
        "content_block": {"type": "thinking", "thinking": "", "signature": ""}});
    let stop = json!({"type": "content_block_stop", "index": 0});
    let events = stream(&[
        start,
        delta("signature", "ab"),
        delta("thinking", "hm"),
        delta("signature", "cd"),
        stop,
    ]);
    let deltas: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Delta { delta, .. } => Some(delta.clone()),
            _ => None,
        })
        .collect();
    let expected = [
        Delta::Text("hm".to_owned()),
        Delta::Signature("abcd".to_owned()),
    ];
    assert_eq!(deltas, expected);
}

#[test]
fn a_proof_without_end_is_given_up() {
    let piece = "x".repeat(600 << 10);
    let delta = json!({"type": "content_block_delta", "index": 0,
        "delta": {"type": "signature_delta", "signature": piece}});
    assert!(!fold::grammar(&stream(&[delta.clone(), delta])));
}

#[test]
fn chunks_of_bedrock_are_unwrapped() {
    let mut decoder = Decoder::new(&fixture::seed());
    let mut events = Vec::new();
    let chunk = br#"{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"abcd"}"#;
    decoder.push_chunk(chunk, &mut events);
    assert_eq!(events, [Event::Ping]);
    decoder.push_chunk(br#"{"message":"Too many tokens"}"#, &mut events);
    assert!(matches!(&events[..], [_, Event::Error(_)]));
    decoder.push_chunk(chunk, &mut events);
    decoder.finish(&mut events);
    assert_eq!(events.len(), 2);
}

#[test]
fn no_bytes_break_the_grammar() {
    let mut rng = Rng::with_seed(3);
    let names = fixture::names("stream_", ".sse");
    for round in 0..3_000 {
        let mut bytes = fixture::text(&names[round % names.len()]).into_bytes();
        for _ in 0..rng.usize(1..6) {
            let (at, other) = (rng.usize(..bytes.len()), rng.usize(..bytes.len()));
            match rng.u8(..4) {
                0 => bytes[at] = rng.u8(..),
                1 => bytes.truncate(at.max(1)),
                2 => bytes.swap(at, other),
                _ => {
                    let (from, to) = (at.min(other), at.max(other));
                    bytes.drain(from..to.min(bytes.len() - 1).max(from));
                }
            }
        }
        fold::grammar(&decode(&[&bytes]));
    }
    for _ in 0..500 {
        let bytes: Vec<u8> = (0..rng.usize(..200)).map(|_| rng.u8(..)).collect();
        fold::grammar(&decode(&[&bytes]));
    }
}

#[test]
fn events_in_any_order_keep_the_grammar() {
    let mut rng = Rng::with_seed(5);
    let all: Vec<String> = fixture::names("stream_", ".sse")
        .iter()
        .flat_map(|name| {
            let text = fixture::text(name);
            text.split_inclusive("\n\n")
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    for _ in 0..3_000 {
        let text: String = (0..rng.usize(1..25))
            .map(|_| rng.choice(&all).unwrap().as_str())
            .collect();
        fold::grammar(&decode(&[text.as_bytes()]));
    }
}
