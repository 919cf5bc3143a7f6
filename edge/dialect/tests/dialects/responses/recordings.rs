//! Recorded traffic of real providers, from the folder that `SLUICE_RECORDINGS` names, which is never kept here.
//!
//! Knows the form of the recordings: files with `interactions`, each a request and its answer, or with one `body`.

use std::{collections::BTreeMap, env, fs, path::PathBuf};

use dialect::{
    neutral::{Class, Content, Event},
    responses::{answer, echo::Echo, encoder::Encoder, error, request},
};
use fastrand::Rng;
use serde_json::Value;

use super::{
    bare, decode, encoding::accumulate, fold, normal, round_trips::again, seed, streams::whole,
};

#[test]
fn recordings_are_read_and_written_as_they_are() {
    let Ok(folder) = env::var("SLUICE_RECORDINGS") else {
        println!("skipped, because SLUICE_RECORDINGS names no folder");
        return;
    };
    let mut checked = BTreeMap::new();
    for provider in ["openai-responses", "openai", "xai", "azure"] {
        let files = fs::read_dir(PathBuf::from(&folder).join(provider)).unwrap();
        for file in files {
            let path = file.unwrap().path();
            let recording: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let mut count = |kind| *checked.entry(kind).or_insert(0) += 1;
            if provider == "openai-responses" && recording["body"]["error"].is_object() {
                check_error(200, &recording["body"]);
                count("errors");
            }
            for interaction in recording["interactions"].as_array().into_iter().flatten() {
                let url = interaction["url"].as_str().unwrap_or_default();
                if !url
                    .split('?')
                    .next()
                    .unwrap_or_default()
                    .ends_with("/responses")
                {
                    continue;
                }
                println!("{}", path.display());
                count("requests");
                check_request(&interaction["request_body"]);
                count(check_answer(interaction));
            }
        }
    }
    println!("{checked:?}");
    for kind in ["requests", "answers", "streams", "errors"] {
        assert!(checked.contains_key(kind), "{folder} holds no {kind}");
    }
}

fn check_request(body: &Value) {
    assert_eq!(normal(&again(&body.to_string())), normal(body));
}

fn check_answer(interaction: &Value) -> &'static str {
    let status = u16::try_from(interaction["status"].as_u64().unwrap()).unwrap();
    match &interaction["response_body"] {
        Value::String(stream) if interaction["framing"] == "sse" => {
            check_stream(stream, &interaction["request_body"]);
            "streams"
        }
        body if status >= 400 => {
            check_error(status, body);
            "errors"
        }
        body => {
            let decoded = answer::decode(&body.to_string(), &seed()).unwrap();
            let written = answer::encode(&decoded, &seed());
            let written: Value = serde_json::from_slice(&written).unwrap();
            assert_eq!(normal(&written), normal(body));
            "answers"
        }
    }
}

fn check_error(status: u16, body: &Value) {
    let error = error::decode(status, body.to_string().as_bytes());
    let code = body["error"]["code"].as_str();
    let class = match (status, code) {
        (_, Some("insufficient_quota")) => Class::QuotaExhausted,
        (_, Some("previous_response_not_found")) => Class::InvalidRequest,
        // One provider refuses a key with 400.
        (400 | 401, _) => Class::Authentication,
        other => panic!("an error that this test does not know: {other:?}"),
    };
    assert_eq!(error.class, class);
    assert!(!error.message.contains("sk-"));
    let written: Value = serde_json::from_slice(&error::encode(&error)).unwrap();
    if class != Class::Authentication {
        assert_eq!(written["error"], body["error"]);
    }
}

fn check_stream(stream: &str, request: &Value) {
    let bytes = stream.as_bytes();
    let events = decode([bytes]);
    assert_eq!(events.last(), Some(&Event::End));
    let folded = fold(&events);
    let response = whole(stream).unwrap();
    let answer = answer::decode(&response, &seed()).unwrap();
    // Recordings have another word for the seal in the last event than in that of the item; whether the provider had,
    // they do not say. That there is one is compared, not which.
    let unsealed = |answer| {
        let (mut said, stop, tokens) = bare(answer);
        for content in &mut said {
            if let Content::Reasoning { signature, .. } = content {
                *signature = signature.take().map(|_| "sealed".to_owned());
            }
        }
        (said, stop, tokens)
    };
    assert_eq!(unsealed(&folded), unsealed(&answer));
    let written: Value = serde_json::from_slice(&answer::encode(&answer, &seed())).unwrap();
    assert_eq!(
        normal(&written),
        normal(&serde_json::from_str(&response).unwrap())
    );
    let mut rng = Rng::with_seed(7);
    for size in [1, rng.usize(2..40), rng.usize(40..4_000)] {
        assert_eq!(decode(bytes.chunks(size)), events);
    }
    for _ in 0..50 {
        let (head, tail) = bytes.split_at(rng.usize(0..bytes.len()));
        assert_eq!(decode([head, tail]), events);
    }
    let echo = Echo::of(&request::decode(&request.to_string()).unwrap());
    let (mut encoder, mut out) = (Encoder::new(&seed(), echo), Vec::new());
    for event in &events {
        encoder.push(event, &mut out);
    }
    let last = accumulate(str::from_utf8(&out).unwrap());
    assert_eq!(
        last["usage"]["total_tokens"],
        answer.tokens.unwrap().total()
    );
    assert_eq!(bare(&fold(&decode([out.as_slice()]))), bare(&folded));
}
