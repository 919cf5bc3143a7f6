//! Bodies that nobody meant to send: nothing may panic, and what is read can be written.
//!
//! Every mutation comes from a seed, so that a failure can be seen again.

use dialect::{
    cohere::{
        answer, embedding, error,
        request::{self, Target},
    },
    neutral::Encoding,
};
use fastrand::Rng;
use serde_json::value::RawValue;

use super::fixture;

#[test]
fn broken_bodies_are_refused_or_written_and_never_panic() {
    let mut read = [0; 4];
    for (prefix, kind) in [
        ("request-", 0),
        ("answer-", 1),
        ("error-", 2),
        ("embed-", 3),
    ] {
        for name in fixture::names(prefix) {
            let body = fixture::read(&name);
            for seed in 0..300 {
                let mut rng = Rng::with_seed(seed);
                let broken = mutated(&mut rng, body.as_bytes());
                let written = again(kind, &broken);
                read[kind] += written.len();
                for written in written {
                    let text = || String::from_utf8_lossy(&broken).into_owned();
                    let parsed = serde_json::from_slice::<&RawValue>(&written);
                    assert!(parsed.is_ok(), "{name}, seed {seed}: {}", text());
                }
            }
        }
    }
    assert!(
        read.iter().all(|read| *read > 100),
        "{read:?} were still read"
    );
}

/// What is written of a body, in every way in which it can be read.
fn again(kind: usize, body: &[u8]) -> Vec<Vec<u8>> {
    if kind == 2 {
        return vec![error::encode(&error::decode(400, body))];
    }
    let Ok(body) = str::from_utf8(body) else {
        return Vec::new();
    };
    let seed = fixture::seed();
    let mut written = Vec::new();
    match kind {
        0 => {
            let request = request::decode(body).ok();
            let encoded = request.and_then(|it| request::encode(&it, &Target::new("m")).ok());
            written.extend(encoded.map(|encoded| encoded.body));
        }
        1 => {
            let answer = answer::decode(body, &seed).ok();
            written.extend(answer.map(|answer| answer::encode(&answer, &seed)));
        }
        _ => {
            if let Ok(request) = embedding::decode(body) {
                let target = embedding::Target::new("m");
                let encoded = embedding::encode(&request, &target).unwrap();
                written.push(encoded.body);
            }
            if let Ok(answer) = embedding::decode_answer(body) {
                for encoding in [Encoding::Floats, Encoding::Base64] {
                    written.extend(embedding::encode_answer(&answer, encoding, &seed));
                }
            }
        }
    }
    written
}

fn mutated(rng: &mut Rng, body: &[u8]) -> Vec<u8> {
    const BYTES: &[u8] = b"\"\\{}[]:,0-.eu\n \0\x1f\x80\xc3\xff";
    const VALUES: [&str; 8] = ["null", "[]", "{}", "\"\"", "-1", "1e999", "true", "[[{}]]"];
    let mut body = body.to_vec();
    for _ in 0..rng.usize(1..3) {
        let at = rng.usize(..body.len());
        match rng.u8(..5) {
            0 => body[at] = BYTES[rng.usize(..BYTES.len())],
            1 => drop(body.remove(at)),
            2 => body.insert(at, BYTES[rng.usize(..BYTES.len())]),
            // A value of another kind, in the place of a string or a number.
            _ => {
                let rest = &body[at..];
                let Some(start) = rest.windows(2).position(|two| two == b": ") else {
                    continue;
                };
                let value = rest.get(start + 2..).unwrap_or_default();
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b'\n');
                let len = value.iter().position(ends).unwrap_or(0);
                let from = at + start + 2;
                let value = VALUES[rng.usize(..VALUES.len())];
                body.splice(from..from + len, value.bytes());
            }
        }
    }
    body
}
