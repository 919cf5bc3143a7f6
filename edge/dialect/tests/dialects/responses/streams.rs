//! Streams of our own making: whole, cut, broken, and split anywhere.
//!
//! Knows no encoder.

use dialect::neutral::{Class, Content, Delta, Event, Kind, Stop};
use dialect::responses::answer;
use fastrand::Rng;
use serde_json::Value;

use super::{bare, decode, fixture, fixtures, fold, seed};

/// The response in the last event of a stream.
pub(super) fn whole(stream: &str) -> Option<String> {
    let last = stream.lines().rfind(|line| line.starts_with("data:"))?;
    let event: Value = serde_json::from_str(last.strip_prefix("data:")?).ok()?;
    let kind = event["type"].as_str()?;
    let whole = matches!(kind, "response.completed" | "response.incomplete");
    whole.then(|| event["response"].to_string())
}

#[test]
fn a_stream_says_what_the_whole_answer_says() {
    let mut checked = 0;
    for name in fixtures("stream-") {
        let stream = fixture(&name);
        let folded = fold(&decode([stream.as_bytes()]));
        if let Some(response) = whole(&stream) {
            let answer = answer::decode(&response, &seed()).unwrap();
            assert_eq!(bare(&folded), bare(&answer), "{name}");
            assert_eq!((folded.id, folded.model), (answer.id, answer.model));
            checked += 1;
        }
    }
    assert_eq!(checked, 8);
}

#[test]
fn how_a_stream_is_split_makes_no_difference() {
    for name in fixtures("stream-") {
        for ends in ["\n", "\r\n"] {
            let stream = fixture(&name).replace('\n', ends);
            let bytes = stream.as_bytes();
            let expected = decode([bytes]);
            // Every place of one stream, and some of the others, which are long.
            let every = name == "stream-error-flat.sse";
            let mut rng = Rng::with_seed(1);
            let places = if every { bytes.len() } else { 60 };
            for at in 0..places {
                let at = if every { at } else { rng.usize(0..bytes.len()) };
                let (head, tail) = bytes.split_at(at);
                assert_eq!(decode([head, tail]), expected, "{name} split at {at}");
            }
            for seed in 0..8 {
                let mut rng = Rng::with_seed(seed);
                let mut pieces = Vec::new();
                let mut rest = bytes;
                while !rest.is_empty() {
                    let (piece, behind) = rest.split_at(rng.usize(1..=rest.len().min(400)));
                    pieces.push(piece);
                    rest = behind;
                }
                assert_eq!(decode(pieces), expected, "{name}, seed {seed}");
            }
        }
    }
}

#[test]
fn a_stream_that_ends_early_is_an_error_wherever_it_is_cut() {
    let stream = fixture("stream-tools.sse");
    let end = stream.find("event: response.completed").unwrap();
    for at in (0..end).step_by(5) {
        let events = decode([&stream.as_bytes()[..at]]);
        fold(&events);
        let Some(Event::Error(error)) = events.last() else {
            panic!("{at}: {events:?}");
        };
        assert_eq!(error.class, Class::Provider);
        assert!(!events.iter().any(|it| matches!(it, Event::Stop { .. })));
    }
    assert!(matches!(
        decode([fixture("stream-cut.sse").as_bytes()]).last(),
        Some(Event::Error(_))
    ));
}

#[test]
fn an_error_in_a_stream_is_its_end() {
    let cases = [
        ("stream-error.sse", Class::RateLimited, Some(1_500)),
        ("stream-failed.sse", Class::RateLimited, Some(1_500)),
        ("stream-error-flat.sse", Class::Provider, None),
        ("stream-error-bare.sse", Class::Overloaded, None),
    ];
    for (name, class, retry_after_ms) in cases {
        let events = decode([fixture(name).as_bytes()]);
        fold(&events);
        let ([.., Event::Error(error)] | [.., Event::Error(error), Event::Usage(_)]) = &events[..]
        else {
            panic!("{name}: {events:?}");
        };
        assert_eq!(
            (error.class, error.retry_after_ms),
            (class, retry_after_ms),
            "{name}"
        );
    }
    // What a failure cost is told before it.
    let events = decode([fixture("stream-failed.sse").as_bytes()]);
    let used = events
        .iter()
        .any(|it| matches!(it, Event::Usage(tokens) if tokens.input == 12));
    assert!(used);
}

#[test]
fn the_proof_of_a_reasoning_is_that_of_the_whole_item() {
    let events = decode([fixture("stream-reasoning.sse").as_bytes()]);
    let proofs: Vec<&Event> = events
        .iter()
        .filter(|it| {
            matches!(
                it,
                Event::Delta {
                    delta: Delta::Signature(_),
                    ..
                }
            )
        })
        .collect();
    let delta = Delta::Signature("gAAAAAseal+/=".to_owned());
    assert_eq!(
        proofs,
        [&Event::Delta {
            choice: 0,
            part: 0,
            delta
        }]
    );
}

fn event(json: &str) -> String {
    format!("data: {json}\n\n")
}

fn events(jsons: &[&str]) -> Vec<Event> {
    let stream: String = jsons.iter().map(|json| event(json)).collect();
    let events = decode([stream.as_bytes()]);
    fold(&events);
    events
}

const COMPLETED: &str = r#"{"type":"response.completed","response":{"status":"completed"}}"#;

#[test]
fn items_that_interleave_are_put_in_a_row() {
    let said = fold(&events(&[
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"a","name":"f","arguments":""}}"#,
        r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"b","name":"g","arguments":""}}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"y\""}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"x\":1}"}"#,
        r#"{"type":"response.function_call_arguments.delta","output_index":1,"delta":":2}"}"#,
        COMPLETED,
    ]));
    let calls: Vec<_> = said.choices[0]
        .parts
        .iter()
        .map(|it| it.content.clone())
        .collect();
    let call = |id: &str, name: &str, arguments: &str| Content::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    };
    assert_eq!(
        calls,
        [call("a", "f", "{\"x\":1}"), call("b", "g", "{\"y\":2}")]
    );
    assert_eq!(said.choices[0].stop, Some(Stop::ToolCalls));
}

#[test]
fn what_a_provider_leaves_out_is_made_up_for() {
    // Only whole items.
    let item = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi"}]}}"#;
    let text = vec![Content::Text("Hi".to_owned())];
    assert_eq!(bare(&fold(&events(&[item, COMPLETED]))).0, text);
    // Only the last event.
    let last = r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi"}]}]}}"#;
    let only = fold(&events(&[last]));
    assert_eq!((bare(&only).0, only.id.as_str()), (text.clone(), "resp_1"));
    // Only pieces, and one item's number for its part's, as some servers write it.
    let piece =
        r#"{"type":"response.output_text.delta","output_index":1,"content_index":1,"delta":"Hi"}"#;
    let done = item.replace("\"output_index\":0", "\"output_index\":1");
    assert_eq!(bare(&fold(&events(&[piece, COMPLETED]))).0, text);
    assert_eq!(bare(&fold(&events(&[piece, &done, COMPLETED]))).0, text);
    // No numbers at all, and the other dialect's end.
    let bare_piece = r#"{"type":"response.output_text.delta","delta":"Hi"}"#;
    let stream = format!("{}{}data: [DONE]\n\n", event(bare_piece), event(COMPLETED));
    assert_eq!(bare(&fold(&decode([stream.as_bytes()]))).0, text);
}

#[test]
fn several_items_of_one_number_are_several_parts() {
    let added = |id: &str| {
        format!(
            r#"{{"type":"response.output_item.added","output_index":0,"item":{{"type":"function_call","call_id":"{id}","name":"f","arguments":""}}}}"#
        )
    };
    let all = events(&[&added("a"), &added("b"), COMPLETED]);
    let opened = all.iter().filter_map(|event| match event {
        Event::Open {
            kind: Kind::ToolCall { id, .. },
            part,
            ..
        } => Some((*part, id.as_str())),
        _ => None,
    });
    assert_eq!(opened.collect::<Vec<_>>(), [(0, "a"), (1, "b")]);
}

#[test]
fn a_call_without_an_id_gets_one_of_ours() {
    let item = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","name":"f","arguments":"{}"}}"#;
    let (said, ..) = bare(&fold(&events(&[item, COMPLETED])));
    let [Content::ToolCall { id, .. }] = said.as_slice() else {
        panic!("{said:?}");
    };
    assert_eq!(*id, seed().tool_call_id(0));
}

#[test]
fn thoughts_that_say_nothing_are_no_part() {
    let item = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[]}}"#;
    let all = events(&[item, COMPLETED]);
    assert!(!all.iter().any(|it| matches!(it, Event::Open { .. })));
}

#[test]
fn raw_thoughts_are_thoughts_too() {
    let all = events(&[
        r#"{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"Hm"}"#,
        r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"Summary"}"#,
        COMPLETED,
    ]);
    let text = "Hm".to_owned();
    assert_eq!(
        bare(&fold(&all)).0,
        [Content::Reasoning {
            text,
            signature: None
        }]
    );
}

#[test]
fn too_much_that_waits_ends_the_stream() {
    let first = r#"{"type":"response.output_text.delta","output_index":0,"delta":"x"}"#;
    let long = "y".repeat(1 << 20);
    let other =
        format!(r#"{{"type":"response.output_text.delta","output_index":1,"delta":"{long}"}}"#);
    let mut all = vec![first];
    all.extend([other.as_str(); 12]);
    all.push(COMPLETED);
    assert!(
        matches!(events(&all).last(), Some(Event::Error(error)) if error.class == Class::Provider)
    );
}
