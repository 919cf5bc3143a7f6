//! Recorded traffic of Anthropic, from the folder that `SLUICE_RECORDINGS` names and never kept here.
//!
//! Knows the form of the recordings: see `tests/recordings.rs`. What means the same is known to `same`.

use std::{env, fmt::Write, fs, path::Path};

use dialect::{
    messages::{answer, error, request, target::Target},
    neutral::{Class, Event},
};
use fastrand::Rng;
use serde_json::{Value, json};

use super::{
    client::{self, Heard},
    fixture, fold, same,
    streams::decode,
    written::encode,
};

#[derive(Debug, Default)]
struct Exercised {
    requests: u32,
    answers: u32,
    streams: u32,
    errors: u32,
}

#[test]
fn recordings_come_back_the_same() {
    let Ok(folder) = env::var("SLUICE_RECORDINGS") else {
        println!("skipped, because SLUICE_RECORDINGS names no folder");
        return;
    };
    let mut exercised = Exercised::default();
    for file in files(&Path::new(&folder).join("anthropic")) {
        println!("{}", file.display());
        let recording: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        for interaction in recording["interactions"].as_array().into_iter().flatten() {
            check(interaction, &mut exercised);
        }
        if let Some(chunks) = recording["chunks"].as_array() {
            let line = |chunk: &Value| {
                format!(
                    "event: {}\ndata: {chunk}\n\n",
                    chunk["type"].as_str().unwrap()
                )
            };
            let stream: String = chunks.iter().map(line).collect();
            check_stream(&stream, &mut exercised);
        }
    }
    for file in files(&Path::new(&folder).join("vectors/anthropic-sse")) {
        println!("{}", file.display());
        let mut stream = fs::read_to_string(&file).unwrap();
        while !stream.ends_with("\n\n") {
            stream.push('\n');
        }
        check_stream(&stream, &mut exercised);
    }
    println!("{exercised:?}");
    assert!(
        exercised.requests > 0 && exercised.answers > 0,
        "{folder} holds too little"
    );
    assert!(
        exercised.streams > 0 && exercised.errors > 0,
        "{folder} holds too little"
    );
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn check(interaction: &Value, exercised: &mut Exercised) {
    check_request(&interaction["request_body"]);
    exercised.requests += 1;
    let body = &interaction["response_body"];
    let status = u16::try_from(interaction["status"].as_u64().unwrap()).unwrap();
    if status >= 400 {
        let read = error::decode(status, body.to_string().as_bytes());
        assert_ne!(read.class, Class::Provider, "{body}");
        let written: Value = serde_json::from_slice(&error::encode(&read)).unwrap();
        assert_eq!(&written, body);
        exercised.errors += 1;
    } else if let Some(stream) = body.as_str() {
        check_stream(stream, exercised);
    } else {
        let read = answer::decode(&body.to_string(), &fixture::seed()).unwrap();
        let written = serde_json::from_slice(&answer::encode(&read, &fixture::seed())).unwrap();
        assert_eq!(same::answer(&written), same::answer(body));
        exercised.answers += 1;
    }
}

fn check_request(body: &Value) {
    let read = request::decode(&body.to_string()).unwrap();
    let encoded = request::encode(&read, &Target::new(&read.model)).unwrap();
    assert!(encoded.dropped.is_empty(), "{:?}", encoded.dropped);
    let written = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(same::request(&written), same::request(body));
}

fn check_stream(stream: &str, exercised: &mut Exercised) {
    let bytes = stream.as_bytes();
    let whole = decode(&[bytes]);
    assert!(fold::grammar(&whole), "{whole:?}");
    assert!(matches!(whole.last(), Some(Event::End)));
    let mut rng = Rng::with_seed(2);
    for size in [1, 7, rng.usize(8..99), rng.usize(99..999)] {
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        assert_eq!(decode(&pieces), whole);
    }
    let heard = client::hear(&encode(&whole));
    // The recorded stream by itself: what it left open is closed, and what it said nothing in is no block.
    let mut original = original(stream);
    let blocks = original.message["content"].as_array_mut().unwrap();
    let empty = |block: &Value| {
        block["type"] == "text" && block["text"] == "" && block["citations"].is_null()
    };
    blocks.retain(|block| !empty(block));
    assert_eq!(
        same::answer(&heard.message),
        same::answer(&original.message)
    );
    exercised.streams += 1;
}

fn original(stream: &str) -> Heard {
    let mut lines = String::new();
    let mut open = None;
    for event in stream.split_inclusive("\n\n") {
        let data = event.split_once("data: ").map_or("null", |(_, data)| data);
        let data: Value = serde_json::from_str(data.trim()).unwrap_or(Value::Null);
        match data["type"].as_str() {
            Some("content_block_start") => open = Some(data["index"].clone()),
            Some("content_block_stop") => open = None,
            Some("message_delta") => {
                if let Some(index) = open.take() {
                    let stop = json!({"type": "content_block_stop", "index": index});
                    write!(lines, "event: content_block_stop\ndata: {stop}\n\n").unwrap();
                }
            }
            Some(_) => {}
            None => continue,
        }
        let kind = data["type"].as_str().unwrap();
        write!(lines, "event: {kind}\ndata: {data}\n\n").unwrap();
    }
    client::hear(lines.as_bytes())
}
