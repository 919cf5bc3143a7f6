//! Gemini's dialect: what is shared by its tests. The cases are in the modules, the texts in `fixtures/gemini`.

mod alike;
mod fold;
mod round_trips;
mod streams;
mod pitfalls;
mod translations;
mod errors;
mod embeddings;
mod mutations;
mod recordings;

use std::{fs, path::Path};

use dialect::{
    gemini::decoder::Decoder,
    neutral::{Event, Seed},
};
use serde_json::Value;

fn seed() -> Seed {
    Seed {
        request_id: "req-7".to_owned(),
        now_seconds: 1_790_000_000,
    }
}

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemini");
    fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of fixtures that begin with a word.
fn fixtures(word: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemini");
    let files = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(word))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "{word}");
    names
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

/// The events of a stream that comes in these pieces.
fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let (mut decoder, mut events) = (Decoder::new(&seed()), Vec::new());
    for piece in pieces {
        decoder.push(piece, &mut events);
    }
    decoder.finish(&mut events);
    events
}
