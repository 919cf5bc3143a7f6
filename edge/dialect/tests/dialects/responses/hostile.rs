//! Bytes that nobody should send: nothing panics, and what is decoded keeps the grammar.
//!
//! A failure names its seed.

use dialect::{
    neutral::Event,
    responses::{Target, answer, crossing, echo::Echo, encoder::Encoder, error, request},
};
use fastrand::Rng;

use super::{decode, encoding::accumulate, fixture, fixtures, fold, seed};

const ROUNDS: u64 = 750;

/// Some bytes of `text` changed, cut out or put twice.
fn mutated(text: &str, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(0..bytes.len());
        let end = at + rng.usize(0..=(bytes.len() - at).min(40));
        match rng.u8(0..4) {
            0 => bytes[at] = rng.u8(..),
            1 => bytes[at] = *rng.choice(b"{}[]\",:\\0n\n").unwrap(),
            2 => drop(bytes.drain(at..end)),
            _ => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
        if bytes.is_empty() {
            bytes.push(b'{');
        }
    }
    bytes
}

#[test]
fn mutated_requests_are_refused_or_read() {
    for name in fixtures("request-") {
        let body = fixture(&name);
        for number in 0..ROUNDS / 5 {
            let mut rng = Rng::with_seed(number);
            let bytes = mutated(&body, &mut rng);
            let Ok(decoded) = request::decode(&String::from_utf8_lossy(&bytes)) else {
                continue;
            };
            let _ = crossing::check(&decoded);
            let mut target = Target::new("m");
            for crossing in [false, true] {
                target.crossing = crossing;
                if let Ok(encoded) = request::encode(&decoded, &target) {
                    let valid = serde_json::from_slice::<serde_json::Value>(&encoded.body);
                    assert!(valid.is_ok(), "{name}, seed {number}");
                }
            }
            let _ = Echo::of(&decoded);
        }
    }
}

#[test]
fn mutated_answers_and_errors_are_refused_or_read() {
    for name in fixtures("answer-") {
        let body = fixture(&name);
        for number in 0..ROUNDS / 5 {
            let mut rng = Rng::with_seed(number);
            let bytes = mutated(&body, &mut rng);
            if let Ok(answer) = answer::decode(&String::from_utf8_lossy(&bytes), &seed()) {
                let written = answer::encode(&answer, &seed());
                let valid = serde_json::from_slice::<serde_json::Value>(&written);
                assert!(valid.is_ok(), "{name}, seed {number}");
            }
            let told = error::encode(&error::decode(rng.u16(..), &bytes));
            assert!(serde_json::from_slice::<serde_json::Value>(&told).is_ok());
        }
    }
    for bytes in [
        &b""[..],
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{\"error\":null}",
        b"{\"error\":[]}",
    ] {
        for status in [0, 200, 400, 500, u16::MAX] {
            assert!(!error::decode(status, bytes).message.is_empty());
        }
    }
}

#[test]
fn mutated_streams_keep_the_grammar_and_are_told_in_ours() {
    for name in fixtures("stream-") {
        let stream = fixture(&name);
        for number in 0..ROUNDS / 5 {
            let mut rng = Rng::with_seed(number);
            let bytes = mutated(&stream, &mut rng);
            let size = rng.usize(1..200);
            let events = decode(bytes.chunks(size));
            assert_eq!(events, decode([bytes.as_slice()]), "{name}, seed {number}");
            fold(&events);
            let (mut encoder, mut out) = (Encoder::new(&seed(), Echo::default()), Vec::new());
            for event in events.iter().filter(|it| !matches!(it, Event::Extra(_))) {
                encoder.push(event, &mut out);
            }
            accumulate(str::from_utf8(&out).unwrap());
        }
    }
}

#[test]
fn random_bytes_are_an_error() {
    for number in 0..ROUNDS {
        let mut rng = Rng::with_seed(number);
        let bytes: Vec<u8> = (0..rng.usize(0..300)).map(|_| rng.u8(..)).collect();
        let events = decode(bytes.chunks(7));
        fold(&events);
        assert!(
            matches!(events.last(), Some(Event::Error(_))),
            "seed {number}"
        );
    }
}
