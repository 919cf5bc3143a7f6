//! Questions and whole answers, there and back.
//!
//! Knows the fixtures, and what each of them comes to.

use dialect::{
    chat::{ReasoningBack, Target, answer, error, request, usage},
    neutral::{Class, Content, Seed, Stop},
};
use serde_json::{Value, json};

use super::same;

pub(crate) fn seed() -> Seed {
    Seed {
        request_id: "req-4711".to_owned(),
        now_seconds: 1_700_000_000,
    }
}

fn back(body: &str, target: &Target<'_>) -> Value {
    let read = request::decode(body).unwrap();
    let encoded = request::encode(&read, target).unwrap();
    assert!(encoded.dropped.is_empty(), "{:?}", encoded.dropped);
    serde_json::from_slice(&encoded.body).unwrap()
}

#[test]
fn a_request_comes_back_the_same() {
    for text in [
        include_str!("../../fixtures/chat/request_plain.json"),
        include_str!("../../fixtures/chat/request_tools.json"),
        include_str!("../../fixtures/chat/request_details.json"),
    ] {
        let original: Value = serde_json::from_str(text).unwrap();
        let mut target = Target::new(original["model"].as_str().unwrap());
        target.reasoning = ReasoningBack::Details;
        let written = back(text, &target);
        assert_eq!(same::request(&written), same::request(&original));
    }
}

#[test]
fn an_answer_comes_back_the_same() {
    for text in [
        include_str!("../../fixtures/chat/answer_tools.json"),
        include_str!("../../fixtures/chat/answer_details.json"),
        include_str!("../../fixtures/chat/answer_refusal.json"),
    ] {
        let original: Value = serde_json::from_str(text).unwrap();
        let read = answer::decode(text, &seed()).unwrap();
        let written = serde_json::from_slice(&answer::encode(&read, &seed())).unwrap();
        assert_eq!(same::answer(&written), same::answer(&original));
    }
}

#[test]
fn proofs_travel_in_details() {
    let text = include_str!("../../fixtures/chat/answer_details.json");
    let read = answer::decode(text, &seed()).unwrap();
    let parts = &read.choices[0].parts;
    assert!(
        matches!(&parts[0].content, Content::Reasoning { text, signature: Some(proof) }
        if text == "Add them." && proof == "c2ln")
    );
    assert!(matches!(&parts[1].content, Content::RedactedReasoning(data) if data == "ZW5j"));
    assert_eq!(parts.len(), 3);
}

#[test]
fn what_a_provider_calls_a_plain_end_is_calls_if_there_are_any() {
    let body = json!({"choices": [{"finish_reason": "stop", "message": {"tool_calls": [
        {"function": {"name": "f", "arguments": ""}}]}}]});
    let read = answer::decode(&body.to_string(), &seed()).unwrap();
    assert_eq!(read.choices[0].stop, Some(Stop::ToolCalls));
    let Content::ToolCall { id, arguments, .. } = &read.choices[0].parts[0].content else {
        panic!("{read:?}");
    };
    assert_eq!((id.as_str(), arguments.as_str()), ("call_req47110", "{}"));
}

#[test]
fn counts_are_disjoint() {
    let raw = r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
        "prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":10,"audio_tokens":5},
        "completion_tokens_details":{"reasoning_tokens":30,"audio_tokens":4}}"#;
    let tokens = usage::tokens(raw).unwrap();
    assert_eq!(
        (tokens.input, tokens.cached_input, tokens.cache_write),
        (25, 60, 10)
    );
    assert_eq!((tokens.audio_input, tokens.audio_output), (5, 4));
    assert_eq!((tokens.output, tokens.reasoning), (16, 30));
    assert_eq!((tokens.input_total(), tokens.output_total()), (100, 50));
}

#[test]
fn errors_are_told_apart_in_every_shape() {
    for (status, body, class) in [
        (
            401,
            r#"{"error":{"message":"x","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            Class::Authentication,
        ),
        (
            400,
            r#"{"code":"invalid-argument","error":"Incorrect API key provided: sk-abc"}"#,
            Class::Authentication,
        ),
        (
            400,
            r#"{"object":"error","message":"maximum context length is 9","type":"BadRequestError","code":400}"#,
            Class::ContextTooLong,
        ),
        (401, r#"{"detail":"Unauthorized"}"#, Class::Authentication),
        (422, r#"{"detail":[{"msg":"x"}]}"#, Class::InvalidRequest),
        (
            429,
            r#"{"error":{"message":"x","code":"insufficient_quota"}}"#,
            Class::QuotaExhausted,
        ),
        (
            200,
            r#"{"error":{"message":"x","code":502}}"#,
            Class::Provider,
        ),
        (
            200,
            r#"{"error":{"message":"x","code":429}}"#,
            Class::RateLimited,
        ),
        (502, "<html>", Class::Provider),
        (503, "", Class::Overloaded),
    ] {
        let read = error::decode(status, body.as_bytes());
        assert_eq!(read.class, class, "{body}");
        assert!(
            !read.message.contains("abc") && !read.message.contains('<'),
            "{body}"
        );
        let written: Value = serde_json::from_slice(&error::encode(&read)).unwrap();
        assert!(written["error"]["message"].is_string(), "{written}");
    }
}
