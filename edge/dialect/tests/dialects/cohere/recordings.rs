//! Recorded traffic, read from the folder that `SLUICE_RECORDINGS` names and never kept here.

use std::{env, fs, path::Path};

use dialect::cohere::error;
use fastrand::Rng;
use serde_json::Value;

use super::{
    answers, fixture,
    fold::{events, fold, stream},
    requests, streams,
};

#[derive(Debug, Default)]
struct Exercised {
    requests: u32,
    answers: u32,
    streams: u32,
    errors: u32,
}

#[test]
fn recordings_go_there_and_back() {
    let Ok(folder) = env::var("SLUICE_RECORDINGS") else {
        println!("skipped, because SLUICE_RECORDINGS names no folder");
        return;
    };
    let mut exercised = Exercised::default();
    for file in fs::read_dir(Path::new(&folder).join("cohere")).unwrap() {
        let file = file.unwrap().path();
        println!("{}", file.display());
        let recording = fixture::json(&fs::read(file).unwrap());
        for interaction in recording["interactions"].as_array().into_iter().flatten() {
            if interaction["url"].as_str().unwrap().ends_with("/v2/chat") {
                exercise(interaction, &mut exercised);
            }
        }
        if let Some(chunks) = recording["chunks"].as_array() {
            check_stream(&stream(chunks));
            exercised.streams += 1;
        }
    }
    println!("{exercised:?}");
    let Exercised {
        requests,
        answers,
        streams,
        errors,
    } = exercised;
    assert!(
        requests > 0 && answers > 0 && streams > 0 && errors > 0,
        "{folder} holds too little"
    );
}

fn exercise(interaction: &Value, exercised: &mut Exercised) {
    let request = &interaction["request_body"];
    let written = requests::again(&request.to_string());
    assert_eq!(fixture::normal(written), fixture::normal(request.clone()));
    exercised.requests += 1;
    match &interaction["response_body"] {
        Value::String(stream) if interaction["framing"] == "sse" => {
            check_stream(stream);
            exercised.streams += 1;
        }
        body if interaction["status"] == 200 => {
            let written = answers::again(&body.to_string());
            assert_eq!(fixture::normal(written), fixture::normal(body.clone()));
            exercised.answers += 1;
        }
        body => {
            let status = u16::try_from(interaction["status"].as_u64().unwrap()).unwrap();
            let error = error::decode(status, body.to_string().as_bytes());
            assert_eq!(fixture::json(&error::encode(&error)), *body);
            exercised.errors += 1;
        }
    }
}

fn check_stream(stream: &str) {
    let whole = events(stream.as_bytes(), &[]);
    let (answer, error) = fold(&whole);
    assert_eq!(error.is_some(), stream.contains("\"error\""));
    assert!(error.is_some() || answer.tokens.is_some());
    let (_, again) = streams::again(&whole);
    assert_eq!(streams::normal(&again), streams::normal(&whole));
    let mut rng = Rng::with_seed(3);
    for size in [1, 2, 3, rng.usize(4..40), rng.usize(40..4_000)] {
        let cuts: Vec<usize> = (0..stream.len()).step_by(size).collect();
        assert_eq!(events(stream.as_bytes(), &cuts), whole);
    }
    for _ in 0..50 {
        let cuts: Vec<usize> = (0..5).map(|_| rng.usize(..=stream.len())).collect();
        assert_eq!(events(stream.as_bytes(), &cuts), whole);
    }
}
