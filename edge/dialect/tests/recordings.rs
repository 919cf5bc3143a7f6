//! Recorded traffic of real providers, read from the folder that `SLUICE_RECORDINGS` names and never kept here.
//!
//! What a recording should give is worked out anew from it with another JSON reader. Knows the form of the
//! recordings: files with `interactions`, each a request and its answer.

#![cfg(test)]

use std::{env, fs, path::Path};

use bytes::Bytes;
use dialect::{
    Tokens,
    openai::{answer, stream::Meter},
    request::{self, Endpoint, Refused, Rewrite},
};
use fastrand::Rng;
use serde_json::{Value, json};

#[derive(Debug, Default)]
struct Exercised {
    requests: u32,
    answers: u32,
    streams: u32,
    usages: u32,
}

#[test]
fn recordings_are_read_as_they_say_and_go_on_as_they_came() {
    let Ok(folder) = env::var("SLUICE_RECORDINGS") else {
        println!("skipped, because SLUICE_RECORDINGS names no folder");
        return;
    };
    let mut exercised = Exercised::default();
    for provider in fs::read_dir(&folder).unwrap() {
        let provider = provider.unwrap().path();
        if !provider.is_dir() {
            continue;
        }
        for recording in fs::read_dir(provider).unwrap() {
            let recording = recording.unwrap().path();
            if recording
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                exercise(&recording, &mut exercised);
            }
        }
    }
    println!("{exercised:?}");
    let Exercised {
        requests,
        answers,
        streams,
        usages,
    } = exercised;
    assert!(
        requests > 0 && answers > 0 && streams > 0 && usages > 0,
        "{folder} holds too little"
    );
}

fn exercise(file: &Path, exercised: &mut Exercised) {
    let recording: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    for interaction in recording["interactions"].as_array().into_iter().flatten() {
        let Some(endpoint) = endpoint(interaction["url"].as_str().unwrap_or_default()) else {
            continue;
        };
        println!("{}", file.display());
        if interaction["request_body"].is_object() {
            check_request(endpoint, &interaction["request_body"]);
            exercised.requests += 1;
        }
        let usage = match &interaction["response_body"] {
            Value::String(stream) if interaction["framing"] == "sse" => {
                exercised.streams += 1;
                check_stream(stream)
            }
            Value::Null => continue,
            body => {
                exercised.answers += 1;
                let expected = usage(body);
                assert_eq!(
                    answer::tokens(endpoint, body.to_string().as_bytes()),
                    expected
                );
                expected
            }
        };
        exercised.usages += u32::from(usage.is_some());
    }
}

fn check_request(endpoint: Endpoint, recorded: &Value) {
    let body = Bytes::from(recorded.to_string());
    let scanned = match request::scan(endpoint, &body) {
        Ok(scanned) => scanned,
        // Some servers take the model from the path.
        Err(Refused::ModelMissing) if recorded.get("model").is_none() => return,
        Err(refused) => panic!("{refused}: {recorded}"),
    };
    assert_eq!(scanned.model, recorded["model"]);
    assert_eq!(scanned.stream, recorded["stream"] == true);
    assert_eq!(
        scanned.usage_asked,
        recorded["stream_options"]["include_usage"] == true
    );
    let same = Rewrite {
        model: &scanned.model,
        ask_usage: false,
    };
    assert_eq!(request::rewrite(&body, &scanned, &same), body);

    let rewritten = request::rewrite(
        &body,
        &scanned,
        &Rewrite {
            model: "v/\"m\"",
            ask_usage: true,
        },
    );
    let mut expected = recorded.clone();
    expected["model"] = json!("v/\"m\"");
    if recorded["stream"] == true {
        expected["stream_options"]["include_usage"] = json!(true);
    }
    assert_eq!(
        serde_json::from_slice::<Value>(&rewritten).unwrap(),
        expected
    );
}

/// Meters a recorded stream, whole and in pieces, and gives the usage that it should have seen.
fn check_stream(stream: &str) -> Option<Tokens> {
    let events: Vec<&str> = stream.split_inclusive("\n\n").collect();
    assert_eq!(events.concat(), stream);
    let chunks: Vec<Value> = events.iter().map(|event| chunk(event)).collect();
    let expected = chunks.iter().rev().find_map(usage);
    let stripped: String = events
        .iter()
        .zip(&chunks)
        .filter(|(_, chunk)| chunk["choices"] != json!([]) || !chunk["usage"].is_object())
        .map(|(event, _)| *event)
        .collect();
    let generates = chunks.iter().any(|chunk| {
        let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        let choice = &chunk["choices"][0];
        text(&choice["delta"]["content"]) || text(&choice["delta"]["reasoning_content"])
    });
    let mut rng = Rng::with_seed(7);
    for piece_bytes in [stream.len(), 1, rng.usize(2..40), rng.usize(40..4_000)] {
        for strip in [false, true] {
            let mut meter = Meter::new(strip);
            let mut out = Vec::new();
            for piece in stream.as_bytes().chunks(piece_bytes) {
                meter.push(Bytes::copy_from_slice(piece), &mut out);
            }
            meter.finish(&mut out);
            let out = String::from_utf8(out.concat()).unwrap();
            assert_eq!(out, if strip { &stripped } else { stream });
            assert_eq!(meter.tokens(), expected);
            assert_eq!(meter.done_seen(), stream.contains("data: [DONE]"));
            let errors = chunks.iter().any(|chunk| chunk["error"].is_object());
            assert_eq!(meter.error_seen(), errors);
            assert!(meter.first_delta_seen() || !generates);
        }
    }
    expected
}

/// What the data of an event says, or null.
fn chunk(event: &str) -> Value {
    let data: Vec<&str> = event
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .collect();
    serde_json::from_str(&data.join("\n")).unwrap_or(Value::Null)
}

/// The usage of an answer or a chunk, by the rules of `Tokens`.
fn usage(said: &Value) -> Option<Tokens> {
    let usage = [&said["usage"], &said["x_groq"]["usage"]]
        .into_iter()
        .find(|at| at.is_object())?;
    let count = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let prompt = count("/prompt_tokens");
    let completion = count("/completion_tokens");
    // Grok on Azure has been seen with more cached tokens than prompt tokens.
    let cached = count("/prompt_tokens_details/cached_tokens")
        .max(count("/cached_tokens"))
        .min(prompt);
    let reasoning = count("/completion_tokens_details/reasoning_tokens");
    let counted_beside = count("/total_tokens") == prompt + completion + reasoning;
    let output = if counted_beside {
        completion
    } else {
        completion.saturating_sub(reasoning)
    };
    let written = count("/prompt_tokens_details/cache_write_tokens").min(prompt - cached);
    let heard = count("/prompt_tokens_details/audio_tokens").min(prompt - cached - written);
    let spoken = count("/completion_tokens_details/audio_tokens").min(output);
    Some(Tokens {
        input: prompt - cached - written - heard,
        cached_input: cached,
        cache_write: written,
        audio_input: heard,
        output: output - spoken,
        reasoning,
        audio_output: spoken,
        ..Tokens::default()
    })
}

fn endpoint(url: &str) -> Option<Endpoint> {
    let path = url.split('?').next().unwrap_or(url);
    if path.ends_with("/chat/completions") {
        Some(Endpoint::ChatCompletions)
    } else if path.ends_with("/completions") {
        Some(Endpoint::Completions)
    } else if path.ends_with("/embeddings") {
        Some(Endpoint::Embeddings)
    } else {
        None
    }
}
