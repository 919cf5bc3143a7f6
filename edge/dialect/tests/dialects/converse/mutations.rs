//! Whatever a client or a provider sends: no panic, and the grammar holds. From fixed seeds; a failure names its own.

use dialect::{
    aws::invoke,
    converse::{
        answer, error,
        request::{self, Target},
        usage,
    },
};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::converse::{cases, grammar};

const ROUNDS: u64 = 400;

/// Some bytes changed, taken out, doubled or put in.
fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(..=bytes.len());
        match rng.u8(..5) {
            0 if at < bytes.len() => bytes[at] = rng.u8(..),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.insert(at, b"{}[]\",:0e-\\ntu\xff"[rng.usize(..15)]),
            3 => bytes.truncate(at),
            _ => {
                let from = rng.usize(..=at);
                let piece = bytes[from..at].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}

/// Some value somewhere in it becomes another, or another's.
fn change(rng: &mut Rng, value: &mut Value) {
    let leaf = match value {
        Value::Object(members) if !members.is_empty() && rng.u8(..6) > 0 => {
            let at = rng.usize(..members.len());
            return change(rng, members.values_mut().nth(at).unwrap());
        }
        Value::Array(elements) if !elements.is_empty() && rng.u8(..6) > 0 => {
            let at = rng.usize(..elements.len());
            return change(rng, &mut elements[at]);
        }
        leaf => leaf,
    };
    *leaf = [
        json!(null),
        json!(""),
        json!("x"),
        json!(-1),
        json!(1e300),
        json!([]),
        json!({}),
        json!([{}]),
        json!({"text": {"toolUse": 1}}),
        json!(true),
    ][rng.usize(..10)]
    .clone();
}

#[test]
fn no_body_makes_anything_panic() {
    let seed = cases::seed();
    let requests = cases::all("request-");
    let answers = cases::all("answer-");
    let models = [
        "m",
        "claude-opus-4-6",
        "amazon.nova-2-lite",
        "meta.llama3",
        "openai.gpt-oss",
    ];
    for round in 0..ROUNDS {
        let mut rng = Rng::with_seed(round);
        let mut body = requests[rng.usize(..requests.len())].1["body"].clone();
        for _ in 0..rng.usize(..3) {
            change(&mut rng, &mut body);
        }
        let mut bytes = body.to_string().into_bytes();
        if rng.bool() {
            mutate(&mut rng, &mut bytes);
        }
        let text = String::from_utf8_lossy(&bytes);
        let model = models[rng.usize(..models.len())];
        if let Ok(read) = request::decode(&text, model, rng.bool())
            && let Ok(encoded) = request::encode(&read, &Target::new(model))
        {
            let again: Result<Value, _> = serde_json::from_slice(&encoded.body);
            let written = String::from_utf8_lossy(&encoded.body);
            assert!(again.is_ok(), "round {round}: {written}");
            let again = request::decode(&written, model, read.stream);
            assert!(again.is_ok(), "round {round}: {again:?} of {written}");
        }
        let mut body = answers[rng.usize(..answers.len())].1.clone();
        change(&mut rng, &mut body);
        let mut bytes = body.to_string().into_bytes();
        if rng.bool() {
            mutate(&mut rng, &mut bytes);
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(read) = answer::decode(&text, &seed) {
            let again: Result<Value, _> = serde_json::from_slice(&answer::encode(&read, &seed));
            assert!(again.is_ok(), "round {round}");
        }
        let _ = usage::tokens(&text);
        let _ = error::encode(&error::decode(rng.u16(..), &bytes));
    }
}

#[test]
fn no_stream_breaks_the_grammar() {
    let streams: Vec<Value> = cases::all("stream-")
        .into_iter()
        .chain(cases::all("broken-"))
        .map(|(_, case)| case["events"].clone())
        .filter(|events| events.as_array().is_some_and(|events| !events.is_empty()))
        .collect();
    for round in 0..ROUNDS {
        let mut rng = Rng::with_seed(round);
        let mut events = streams[rng.usize(..streams.len())]
            .as_array()
            .unwrap()
            .clone();
        // Under good checksums: payloads changed, events in another order, some of other streams.
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(..events.len());
            match rng.u8(..4) {
                0 => drop(events.remove(at)),
                1 => {
                    let other = events[rng.usize(..events.len())].clone();
                    events.insert(at, other);
                }
                _ => change(&mut rng, &mut events[at]["payload"]),
            }
            if events.is_empty() {
                break;
            }
        }
        let mut bytes = cases::frames(&Value::Array(events)).concat();
        if rng.u8(..3) == 0 {
            mutate(&mut rng, &mut bytes);
        }
        let whole = cases::decode(&bytes, &[]);
        grammar::check(&whole);
        let cut = rng.usize(..=bytes.len());
        assert_eq!(cases::decode(&bytes, &[cut]), whole, "round {round}");
        let again = cases::decode(&cases::encode(&whole), &[]);
        grammar::check(&again);
        let mut unwrapper = invoke::Unwrapper::default();
        unwrapper.push(&bytes, drop);
        unwrapper.finish(drop);
    }
}
