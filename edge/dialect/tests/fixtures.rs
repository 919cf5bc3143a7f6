//! Our own fixtures: every directory under `fixtures/openai` is a case. To add a case, add a directory.
//!
//! Knows the names of the files and nothing of what a case is about. What a case expects is written by hand.

#![cfg(test)]

use std::{fs, path::Path};

use bytes::Bytes;
use dialect::{
    Tokens,
    openai::{answer, stream::Meter},
    request::{self, Endpoint, Rewrite},
};
use serde_json::Value;

#[test]
fn every_case_reads_rewrites_and_meters_as_it_says() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/openai");
    let mut seen = 0;
    for case in fs::read_dir(cases).unwrap() {
        let case = case.unwrap().path();
        let expected: Value =
            serde_json::from_slice(&fs::read(case.join("expected.json")).unwrap()).unwrap();
        println!("{}", case.display());
        let endpoint = endpoint(&expected);
        check_request(endpoint, &case, &expected);
        if case.join("stream.sse").exists() {
            check_stream(&case, &expected);
        } else {
            let body = fs::read(case.join("answer.json")).unwrap();
            assert_eq!(answer::tokens(endpoint, &body), tokens(&expected));
        }
        seen += 1;
    }
    assert!(seen >= 13, "only {seen} cases");
}

fn check_request(endpoint: Endpoint, case: &Path, expected: &Value) {
    let body = Bytes::from(fs::read(case.join("request.json")).unwrap());
    let scanned = request::scan(endpoint, &body).unwrap();
    assert_eq!(scanned.model, expected["model"]);
    assert_eq!(scanned.stream, expected["stream"]);
    assert_eq!(scanned.usage_asked, expected["usage_asked"]);
    assert_eq!(
        scanned.output_tokens_max,
        expected["output_tokens_max"].as_u64()
    );
    assert_eq!(scanned.choices, expected["choices"].as_u64().unwrap());
    let rewrite = Rewrite {
        model: "vendor/model-1",
        ask_usage: true,
    };
    let rewritten = request::rewrite(&body, &scanned, &rewrite);
    assert_eq!(
        text(&rewritten),
        text(&fs::read(case.join("rewritten.json")).unwrap())
    );
}

fn check_stream(case: &Path, expected: &Value) {
    let stream = fs::read(case.join("stream.sse")).unwrap();
    for (strip, goes_on) in [(false, "stream.sse"), (true, "stripped.sse")] {
        for piece_bytes in [1, 2, 3, 7, 64, stream.len()] {
            let mut meter = Meter::new(strip);
            let mut out = Vec::new();
            for piece in stream.chunks(piece_bytes) {
                meter.push(Bytes::copy_from_slice(piece), &mut out);
            }
            meter.finish(&mut out);
            assert_eq!(
                text(&out.concat()),
                text(&fs::read(case.join(goes_on)).unwrap())
            );
            assert_eq!(meter.tokens(), tokens(expected));
            assert_eq!(
                meter.output_bytes(),
                expected["output_bytes"].as_u64().unwrap()
            );
            assert_eq!(meter.first_delta_seen(), meter.output_bytes() > 0);
            assert_eq!(meter.done_seen(), expected["done"]);
            assert_eq!(meter.error_seen(), expected["error"]);
        }
    }
}

fn endpoint(expected: &Value) -> Endpoint {
    match expected["endpoint"].as_str().unwrap() {
        "chat/completions" => Endpoint::ChatCompletions,
        "completions" => Endpoint::Completions,
        "embeddings" => Endpoint::Embeddings,
        other => panic!("no endpoint is called {other}"),
    }
}

/// Uncached input, cached input, output and reasoning, in this order.
fn tokens(expected: &Value) -> Option<Tokens> {
    let counts: Vec<u64> = expected["tokens"]
        .as_array()?
        .iter()
        .map(|count| count.as_u64().unwrap())
        .collect();
    let [input, cached_input, output, reasoning] = counts[..] else {
        panic!("four counts")
    };
    Some(Tokens {
        input,
        cached_input,
        output,
        reasoning,
        ..Tokens::default()
    })
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}
