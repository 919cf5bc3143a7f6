//! Bytes that nobody meant to send: nothing here may panic, and our JSON reader must agree with another one.
//!
//! Every mutation comes from a seed, so that a failure can be seen again.

use bytes::Bytes;
use dialect::{
    openai::{answer, stream::Meter},
    request::{self, Endpoint, Refused, Rewrite},
};
use fastrand::Rng;
use payload::json::Fault;
use serde_json::value::RawValue;

use crate::generated;

const ENDPOINTS: [Endpoint; 3] = [
    Endpoint::ChatCompletions,
    Endpoint::Completions,
    Endpoint::Embeddings,
];

#[test]
fn broken_bodies_are_refused_or_rewritten_and_never_panic() {
    let mut valid = 0;
    for seed in 0..4 * generated::ROUNDS {
        let mut rng = Rng::with_seed(seed);
        let members = [
            (generated::string(&mut rng, "model"), "\"a\"".to_owned()),
            ("\"stream\"".to_owned(), "true".to_owned()),
            (
                "\"stream_options\"".to_owned(),
                generated::value(&mut rng, 3),
            ),
            ("\"prompt\"".to_owned(), generated::value(&mut rng, 5)),
            ("\"usage\"".to_owned(), generated::value(&mut rng, 3)),
        ];
        let body = generated::object(&mut rng, &members);
        let body = Bytes::from(mutated(&mut rng, body.into_bytes()));
        let endpoint = ENDPOINTS[rng.usize(..3)];
        let scanned = request::scan(endpoint, &body);
        agrees(&body, &scanned, seed);
        let _ = answer::tokens(endpoint, &body);
        if let Ok(scanned) = scanned {
            valid += 1;
            let rewrite = Rewrite {
                model: "b",
                ask_usage: true,
            };
            let rewritten = request::rewrite(&body, &scanned, &rewrite);
            let again = request::scan(endpoint, &rewritten).unwrap();
            assert_eq!(again.model, "b", "seed {seed}");
        }
    }
    assert!(valid > 100, "only {valid} bodies were still valid");
}

#[test]
fn broken_streams_pass_unchanged_up_to_where_they_are_broken_and_never_panic() {
    for seed in 0..4 * generated::ROUNDS {
        let mut rng = Rng::with_seed(seed);
        let mut stream = Vec::new();
        for _ in 0..rng.usize(1..6) {
            let value = generated::value(&mut rng, 5);
            let name = ["delta", "text", "usage", "choices", "x_groq"][rng.usize(..5)];
            let line =
                format!("data: {{\"choices\":[{{\"delta\":{value}}}],\"{name}\":{value}}}\n\n");
            stream.extend(line.into_bytes());
        }
        let stream = mutated(&mut rng, stream);
        for strip in [false, true] {
            let (mut meter, mut out) = (Meter::new(strip), Vec::new());
            meter.check_calls();
            for piece in stream.chunks(rng.usize(1..50)) {
                if meter.is_unreadable() {
                    break;
                }
                meter.push(Bytes::copy_from_slice(piece), &mut out);
            }
            meter.finish(&mut out);
            let out = out.concat();
            assert!(out.len() <= stream.len(), "seed {seed}");
            if !strip || meter.tokens().is_none() && !contains(&stream, b"usage") {
                let whole = out == stream;
                assert!(whole || meter.is_unreadable(), "seed {seed}");
                assert!(stream.starts_with(&out), "seed {seed}");
            }
        }
    }
}

/// Ours is stricter in what it does with members, and never in what it takes for JSON.
fn agrees<T>(body: &[u8], scanned: &Result<T, Refused>, seed: u64) {
    let other = str::from_utf8(body)
        .ok()
        .and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    let object = body.trim_ascii_start().starts_with(b"{");
    match scanned {
        Ok(_) => assert!(other.is_some(), "seed {seed}: {body:?}"),
        Err(Refused::NotJson(Fault::Malformed { .. })) => {
            assert!(other.is_none() || !object, "seed {seed}: {body:?}");
        }
        Err(_) => {}
    }
}

fn mutated(rng: &mut Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    const BYTES: &[u8] = b"\"\\{}[]:,0-+.eEu\n\r \t\0\x1f\x7f\x80\xc3\xed\xff";
    for _ in 0..rng.usize(..4) {
        if bytes.is_empty() {
            break;
        }
        let at = rng.usize(..bytes.len());
        let byte = BYTES[rng.usize(..BYTES.len())];
        match rng.u8(..5) {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 => {
                bytes.remove(at);
            }
            3 => bytes.truncate(at),
            _ => {
                let to = rng.usize(at..bytes.len());
                let copy = bytes[at..to].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
    bytes
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
