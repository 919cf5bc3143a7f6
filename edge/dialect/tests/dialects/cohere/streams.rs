//! Streams: read with any cuts, folded into what the whole answer says, and written again.

use dialect::{
    Tokens,
    cohere::{answer, decoder::Decoder, encoder::Encoder},
    neutral::{Class, Content, Delta, Error, Event, Extra, Family, Kind, Part, Stop},
};
use fastrand::Rng;
use serde_json::{Value, json};

use super::{
    fixture,
    fold::{events, fold, stream},
};

/// Writes events, and reads what was written.
pub(crate) fn again(events: &[Event]) -> (String, Vec<Event>) {
    let (mut encoder, mut out) = (Encoder::new(&fixture::seed()), Vec::new());
    for event in events {
        encoder.push(event, &mut out);
    }
    let read = super::fold::events(&out, &[]);
    (String::from_utf8(out).unwrap(), read)
}

/// Events without what is written otherwise: a call without arguments has `{}`, and content of a type that is not known
/// cannot be numbered.
pub(crate) fn normal(events: &[Event]) -> Vec<Event> {
    let stays = |event: &&Event| match event {
        Event::Delta {
            delta: Delta::Arguments(arguments),
            ..
        } => arguments != "{}",
        Event::Extra(extra) => !extra.name.starts_with("content-"),
        _ => true,
    };
    events.iter().filter(stays).cloned().collect()
}

#[test]
fn every_cut_of_every_stream_gives_the_same_events() {
    for name in fixture::names("stream-") {
        let stream = fixture::read(&name).into_bytes();
        let whole = events(&stream, &[]);
        for cut in 0..=stream.len() {
            assert_eq!(events(&stream, &[cut]), whole, "{name} cut at {cut}");
        }
        let single: Vec<usize> = (0..stream.len()).collect();
        assert_eq!(events(&stream, &single), whole, "{name} byte by byte");
        let mut rng = Rng::with_seed(11);
        for _ in 0..50 {
            let cuts: Vec<usize> = (0..8).map(|_| rng.usize(..=stream.len())).collect();
            assert_eq!(events(&stream, &cuts), whole, "{name} cut at {cuts:?}");
        }
    }
}

#[test]
fn a_stream_says_what_the_whole_answer_says() {
    for kind in ["plain", "tools", "reasoning", "length"] {
        let stream = fixture::read(&format!("stream-{kind}.sse"));
        let (mut folded, error) = fold(&events(stream.as_bytes(), &[]));
        let body = fixture::read(&format!("answer-{kind}.json"));
        let mut whole = answer::decode(&body, &fixture::seed()).unwrap();
        // Citations and likelihoods come as events of their own.
        whole.choices[0].extra.clear();
        whole.extra.retain(|extra| extra.name == "usage");
        for answer in [&mut folded, &mut whole] {
            for extra in &mut answer.extra {
                let usage: Value = serde_json::from_str(extra.value.as_str()).unwrap();
                *extra = Extra::new(Family::Cohere, "usage", &usage.to_string());
            }
        }
        assert_eq!((folded, error), (whole, None), "{kind}");
    }
}

#[test]
fn every_stream_is_written_so_that_it_reads_the_same() {
    for name in fixture::names("stream-") {
        let stream = fixture::read(&name);
        let read = events(stream.as_bytes(), &[]);
        fold(&read);
        let (written, again) = again(&read);
        assert_eq!(normal(&again), normal(&read), "{name}: {written}");
        assert_eq!(written.matches("message-start\"").count(), 1);
        assert_eq!(written.matches("event: message-end\n").count(), 1);
        assert!(written.ends_with("data: [DONE]\n\n"));
        check_grammar(&written);
    }
}

#[test]
fn parallel_calls_are_numbered_and_a_call_without_arguments_has_an_empty_object() {
    let stream = fixture::read("stream-tools.sse");
    let (written, _) = again(&events(stream.as_bytes(), &[]));
    assert!(written.contains(r#""index":1,"delta":{"message":{"tool_calls":{"id":"now_c3""#));
    assert!(written.contains(r#"{"type":"tool-call-delta","index":1,"delta":{"message":{"tool_calls":{"function":{"arguments":"{}"}}}}}"#));
}

#[test]
fn an_error_in_a_stream_that_began_well_is_an_error() {
    for (name, class, message, tokens) in [
        (
            "stream-error-at-end.sse",
            Class::Provider,
            "invalid tool generation",
            None,
        ),
        (
            "stream-error-with-usage.sse",
            Class::Timeout,
            "failed to finish",
            Some(Tokens {
                input: 104,
                output: 1,
                ..Tokens::default()
            }),
        ),
        (
            "stream-error-event.sse",
            Class::Provider,
            "internal server error",
            None,
        ),
        (
            "stream-broken-off.sse",
            Class::Provider,
            "broke the answer off",
            None,
        ),
    ] {
        let events = events(fixture::read(name).as_bytes(), &[]);
        let (answer, error) = fold(&events);
        let error = error.unwrap();
        assert_eq!(error.class, class, "{name}");
        assert!(error.message.contains(message), "{name}: {}", error.message);
        assert_eq!(answer.tokens, tokens);
        assert!(!events.contains(&Event::End));
    }
}

#[test]
fn no_stream_ends_well_that_was_cut_short() {
    for name in [
        "stream-plain.sse",
        "stream-tools.sse",
        "stream-reasoning.sse",
    ] {
        let stream = fixture::read(name);
        let end = stream.find("event: message-end").unwrap();
        for cut in 0..end {
            let events = events(&stream.as_bytes()[..cut], &[]);
            assert!(fold(&events).1.is_some(), "{name} cut at {cut}");
        }
    }
}

#[test]
fn empty_content_opens_no_part() {
    let events = events(fixture::read("stream-odd.sse").as_bytes(), &[]);
    let opened = |event: &&Event| matches!(event, Event::Open { .. });
    assert_eq!(events.iter().filter(opened).count(), 1);
    let (answer, _) = fold(&events);
    assert_eq!(
        answer.choices[0].parts[0].content,
        Content::Text("Ja 😀\u{2028}".to_owned())
    );
    assert_eq!(answer.choices[0].stop, Some(Stop::End));
}

#[test]
fn content_that_begins_anew_is_a_part_of_its_own() {
    let content = |step: &str, index: u32, text: &str| json!({"type": step, "index": index, "delta": {"message": {"content": {"type": "text", "text": text}}}});
    let data = [
        content("content-start", 0, "a"),
        content("content-start", 1, ""),
        content("content-delta", 1, "b"),
        json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}),
    ];
    let (answer, error) = fold(&events(stream(data).as_bytes(), &[]));
    assert_eq!(error, None);
    assert_eq!(answer.choices[0].parts, [Part::text("a"), Part::text("b")]);
}

#[test]
fn calls_out_of_order_and_events_that_cannot_be_read_are_errors() {
    let start = r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"a","function":{"name":"f"}}}}}"#;
    let delta = |index: u32| {
        format!(
            r#"{{"type":"tool-call-delta","index":{index},"delta":{{"message":{{"tool_calls":{{"function":{{"arguments":"1"}}}}}}}}}}"#
        )
    };
    let nameless = r#"{"type":"tool-call-start","delta":{"message":{"tool_calls":{"id":"a"}}}}"#;
    for data in [
        vec![start.to_owned(), delta(1)],
        vec![delta(0)],
        vec![nameless.to_owned()],
        vec!["{".to_owned()],
        vec![r#"{"type":"content-delta","delta":7}"#.to_owned()],
        vec![r#"{"type":"message-end","delta":{"finish_reason":1}}"#.to_owned()],
        vec![r#"{"type":"message-end","delta":{}}"#.to_owned()],
        vec![r#"{"message":"overloaded"}"#.to_owned()],
    ] {
        let stream = stream(data);
        let (_, error) = fold(&events(stream.as_bytes(), &[]));
        assert_eq!(error.unwrap().class, Class::Provider, "{stream}");
    }
}

#[test]
fn an_event_too_long_to_keep_ends_the_stream() {
    let (mut decoder, mut out) = (Decoder::new(&fixture::seed()), Vec::new());
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..6 {
        decoder.push(&piece, &mut out);
    }
    let ended = |out: &[Event]| match out {
        [Event::Error(error)] => error.message.contains("longer than"),
        _ => false,
    };
    assert!(ended(&out), "{out:?}");
    decoder.finish(&mut out);
    assert!(ended(&out), "{out:?}");
}

#[test]
fn events_of_others_are_written_in_cohere_s_grammar() {
    let open = |part, kind| Event::Open {
        choice: 0,
        part,
        kind,
    };
    let delta = |part, delta| Event::Delta {
        choice: 0,
        part,
        delta,
    };
    let close = |part| Event::Close { choice: 0, part };
    let events = [
        Event::Ping,
        open(0, Kind::Reasoning),
        delta(0, Delta::Text("Hm.".to_owned())),
        delta(0, Delta::Signature("sealed".to_owned())),
        close(0),
        Event::Extra(Extra::new(Family::Chat, "service_tier", "\"x\"")),
        Event::Open {
            choice: 1,
            part: 0,
            kind: Kind::Text,
        },
        Event::Delta {
            choice: 1,
            part: 0,
            delta: Delta::Text("other".to_owned()),
        },
        Event::Close { choice: 1, part: 0 },
        open(1, Kind::Refusal),
        delta(1, Delta::Text("No.".to_owned())),
        close(1),
        Event::Stop {
            choice: 0,
            stop: Stop::Refused(Some("Because.".to_owned())),
        },
        Event::Usage(Tokens {
            input: 3,
            output: 2,
            ..Tokens::default()
        }),
        Event::End,
        Event::Error(Error::new(Class::Provider, "late")),
    ];
    let (written, read) = again(&events);
    check_grammar(&written);
    for absent in ["sealed", "other", "service_tier", "Because", "late"] {
        assert!(!written.contains(absent), "{absent} in {written}");
    }
    let (answer, error) = fold(&read);
    assert_eq!(error, None);
    assert_eq!(answer.id, "0190-ab");
    assert_eq!(answer.choices[0].stop, Some(Stop::End));
    assert_eq!(answer.tokens.map(|tokens| tokens.total()), Some(5));
    let said = &answer.choices[0].parts;
    assert!(matches!(&said[0].content, Content::Reasoning { text, .. } if text == "Hm."));
    assert_eq!(said[1].content, Content::Text("No.".to_owned()));
}

#[test]
fn a_refusal_without_words_gets_its_reason_and_a_name_cannot_leave_its_line() {
    let events = [
        Event::Extra(Extra::new(Family::Cohere, "a\nevent: b", "{}")),
        Event::Extra(Extra::new(Family::Cohere, "debug", "{\n}")),
        Event::Stop {
            choice: 0,
            stop: Stop::Refused(Some("Because.".to_owned())),
        },
        Event::End,
    ];
    let (written, read) = again(&events);
    check_grammar(&written);
    assert!(!written.contains("event: b"));
    assert!(written.contains("event: debug\ndata: { }\n\n"));
    let (answer, _) = fold(&read);
    assert_eq!(
        answer.choices[0].parts[0].content,
        Content::Text("Because.".to_owned())
    );
}

#[test]
fn broken_streams_keep_the_grammar_and_never_panic() {
    let fixtures: Vec<Vec<u8>> = fixture::names("stream-")
        .iter()
        .map(|name| fixture::read(name).into_bytes())
        .collect();
    let mut well = 0;
    for seed in 0..2_000 {
        let mut rng = Rng::with_seed(seed);
        let mut stream = fixtures[rng.usize(..fixtures.len())].clone();
        for _ in 0..rng.usize(1..5) {
            mutate(&mut rng, &mut stream);
        }
        let cut = rng.usize(..=stream.len());
        let read = events(&stream, &[cut]);
        let (_, error) = fold(&read);
        well += u32::from(error.is_none());
        check_grammar(&again(&read).0);
    }
    assert!(well > 100, "only {well} streams still ended well");
}

/// Every event is one name and one object of that type; content and calls are numbered from 0 and closed.
fn check_grammar(stream: &str) {
    let (mut open, mut next, mut done) = (None, [0, 0], false);
    for event in stream
        .split_terminator("\n\n")
        .filter(|event| !event.starts_with(':'))
    {
        assert!(!done, "{event} comes behind [DONE]");
        if event == "data: [DONE]" {
            done = true;
            continue;
        }
        let (name, data) = event.split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        let Some((what @ ("content" | "tool-call"), step)) = name.rsplit_once('-') else {
            assert!(name != "message-end" || open.is_none());
            continue;
        };
        assert_eq!(data["type"], name);
        let number = &mut next[usize::from(what == "tool-call")];
        assert_eq!(data["index"], *number, "{event}");
        match step {
            "start" => assert_eq!(open.replace(what), None, "{stream}"),
            "end" => {
                assert_eq!(open.take(), Some(what), "{stream}");
                *number += 1;
            }
            _ => assert_eq!(open, Some(what), "{stream}"),
        }
    }
}

fn mutate(rng: &mut Rng, stream: &mut Vec<u8>) {
    if stream.is_empty() {
        return;
    }
    let at = rng.usize(..stream.len());
    let to = rng.usize(at..stream.len().min(at + 300));
    match rng.u8(..6) {
        0 => stream[at] = rng.u8(..),
        1 => stream.insert(at, b"\n\r\"{}[]\\:,0"[rng.usize(..11)]),
        2 => drop(stream.drain(at..to)),
        3 => stream.truncate(at),
        4 => {
            let copy = stream[at..to].to_vec();
            stream.splice(at..at, copy);
        }
        _ => {
            // Whole events out of their order.
            let mut events: Vec<String> = String::from_utf8_lossy(stream)
                .split_inclusive("\n\n")
                .map(str::to_owned)
                .collect();
            rng.shuffle(&mut events);
            *stream = events.concat().into_bytes();
        }
    }
}
