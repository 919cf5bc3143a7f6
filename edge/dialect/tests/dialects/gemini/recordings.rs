//! Recorded traffic, read from the folder that `SLUICE_RECORDINGS` names and never kept here.

use std::{env, fs, path::Path};

use dialect::{
    Tokens,
    gemini::{Target, answer, embedding, error, request},
    neutral::Stop,
};
use serde_json::Value;

use super::{alike, fold, json, seed, streams};

#[derive(Debug, Default)]
struct Passed {
    files: u32,
    requests: u32,
    answers: u32,
    streams: u32,
    errors: u32,
    embeddings: u32,
    others: u32,
}

#[test]
fn recordings_come_back_the_same() {
    let Ok(folder) = env::var("SLUICE_RECORDINGS") else {
        println!("skipped, because SLUICE_RECORDINGS names no folder");
        return;
    };
    let mut passed = Passed::default();
    for (name, vertex) in [("gemini", false), ("vertex", true)] {
        for file in fs::read_dir(Path::new(&folder).join(name)).unwrap() {
            let file = file.unwrap().path();
            println!("{}", file.display());
            let recording = json(&fs::read(&file).unwrap());
            if recording["kind"] == "body" {
                check_error(429, recording["body"].to_string().as_bytes());
                passed.errors += 1;
            }
            for interaction in recording["interactions"].as_array().into_iter().flatten() {
                check(interaction, vertex, &mut passed);
            }
            passed.files += 1;
        }
    }
    println!("{passed:?}");
    assert!(passed.requests > 9 && passed.answers > 5 && passed.streams > 1 && passed.errors > 3);
}

fn check(interaction: &Value, vertex: bool, passed: &mut Passed) {
    let url = interaction["url"].as_str().unwrap();
    let path = url.split('?').next().unwrap();
    let Some((model, method)) = path
        .rsplit('/')
        .next()
        .and_then(|last| last.split_once(':'))
    else {
        passed.others += 1;
        return;
    };
    let asked = &interaction["request_body"];
    let said = match &interaction["response_body"] {
        Value::String(text) => text.clone(),
        body => body.to_string(),
    };
    let mut target = Target::new(model);
    if vertex {
        target = target.on_vertex();
    }
    if method == "batchEmbedContents" {
        check_embeddings(asked, &said, model);
        passed.embeddings += 1;
        return;
    }
    check_request(asked, &target);
    passed.requests += 1;
    if interaction["status"] != 200 {
        let status = u16::try_from(interaction["status"].as_u64().unwrap()).unwrap();
        check_error(status, said.as_bytes());
        passed.errors += 1;
    } else if method == "generateContent" {
        check_answer(&said);
        passed.answers += 1;
    } else {
        check_stream(&said);
        passed.streams += 1;
    }
}

fn check_request(asked: &Value, target: &Target<'_>) {
    let decoded = request::decode(&asked.to_string(), target.model, false);
    let decoded = decoded.unwrap_or_else(|misfit| panic!("{misfit}: {asked}"));
    let encoded = request::encode(&decoded, target).unwrap();
    assert_eq!(
        alike::request(json(&encoded.body)),
        alike::request(asked.clone())
    );
    assert!(encoded.dropped.is_empty(), "{:?}", encoded.dropped);
}

fn check_answer(said: &str) {
    let decoded = answer::decode(said, &seed()).unwrap();
    let encoded = answer::encode(&decoded, &seed());
    let expected = json(said.as_bytes());
    assert_eq!(
        alike::answer(json(&encoded)),
        alike::answer(expected.clone())
    );
    assert_eq!(decoded.tokens, tokens(&expected["usageMetadata"]));
    let calls = said.contains("\"functionCall\"");
    assert_eq!(decoded.choices[0].stop == Some(Stop::ToolCalls), calls);
}

fn check_stream(said: &str) {
    use dialect::gemini::encoder::Framing;
    let events = streams::same_however_cut(said.as_bytes(), "a recording");
    let folded = fold::answer(&events).expect("a recorded stream is whole");
    for framing in [Framing::Events, Framing::Array] {
        let written = streams::written(&events, framing);
        let again = streams::same_however_cut(&written, "what was written");
        assert_eq!(fold::answer(&again).as_ref(), Some(&folded));
    }
    let last = said.split("data: ").last().unwrap();
    assert_eq!(
        folded.tokens,
        tokens(&json(last.as_bytes())["usageMetadata"])
    );
    let text = said.split("\"thoughtSignature\":").nth(1);
    let signature = text.and_then(|text| text.split('"').nth(1));
    let written = String::from_utf8(streams::written(&events, Framing::Events)).unwrap();
    assert!(written.contains(signature.unwrap_or_default()));
}

fn check_error(status: u16, said: &[u8]) {
    let error = error::decode(status, said);
    let expected = json(said);
    assert_eq!(json(&error::encode(&error)), expected);
    assert_eq!(error.message, expected["error"]["message"]);
    assert_eq!(error.code.as_deref(), expected["error"]["status"].as_str());
}

fn check_embeddings(asked: &Value, said: &str, model: &str) {
    let request = embedding::decode(&asked.to_string(), model).unwrap();
    // One text alone is asked for by another method, with the same members.
    let encoded = json(
        &embedding::encode(&request, &Target::new(model))
            .unwrap()
            .body,
    );
    assert_eq!(encoded, asked["requests"][0]);
    let answer = embedding::decode_answer(said).unwrap();
    let encoded = embedding::encode_answer(&answer, embedding::Call::Batch).unwrap();
    assert_eq!(json(&encoded), json(said.as_bytes()));
}

/// The usage by the rules of `Tokens`, worked out anew. The recordings hold no sound.
fn tokens(usage: &Value) -> Option<Tokens> {
    let count = |name: &str| usage[name].as_u64().unwrap_or(0);
    let cached = count("cachedContentTokenCount");
    let tokens = Tokens {
        input: count("promptTokenCount") - cached + count("toolUsePromptTokenCount"),
        cached_input: cached,
        output: count("candidatesTokenCount"),
        reasoning: count("thoughtsTokenCount"),
        ..Tokens::default()
    };
    assert_eq!(tokens.total(), count("totalTokenCount"));
    usage.is_object().then_some(tokens)
}
