//! Streams: the same events however they are cut, and the same answer as in one piece.
//!
//! Knows the fixtures that hold one answer in both forms.

use dialect::{
    chat::answer,
    neutral::{Class, Content, Event, Stop},
};
use fastrand::Rng;

use super::{
    fixture::{self, seed},
    told,
};

fn decode(name: &str) -> Vec<Event> {
    told::decode([fixture::read(name).as_bytes()])
}

#[test]
fn every_stream_is_the_same_however_it_is_cut_and_ends_as_it_should() {
    let mut rng = Rng::with_seed(11);
    for (name, stream) in fixture::all("stream-") {
        println!("{name}");
        let events = told::decode_cut(stream.as_bytes(), &mut rng);
        let broken = name.starts_with("stream-broken-") && name != "stream-broken-finish.sse";
        let error = matches!(events.last(), Some(Event::Error(_)));
        assert_eq!(error, broken, "{name}: {:?}", events.last());
    }
}

#[test]
fn a_stream_tells_the_same_answer_as_one_piece() {
    for name in [
        "plain",
        "zero-arguments",
        "refusal",
        "reasoning",
        "reasoning-details",
        "mistral",
        "tools",
    ] {
        let body = fixture::read(&format!("answer-{name}.json"));
        let whole = told::without_extras(answer::decode(&body, &seed()).unwrap());
        let folded = told::fold(&decode(&format!("stream-{name}.sse")));
        assert_eq!(folded, whole, "{name}");
    }
}

#[test]
fn a_stream_that_breaks_off_is_an_error_and_says_which() {
    let error = |name: &str| match decode(name).pop() {
        Some(Event::Error(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(error("stream-broken-cut.sse").class, Class::Provider);
    assert_eq!(error("stream-broken-done.sse").class, Class::Provider);
    assert_eq!(
        error("stream-broken-error.sse").message,
        "The provider went away"
    );
    let failed = error("stream-broken-event.sse");
    assert_eq!(
        (failed.class, failed.code.as_deref()),
        (Class::InvalidRequest, Some("tool_use_failed"))
    );
    let limited = error("stream-broken-first.sse");
    assert_eq!(
        (limited.class, limited.retry_after_ms),
        (Class::RateLimited, Some(2_500))
    );
    assert_eq!(decode("stream-broken-first.sse").len(), 1);
    assert_eq!(error("stream-broken-vllm.sse").message, "boom");
    let stops = decode("stream-broken-finish.sse");
    assert!(stops.contains(&Event::Stop {
        choice: 0,
        stop: Stop::Failed("error".into())
    }));
}

#[test]
fn calls_that_come_mixed_are_told_one_by_one() {
    let answer = told::fold(&decode("stream-tools-mixed.sse"));
    let calls = answer.choices[0]
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::ToolCall { id, arguments, .. } => format!("{id} {arguments}"),
            Content::Text(text) => text.clone(),
            other => panic!("{other:?}"),
        });
    let calls = calls.collect::<Vec<_>>();
    assert_eq!(
        calls,
        [r#"a {"city":"Rome"}"#, r#"b {"city":"Oslo"}"#, "Wait."]
    );
}

#[test]
fn calls_without_numbers_or_ids_are_told_apart() {
    let calls = |name: &str| -> Vec<(String, String, String)> {
        let answer = told::fold(&decode(name));
        let parts = answer.choices[0]
            .parts
            .iter()
            .filter_map(|part| match &part.content {
                Content::ToolCall {
                    id,
                    name,
                    arguments,
                } => Some((id.clone(), name.clone(), arguments.clone())),
                _ => None,
            });
        parts.collect()
    };
    let oslo = r#"{"city":"Oslo"}"#;
    let call = |id: &str, name: &str, arguments: &str| {
        (id.to_owned(), name.to_owned(), arguments.to_owned())
    };
    assert_eq!(
        calls("stream-tools-same-index.sse"),
        [call("a", "now", "{}"), call("b", "weather", oslo)]
    );
    let ids = [seed().tool_call_id(0), seed().tool_call_id(1)];
    assert_eq!(
        calls("stream-tools-without-ids.sse"),
        [call(&ids[0], "now", "{}"), call(&ids[1], "weather", oslo)]
    );
}

#[test]
fn a_call_is_told_as_soon_as_its_first_argument_comes() {
    let stream = fixture::read("stream-tools.sse");
    let end = stream.find("\"Rome").unwrap();
    let end = stream[..end].rfind("\n\n").unwrap() + 2;
    let mut decoder = dialect::chat::decoder::Decoder::new(&seed());
    let mut events = Vec::new();
    decoder.push(&stream.as_bytes()[..end], &mut events);
    assert!(
        matches!(events.last(), Some(Event::Delta { .. })),
        "{events:?}"
    );
}

#[test]
fn azure_s_chunks_without_choices_or_delta_are_no_start_and_no_word() {
    let events = decode("stream-azure.sse");
    let start = events
        .iter()
        .find(|event| matches!(event, Event::Start { .. }));
    let expected = Event::Start {
        id: "chatcmpl-1".into(),
        model: "m-1-2026".into(),
        created_seconds: Some(1_700_000_000),
    };
    assert_eq!(start, Some(&expected));
}

#[test]
fn usage_that_is_told_often_is_the_last() {
    for name in ["stream-groq.sse", "stream-continuous-usage.sse"] {
        let tokens = told::fold(&decode(name)).tokens.unwrap();
        assert_eq!((tokens.input, tokens.output), (10, 5), "{name}");
    }
    let usages = decode("stream-groq.sse")
        .into_iter()
        .filter(|event| matches!(event, Event::Usage(_)));
    assert_eq!(usages.count(), 1);
}

#[test]
fn google_s_proof_stands_before_its_call() {
    let answer = told::fold(&decode("stream-google.sse"));
    let proof = Content::Reasoning {
        text: String::new(),
        signature: Some("R29vZ2xl".into()),
    };
    assert_eq!(answer.choices[0].parts[0].content, proof);
    assert!(matches!(
        answer.choices[0].parts[1].content,
        Content::ToolCall { .. }
    ));
}

#[test]
fn padding_is_no_extra_and_the_same_member_is_told_once() {
    let names: Vec<String> = decode("stream-plain.sse")
        .into_iter()
        .filter_map(|event| match event {
            Event::Extra(extra) => Some(extra.name),
            _ => None,
        })
        .collect();
    assert_eq!(names, ["system_fingerprint"]);
}

#[test]
fn nothing_follows_the_end() {
    let stream = fixture::read("stream-plain.sse");
    let twice = format!("{stream}{stream}");
    assert_eq!(
        told::decode([twice.as_bytes()]),
        told::decode([stream.as_bytes()])
    );
}
