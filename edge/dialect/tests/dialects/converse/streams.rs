//! Streams, however they are cut, there and back, and beside the same answers whole.

use dialect::{
    Tokens,
    converse::answer,
    neutral::{Class, Event},
};
use fastrand::Rng;
use serde_json::Value;

use crate::converse::{answers, cases, grammar};

#[test]
fn every_stream_is_the_same_however_it_is_cut() {
    for (name, case) in cases::all("stream-")
        .into_iter()
        .chain(cases::all("broken-"))
    {
        let bytes = cases::frames(&case["events"]).concat();
        let whole = cases::decode(&bytes, &[]);
        grammar::check(&whole);
        for cut in 0..=bytes.len() {
            assert_eq!(cases::decode(&bytes, &[cut]), whole, "{name} cut at {cut}");
        }
        let mut rng = Rng::with_seed(3);
        for _ in 0..20 {
            let mut cuts: Vec<_> = (0..rng.usize(1..60))
                .map(|_| rng.usize(..=bytes.len()))
                .collect();
            cuts.sort_unstable();
            assert_eq!(
                cases::decode(&bytes, &cuts),
                whole,
                "{name} cut at {cuts:?}"
            );
        }
        let each: Vec<_> = (0..bytes.len()).collect();
        assert_eq!(cases::decode(&bytes, &each), whole, "{name} byte by byte");
    }
}

#[test]
fn every_stream_ends_well_and_goes_back_as_it_came() {
    for (name, case) in cases::all("stream-") {
        let bytes = cases::frames(&case["events"]).concat();
        let events = cases::decode(&bytes, &[]);
        assert_eq!(events.last(), Some(&Event::End), "{name}");
        let again = cases::encode(&events);
        // A call without arguments is written with empty ones: what is put together of it is the same.
        let read = cases::decode(&again, &[]);
        assert_eq!(grammar::fold(&read), grammar::fold(&events), "{name}");
        assert_eq!(extras(&read), extras(&events), "{name}");
        let original = case["events"].as_array().unwrap();
        assert_eq!(
            cases::plain(&cases::events(&again)),
            cases::plain(original),
            "{name}"
        );
    }
}

/// What only this dialect has, in its order.
fn extras(events: &[Event]) -> Vec<&Event> {
    let extras = events.iter();
    extras.filter(|it| matches!(it, Event::Extra(_))).collect()
}

#[test]
fn a_stream_says_what_the_same_answer_says_whole() {
    let mut seen = 0;
    for (name, case) in cases::all("stream-") {
        let events = cases::decode(&cases::frames(&case["events"]).concat(), &[]);
        let folded = grammar::fold(&events);
        assert_eq!(folded.tokens, Some(tokens(&case["tokens"])), "{name}");
        if case["answer"].is_null() {
            continue;
        }
        let whole = answer::decode(&case["answer"].to_string(), &cases::seed()).unwrap();
        assert_eq!(grammar::plain(folded), grammar::plain(whole), "{name}");
        seen += 1;
    }
    assert!(seen >= 12, "only {seen}");
}

/// Input, cached input, cache writes and those for an hour, and output, as worked out by hand.
fn tokens(counts: &Value) -> Tokens {
    let count = |at: usize| counts[at].as_u64().unwrap();
    Tokens {
        input: count(0),
        cached_input: count(1),
        cache_write: count(2),
        cache_write_hour: count(3),
        output: count(4),
        ..Tokens::default()
    }
}

#[test]
fn every_broken_stream_ends_in_its_error() {
    for (name, case) in cases::all("broken-") {
        let events = cases::decode(&cases::frames(&case["events"]).concat(), &[]);
        let Some(Event::Error(error)) = events.last() else {
            panic!("{name}: {events:?}")
        };
        let expected = answers::class(case["class"].as_str().unwrap());
        assert_eq!(error.class, expected, "{name}");
        assert!(!events.contains(&Event::End), "{name}");
        // And so does what is written of it.
        let again = cases::decode(&cases::encode(&events), &[]);
        assert!(
            matches!(again.last(), Some(Event::Error(it)) if it.class == expected),
            "{name}"
        );
    }
}

#[test]
fn a_stream_that_ends_anywhere_before_its_end_is_an_error() {
    for (name, case) in cases::all("stream-") {
        let frames = cases::frames(&case["events"]);
        let bytes = frames.concat();
        let stop_ends = bytes.len() - frames.last().unwrap().len();
        for end in 0..bytes.len() {
            let events = cases::decode(&bytes[..end], &[]);
            grammar::check(&events);
            if end == stop_ends {
                assert_eq!(
                    events.last(),
                    Some(&Event::End),
                    "{name}: only usage is missing"
                );
                continue;
            }
            let failed =
                matches!(events.last(), Some(Event::Error(it)) if it.class == Class::Provider);
            assert!(failed, "{name} ended at {end}");
        }
    }
}

#[test]
fn frames_may_come_in_odd_orders() {
    let frames = |json: &str| cases::frames(&serde_json::from_str(json).unwrap()).concat();
    // No beginning, a block without an end, one kind turning into another, usage before the stop, words behind it.
    let odd = frames(
        r#"[{"event":"metadata","payload":{"usage":{"inputTokens":1,"outputTokens":1}}},
        {"event":"contentBlockDelta","payload":{"contentBlockIndex":4,"delta":{"reasoningContent":{"text":"a"}}}},
        {"event":"contentBlockDelta","payload":{"contentBlockIndex":4,"delta":{"text":"b"}}},
        {"event":"contentBlockDelta","payload":{"contentBlockIndex":2,"delta":{"text":"c"}}},
        {"event":"contentBlockStop","payload":{"contentBlockIndex":9}},
        {"event":"messageStart","payload":{"role":"assistant"}},
        {"event":"messageStop","payload":{"stopReason":"end_turn"}},
        {"event":"contentBlockDelta","payload":{"contentBlockIndex":5,"delta":{"text":"d"}}},
        {"event":"messageStop","payload":{"stopReason":"max_tokens"}}]"#,
    );
    let events = cases::decode(&odd, &[]);
    grammar::check(&events);
    assert_eq!(events.last(), Some(&Event::End));
    assert_eq!(grammar::fold(&events).choices[0].parts.len(), 3);
    let malformed = frames(r#"[{"event":"contentBlockDelta","payload":{"delta":{"text":1}}}]"#);
    assert!(matches!(
        cases::decode(&malformed, &[]).last(),
        Some(Event::Error(_))
    ));
}
