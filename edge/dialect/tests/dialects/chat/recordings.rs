//! Recorded traffic of providers of this family, read from the folder that `SLUICE_RECORDINGS` names.
//!
//! What a recording should give is worked out anew from it with another JSON reader.

use std::{env, fs, path::Path};

use dialect::{
    chat::{answer, client::Client, error, request},
    neutral::{Class, Content, Event},
};
use fastrand::Rng;
use serde_json::Value;

use super::{fixture::seed, same, told, written};

const FOLDERS: [&str; 12] = [
    "openai",
    "azure",
    "deepseek",
    "groq",
    "llamacpp",
    "mistral",
    "mistralrs",
    "ollama",
    "openrouter",
    "together",
    "vllm",
    "xai",
];

#[derive(Debug, Default)]
struct Passed {
    requests: u32,
    answers: u32,
    streams: u32,
    errors: u32,
}

#[test]
fn every_recording_is_read_and_written_without_loss() {
    let Ok(folder) = env::var("SLUICE_RECORDINGS") else {
        println!("skipped, because SLUICE_RECORDINGS names no folder");
        return;
    };
    let mut passed = Passed::default();
    for provider in FOLDERS {
        let Ok(files) = fs::read_dir(Path::new(&folder).join(provider)) else {
            continue;
        };
        for file in files {
            let file = file.unwrap().path();
            let recording: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            for interaction in recording["interactions"].as_array().into_iter().flatten() {
                let url = interaction["url"].as_str().unwrap_or_default();
                if url
                    .split('?')
                    .next()
                    .is_some_and(|path| path.ends_with("/chat/completions"))
                {
                    println!("{}", file.display());
                    check(interaction, &mut passed);
                }
            }
        }
    }
    println!("{passed:?}");
    assert!(passed.requests > 0 && passed.answers > 0 && passed.streams > 0 && passed.errors > 0);
}

fn check(interaction: &Value, passed: &mut Passed) {
    if interaction["request_body"].is_object() {
        check_request(&interaction["request_body"]);
        passed.requests += 1;
    }
    let status = u16::try_from(interaction["status"].as_u64().unwrap()).unwrap();
    let body = &interaction["response_body"];
    match body {
        Value::String(stream) if interaction["framing"] == "sse" => {
            check_stream(stream);
            passed.streams += 1;
        }
        _ if status >= 400 || body["error"].is_object() => {
            check_error(status, body);
            passed.errors += 1;
        }
        _ => {
            check_answer(body);
            passed.answers += 1;
        }
    }
}

fn check_request(recorded: &Value) {
    let read = request::decode(&recorded.to_string()).unwrap();
    let encoded = request::encode(&read, &same::target(recorded)).unwrap();
    let written: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(same::request(&written), same::request(recorded));
    assert!(encoded.dropped.is_empty(), "{:?}", encoded.dropped);
}

fn check_answer(recorded: &Value) {
    let read = answer::decode(&recorded.to_string(), &seed()).unwrap();
    let written: Value = serde_json::from_slice(&answer::encode(&read, &seed())).unwrap();
    assert_eq!(same::answer(&written), same::answer(recorded));
    assert_eq!(read.tokens.is_some(), recorded["usage"].is_object());
}

fn check_error(status: u16, recorded: &Value) {
    let read = error::decode(status, recorded.to_string().as_bytes());
    let class = match status {
        401 => Class::Authentication,
        404 => Class::NotFound,
        429 => Class::RateLimited,
        _ => read.class,
    };
    assert_eq!(read.class, class, "{recorded}");
    assert!(
        !read.message.contains("no error that can be read"),
        "{recorded}"
    );
    assert!(!read.message.is_empty());
}

fn check_stream(stream: &str) {
    let chunks: Vec<Value> = stream
        .lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?).ok())
        .collect();
    let mut rng = Rng::with_seed(9);
    let events = told::decode_cut(stream.as_bytes(), &mut rng);
    let error = chunks.iter().any(|chunk| chunk["error"].is_object());
    assert_eq!(
        matches!(events.last(), Some(Event::Error(_))),
        error,
        "{:?}",
        events.last()
    );
    let answer = told::fold(&events);
    let said = |of: fn(&Content) -> Option<&str>| -> String {
        let parts = answer.choices.iter().flat_map(|choice| &choice.parts);
        parts.filter_map(|part| of(&part.content)).collect()
    };
    let text = said(|content| match content {
        Content::Text(text) => Some(text),
        _ => None,
    });
    assert_eq!(text, delta(&chunks, &["content"]));
    let thought = said(|content| match content {
        Content::Reasoning { text, .. } => Some(text),
        _ => None,
    });
    assert_eq!(
        thought,
        delta(&chunks, &["reasoning_content", "reasoning", "thinking"])
    );
    let arguments = said(|content| match content {
        Content::ToolCall { arguments, .. } => Some(arguments),
        _ => None,
    });
    let expected = delta(&chunks, &["arguments"]);
    assert_eq!(
        arguments,
        if expected.is_empty() && !arguments.is_empty() {
            "{}"
        } else {
            &expected
        }
    );
    assert_eq!(
        answer.tokens.is_some(),
        chunks
            .iter()
            .any(|chunk| { chunk["usage"].is_object() || chunk["x_groq"]["usage"].is_object() })
    );
    let client = Client {
        include_usage: true,
        ..Client::default()
    };
    let out = written::encode(&events, client);
    written::check(&out, client);
    let again = told::fold(&told::decode([out.as_bytes()]));
    let parts = |answer: &dialect::neutral::Answer| -> Vec<Content> {
        let parts = answer
            .choices
            .iter()
            .flat_map(|choice| choice.parts.clone());
        parts.map(|part| part.content).collect()
    };
    assert_eq!(parts(&again), parts(&answer));
    assert_eq!(again.tokens, answer.tokens);
}

/// All strings under these names in the deltas, in order; Mistral's parts are looked into.
fn delta(chunks: &[Value], names: &[&str]) -> String {
    let mut found = String::new();
    let deltas = chunks
        .iter()
        .flat_map(|chunk| chunk["choices"].as_array().into_iter().flatten());
    for choice in deltas {
        let delta = &choice["delta"];
        for name in names {
            found.push_str(delta[name].as_str().unwrap_or_default());
        }
        for part in delta["content"].as_array().into_iter().flatten() {
            if names.contains(&"content") {
                found.push_str(part["text"].as_str().unwrap_or_default());
            }
            for thought in part["thinking"].as_array().into_iter().flatten() {
                if names.contains(&"thinking") {
                    found.push_str(thought["text"].as_str().unwrap_or_default());
                }
            }
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            if names.contains(&"arguments") {
                found.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
            }
        }
    }
    found
}
