//! Recorded traffic of providers that speak this dialect, from the folder that `SLUICE_RECORDINGS` names.
//!
//! Knows the form of the recordings: see `tests/recordings.rs`. What means the same is known to `same`.

use std::{env, fs, path::Path};

use dialect::{
    chat::{OutputMax, ReasoningBack, Target, answer, error, request},
    neutral::Event,
};
use serde_json::Value;

use super::{
    fold,
    requests::seed,
    same,
    streams::{decode, encode},
};

const FOLDERS: [&str; 10] = [
    "openai",
    "deepseek",
    "groq",
    "mistral",
    "together",
    "xai",
    "openrouter",
    "azure",
    "llamacpp",
    "ollama",
];

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
    for name in FOLDERS {
        let mut files: Vec<_> = fs::read_dir(Path::new(&folder).join(name))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        for file in files {
            println!("{}", file.display());
            let Ok(recording) = serde_json::from_slice::<Value>(&fs::read(&file).unwrap()) else {
                continue;
            };
            for interaction in recording["interactions"].as_array().into_iter().flatten() {
                let url = interaction["url"].as_str().unwrap_or_default();
                if url.contains("/chat/completions") {
                    check(interaction, &mut exercised);
                }
            }
        }
    }
    println!("{exercised:?}");
    assert!(exercised.requests > 0 && exercised.answers > 0);
    assert!(exercised.streams > 0 && exercised.errors > 0);
}

fn check(interaction: &Value, exercised: &mut Exercised) {
    let status = u16::try_from(interaction["status"].as_u64().unwrap()).unwrap();
    let (question, body) = (&interaction["request_body"], &interaction["response_body"]);
    if question["messages"].is_array() {
        check_request(question);
        exercised.requests += 1;
    }
    if status >= 400 {
        let text = body.as_str().map_or_else(|| body.to_string(), Into::into);
        let read = error::decode(status, text.as_bytes());
        println!("  {status} {:?} {}", read.class, read.message);
        assert!(!read.message.is_empty());
        exercised.errors += 1;
    } else if let Some(stream) = body.as_str() {
        check_stream(stream);
        exercised.streams += 1;
    } else if body["choices"].is_array() {
        let read = answer::decode(&body.to_string(), &seed()).unwrap();
        let written = serde_json::from_slice(&answer::encode(&read, &seed())).unwrap();
        assert_eq!(same::answer(&written), same::answer(body));
        exercised.answers += 1;
    }
}

fn check_request(body: &Value) {
    let read = request::decode(&body.to_string()).unwrap();
    let mut target = Target::new(&read.model);
    if !body["max_tokens"].is_null() {
        target.output_max = OutputMax::MaxTokens;
    }
    target.reasoning = ReasoningBack::Content;
    let encoded = request::encode(&read, &target).unwrap();
    assert!(encoded.dropped.is_empty(), "{:?}", encoded.dropped);
    let written = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(same::request(&written), same::request(body));
}

fn check_stream(stream: &str) {
    let bytes = stream.as_bytes();
    let whole = decode(&[bytes]);
    let well = fold::grammar(&whole);
    if !well {
        println!("  {:?}", whole.last());
    }
    assert_eq!(well, !stream.contains("\"error\""), "{:?}", whole.last());
    assert_eq!(well, matches!(whole.last(), Some(Event::End)));
    for size in [1, 7, 61, 997] {
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        assert_eq!(decode(&pieces), whole);
    }
    let heard = fold::client(&encode(&whole, true), true);
    let said = fold::client(stream, false);
    for name in ["content", "reasoning", "refusal", "calls", "total"] {
        assert!(heard[name] == said[name] || !well, "{name}: {heard} {said}");
    }
}
