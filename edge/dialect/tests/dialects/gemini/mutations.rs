//! Texts that are broken at random: nothing panics, and events keep their grammar. A failure names its seed.

use dialect::gemini::{Target, answer, count, embedding, error, request};
use fastrand::Rng;

use super::{events, fixture, fixtures, fold, json, seed, streams};

fn mutated(text: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..rng.usize(1..5) {
        if bytes.is_empty() {
            break;
        }
        let at = rng.usize(..bytes.len());
        match rng.u8(..5) {
            0 => bytes[at] = rng.u8(..),
            1 => {
                bytes.remove(at);
            }
            2 => bytes.truncate(at),
            3 => bytes.insert(at, *rng.choice(b"{}[]\",:\\0n\n").unwrap()),
            _ => {
                let end = rng.usize(at..=bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

#[test]
fn broken_streams_keep_the_grammar() {
    for name in fixtures("stream-") {
        let stream = fixture(&name);
        for number in 0..150 {
            let mut rng = Rng::with_seed(number);
            let broken = mutated(stream.as_bytes(), &mut rng);
            let whole = events([broken.as_slice()]);
            fold::answer(&whole);
            let size = rng.usize(1..40);
            assert_eq!(events(broken.chunks(size)), whole, "{name}, seed {number}");
            let array = streams::written(&whole, dialect::gemini::encoder::Framing::Array);
            json(&array);
        }
    }
}

#[test]
fn broken_bodies_are_refused_or_read_and_what_is_written_is_json() {
    for name in fixtures("") {
        let body = fixture(&name);
        for number in 0..150 {
            let mut rng = Rng::with_seed(number);
            let broken = mutated(body.as_bytes(), &mut rng);
            json(&error::encode(&error::decode(400, &broken)));
            let Ok(broken) = str::from_utf8(&broken) else {
                continue;
            };
            for target in [
                Target::new("gemini-2.5-pro"),
                Target::new("gemini-3-pro").on_vertex(),
            ] {
                let decoded = request::decode(broken, "m", false);
                if let Ok(Ok(encoded)) = decoded.map(|it| request::encode(&it, &target)) {
                    json(&encoded.body);
                }
                let decoded = count::decode(broken, "m");
                if let Ok(Ok(encoded)) = decoded.map(|it| count::encode(&it, &target)) {
                    json(&encoded.body);
                }
                let decoded = embedding::decode(broken, "m");
                if let Ok(Ok(encoded)) = decoded.map(|it| embedding::encode(&it, &target)) {
                    json(&encoded.body);
                }
            }
            if let Ok(answer) = answer::decode(broken, &seed()) {
                json(&answer::encode(&answer, &seed()));
            }
        }
    }
}
