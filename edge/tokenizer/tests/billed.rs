//! Bodies, counted whole, against what OpenAI billed for them: never less, where all that goes in stands in the body.
//!
//! `SLUICE_RECORDINGS` names a folder of recorded traffic.

use std::{
    env, fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokenizer::{Counter, Family};

fn count(text: &str, family: Family) -> u64 {
    let by = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(count) = Counter::shared().most(text.as_bytes(), &[family]) {
            return count;
        }
        assert!(Instant::now() < by, "nothing is counted");
        thread::yield_now();
    }
}

/// The request whose tokens OpenAI's cookbook tells ("How to count tokens with tiktoken"): 129 for GPT-4, 124 for GPT-4o.
const COOKBOOK: &str = r#"{"model":"gpt-4o","messages":[{"role":"system","content":"You are a helpful, pattern-following assistant that translates corporate jargon into plain English."},{"role":"system","name":"example_user","content":"New synergies will help drive top-line growth."},{"role":"system","name":"example_assistant","content":"Things working well together will increase revenue."},{"role":"system","name":"example_user","content":"Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."},{"role":"system","name":"example_assistant","content":"Let's talk later when we're less busy about how to do better."},{"role":"user","content":"This late pivot means we don't have time to boil the ocean for the client deliverable."}]}"#;

#[test]
fn a_body_counts_at_least_what_its_maker_says() {
    for (family, said) in [(Family::Cl100k, 129), (Family::O200k, 124)] {
        let counted = count(COOKBOOK, family);
        assert!(counted >= said, "{family:?}: {counted}");
        assert!(counted < 2 * said, "{family:?}: {counted}");
    }
}

/// What was billed for input, wherever the answer tells it last.
fn billed(answer: &Value) -> Option<u64> {
    let text = answer
        .as_str()
        .map_or_else(|| answer.to_string(), str::to_owned);
    let after = |name: &str| {
        let (_, rest) = text.rsplit_once(name)?;
        let rest = rest.trim_start();
        let end = rest.find(|it: char| !it.is_ascii_digit())?;
        rest[..end].parse::<u64>().ok()
    };
    after("\"prompt_tokens\":").or_else(|| after("\"input_tokens\":"))
}

#[test]
fn recorded_bodies_count_at_least_what_was_billed() {
    let Ok(folder) = env::var("SLUICE_RECORDINGS") else {
        println!("skipped, because SLUICE_RECORDINGS names no folder");
        return;
    };
    let (mut all_counted, mut all_billed) = (0, 0);
    for maker in ["openai", "openai-responses", "azure"] {
        for file in fs::read_dir(Path::new(&folder).join(maker)).unwrap() {
            let path = file.unwrap().path();
            let recording: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            for said in recording["interactions"].as_array().into_iter().flatten() {
                let asked = &said["request_body"];
                let body = asked.to_string();
                let media = ["\"image_url\"", "\"input_image\"", "\"input_audio\""];
                let family = asked["model"].as_str().and_then(Family::of);
                let (Some(family), Some(billed)) = (family, billed(&said["response_body"])) else {
                    continue;
                };
                if billed == 0 || media.iter().any(|it| body.contains(it)) {
                    continue;
                }
                let counted = count(&body, family);
                println!("{counted} for {billed}: {}", path.display());
                assert!(counted >= billed, "{}", path.display());
                all_counted += counted;
                all_billed += billed;
            }
        }
    }
    println!("{all_counted} for {all_billed}");
    assert!(all_billed > 1_000, "there is little to compare with");
}

#[test]
fn how_long_a_count_takes() {
    let prose = "The quick brown fox jumps over the lazy dog at noon, and nobody minds. ";
    count("read", Family::O200k);
    for bytes in [1_000, 10_000, 100_000] {
        let text: String = prose.chars().cycle().take(bytes).collect();
        // The rest between two counts is left out: each is taken by itself.
        let took = (0..5).map(|_| {
            count("rest", Family::O200k);
            let by = Instant::now() + Duration::from_mins(1);
            loop {
                let since = Instant::now();
                if Counter::shared()
                    .most(text.as_bytes(), &[Family::O200k])
                    .is_some()
                {
                    return since.elapsed();
                }
                assert!(Instant::now() < by, "nothing is counted");
            }
        });
        println!("{bytes} bytes: {:?}", took.min());
    }
}
