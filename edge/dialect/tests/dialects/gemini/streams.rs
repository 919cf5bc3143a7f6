//! Streams in both framings, cut anywhere, to events and back.

use dialect::{
    gemini::{
        answer,
        encoder::{Encoder, Framing},
    },
    neutral::{Class, Content, Delta, Event, Extra, Kind, Stop},
};
use fastrand::Rng;
use serde_json::Value;

use super::{events, fixture, fixtures, fold, json, seed};

/// The bytes that a client gets of events.
pub(super) fn written(events: &[Event], framing: Framing) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::new(&seed(), framing), Vec::new());
    for event in events {
        encoder.push(event, &mut out);
    }
    out
}

/// Checks what any split of a stream must give, and gives its events.
pub(super) fn same_however_cut(stream: &[u8], name: &str) -> Vec<Event> {
    let whole = events([stream]);
    let mut rng = Rng::with_seed(11);
    let sizes = [1, 2, 3, rng.usize(4..60), rng.usize(60..2_000)];
    for size in sizes {
        assert_eq!(
            events(stream.chunks(size)),
            whole,
            "{name} in pieces of {size}"
        );
    }
    if stream.len() < 3_000 {
        for at in 0..stream.len() {
            let (first, second) = stream.split_at(at);
            assert_eq!(events([first, second]), whole, "{name} cut at {at}");
        }
    }
    whole
}

#[test]
fn streams_are_the_same_however_they_are_cut_and_framed() {
    for name in fixtures("stream-") {
        let stream = fixture(&name);
        let whole = same_however_cut(stream.as_bytes(), &name);
        let crlf = stream.replace('\n', "\r\n");
        assert_eq!(same_however_cut(crlf.as_bytes(), &name), whole, "{name}");
        let is_whole = fold::answer(&whole).is_some();
        assert_eq!(
            is_whole,
            !name.contains("error") && !name.contains("cut"),
            "{name}"
        );
    }
}

#[test]
fn what_is_written_again_is_read_the_same() {
    for name in fixtures("stream-") {
        let whole = events([fixture(&name).as_bytes()]);
        for framing in [Framing::Events, Framing::Array] {
            let again = same_however_cut(&written(&whole, framing), &name);
            match (fold::answer(&whole), fold::answer(&again)) {
                (None, None) => assert_eq!(last_error(&whole), last_error(&again), "{name}"),
                (one, other) => assert_eq!(one, other, "{name}"),
            }
        }
    }
}

fn last_error(events: &[Event]) -> (Class, &str) {
    match events.last() {
        Some(Event::Error(error)) => (error.class, &error.message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn events_for_clients_are_one_line_each_and_the_array_is_json() {
    for name in fixtures("stream-") {
        let whole = events([fixture(&name).as_bytes()]);
        let stream = String::from_utf8(written(&whole, Framing::Events)).unwrap();
        let data: Vec<Value> = stream
            .split_terminator("\n\n")
            .map(|event| json(event.strip_prefix("data: ").unwrap().as_bytes()))
            .collect();
        assert!(stream.ends_with("\n\n") && !stream.contains('\r'));
        let array = json(&written(&whole, Framing::Array));
        assert_eq!(array, Value::Array(data), "{name}");
    }
    assert_eq!(written(&[Event::Ping], Framing::Events), b"");
}

#[test]
fn a_folded_stream_is_the_whole_answer() {
    for (stream, whole) in [
        ("stream-tools.sse", "answer-tools.json"),
        ("stream-blocked.sse", "answer-blocked.json"),
    ] {
        let folded = fold::answer(&events([fixture(stream).as_bytes()])).unwrap();
        let whole = answer::decode(&fixture(whole), &seed()).unwrap();
        assert_eq!(fold::told(folded), fold::told(whole), "{stream}");
    }
    // Every answer is also a stream of one chunk.
    for name in fixtures("answer-") {
        if name.contains("image") {
            continue;
        }
        let body = fixture(&name);
        let chunk = format!("data: {}\n\n", body.trim());
        let folded = fold::answer(&events([chunk.as_bytes()])).unwrap();
        let bare = fold::answer(&events([body.as_bytes()])).unwrap();
        assert_eq!(bare, folded, "{name}");
        let whole = answer::decode(&body, &seed()).unwrap();
        assert_eq!(fold::told(folded), fold::told(whole), "{name}");
    }
}

#[test]
fn candidates_are_told_apart() {
    let folded = fold::answer(&events([fixture("stream-two-candidates.sse").as_bytes()])).unwrap();
    let said: Vec<_> = folded
        .choices
        .iter()
        .map(|choice| (&choice.parts[0].content, choice.stop.clone().unwrap()))
        .collect();
    let (first, second) = (
        Content::Text("Aa".to_owned()),
        Content::Text("Bb".to_owned()),
    );
    assert_eq!(said, [(&first, Stop::End), (&second, Stop::Length)]);
}

#[test]
fn an_error_in_the_middle_closes_what_is_open_and_tells_the_usage() {
    let events = events([fixture("stream-error-in-the-middle.sse").as_bytes()]);
    let [
        ..,
        Event::Close { .. },
        Event::Usage(tokens),
        Event::Error(error),
    ] = events.as_slice()
    else {
        panic!("{events:?}");
    };
    assert_eq!((tokens.output, error.class), (1, Class::Overloaded));
    let stream = String::from_utf8(written(&events, Framing::Events)).unwrap();
    let last = stream.trim_end().rsplit("\n\n").next().unwrap();
    let last = json(last.strip_prefix("data: ").unwrap().as_bytes());
    assert_eq!(last["error"]["status"], "UNAVAILABLE");
    assert!(!stream.contains("finishReason"));
}

#[test]
fn a_stream_that_is_cut_is_an_error() {
    let stream = fixture("stream-cut.sse");
    for cut in [
        &stream[..],
        &stream[..stream.len() - 40],
        "",
        ": hello\n\n",
        "<html>",
        "[",
        "{\"a\":",
    ] {
        let events = events([cut.as_bytes()]);
        assert_eq!(last_error(&events).0, Class::Provider, "{cut}");
    }
    let plain = fixture("stream-plain.sse");
    let unterminated = plain.trim_end();
    assert!(
        fold::answer(&events([unterminated.as_bytes()])).is_some(),
        "the last event lacks its blank line"
    );
}

#[test]
fn extras_of_candidates_come_back_in_the_last_chunk() {
    let stream = fixture("stream-plain.sse");
    let whole = events([stream.as_bytes()]);
    let grounding = r#"{"webSearchQueries":["danube"]}"#;
    let family = dialect::neutral::Family::Gemini;
    let extra = Event::Extra(Extra::new(
        family,
        "candidates[0].groundingMetadata",
        grounding,
    ));
    assert!(whole.contains(&extra), "{whole:?}");
    let array = json(&written(&whole, Framing::Array));
    let last = array.as_array().unwrap().last().unwrap();
    assert_eq!(
        last["candidates"][0]["groundingMetadata"]["webSearchQueries"][0],
        "danube"
    );
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last["usageMetadata"]["totalTokenCount"], 18);
}

#[test]
fn what_came_on_several_lines_goes_on_as_one() {
    let pretty = "[{\"candidates\": [{\r\n \"finishReason\": \"STOP\",\n \"groundingMetadata\": {\r\n  \"a\": 1\n }}]}]";
    let whole = events([pretty.as_bytes()]);
    let stream = String::from_utf8(written(&whole, Framing::Events)).unwrap();
    assert_eq!(stream.lines().count(), 2, "{stream}");
    let again = events([stream.as_bytes()]);
    let grounding = |events: &[Event]| events.iter().any(|it| matches!(it, Event::Extra(_)));
    assert!(grounding(&whole) && grounding(&again));
}

#[test]
fn a_signature_stands_on_the_first_piece_of_its_text_and_on_no_other() {
    let (choice, part) = (0, 0);
    let text = |part, text: &str| Event::Delta {
        choice,
        part,
        delta: Delta::Text(text.to_owned()),
    };
    let events = [
        Event::Open {
            choice,
            part,
            kind: Kind::Reasoning,
        },
        text(0, "hm"),
        Event::Delta {
            choice,
            part,
            delta: Delta::Signature("proof".to_owned()),
        },
        Event::Close { choice, part },
        Event::Open {
            choice,
            part: 1,
            kind: Kind::Text,
        },
        text(1, "a"),
        text(1, "b"),
        Event::Close { choice, part: 1 },
        Event::Stop {
            choice,
            stop: Stop::End,
        },
        Event::End,
    ];
    let array = json(&written(&events, Framing::Array));
    let signatures: Vec<_> = array
        .as_array()
        .unwrap()
        .iter()
        .map(|chunk| chunk["candidates"][0]["content"]["parts"][0]["thoughtSignature"].as_str())
        .collect();
    assert_eq!(signatures, [None, Some("proof"), None, None]);
}
