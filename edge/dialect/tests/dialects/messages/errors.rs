//! Errors in every shape that the hosts of this family have.
//!
//! Knows which kind each of them is, by the fixture.

use dialect::{
    messages::error,
    neutral::{Class, Error},
};
use fastrand::Rng;
use serde_json::{Value, json};

use super::fixture;

#[test]
fn errors_are_of_the_kind_that_they_say() {
    for case in fixture::json("errors.json").as_array().unwrap() {
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        let body = case["body"].to_string();
        let read = error::decode(status, body.as_bytes());
        assert_eq!(
            format!("{:?}", read.class),
            case["class"].as_str().unwrap(),
            "{body}"
        );
        assert!(body.contains(&read.message), "{body}");
    }
}

#[test]
fn an_error_comes_back_the_same() {
    for case in fixture::json("errors.json").as_array().unwrap() {
        if case["body"]["type"] != "error" {
            continue;
        }
        let mut body = case["body"].clone();
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        let read = error::decode(status, body.to_string().as_bytes());
        let written: Value = serde_json::from_slice(&error::encode(&read)).unwrap();
        if read.class == Class::QuotaExhausted {
            body["error"]["type"] = json!("billing_error");
        }
        assert_eq!(written, body);
        let event = String::from_utf8(error::event(&read)).unwrap();
        let data = event
            .strip_prefix("event: error\ndata: ")
            .unwrap()
            .trim_end();
        assert_eq!(serde_json::from_str::<Value>(data).unwrap(), body);
    }
}

#[test]
fn google_says_when_to_ask_again() {
    let body = br#"[{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED",
        "details":[{"@type":"a"},{"@type":"b","retryDelay":"48.5s"}]}}]"#;
    let read = error::decode(429, body);
    assert_eq!(
        (read.class, read.retry_after_ms),
        (Class::RateLimited, Some(48_500))
    );
}

#[test]
fn every_kind_has_a_word() {
    let all = [
        (Class::InvalidRequest, "invalid_request_error"),
        (Class::ContextTooLong, "invalid_request_error"),
        (Class::TooLarge, "request_too_large"),
        (Class::Authentication, "authentication_error"),
        (Class::Permission, "permission_error"),
        (Class::NotFound, "not_found_error"),
        (Class::RateLimited, "rate_limit_error"),
        (Class::QuotaExhausted, "billing_error"),
        (Class::ContentFiltered, "invalid_request_error"),
        (Class::Overloaded, "overloaded_error"),
        (Class::Timeout, "timeout_error"),
        (Class::Provider, "api_error"),
    ];
    for (class, word) in all {
        let body = error::encode(&Error::new(class, "a \"b\"\n"));
        let body: Value = serde_json::from_slice(&body).unwrap();
        let expected = json!({"type": "error", "error": {"type": word, "message": "a \"b\"\n"}});
        assert_eq!(body, expected);
    }
}

#[test]
fn what_is_no_error_of_ours_is_told_shortly() {
    let page = error::decode(502, b"<html><body>nginx</body></html>");
    assert_eq!(page.class, Class::Provider);
    assert!(!page.message.contains("nginx"));
    assert_eq!(error::decode(429, b"").class, Class::RateLimited);
    assert_eq!(error::decode(529, b"null").class, Class::Overloaded);
    let long = "ä".repeat(1_000);
    assert!(error::decode(500, long.as_bytes()).message.len() < 400);
}

#[test]
fn no_bytes_are_too_broken_to_be_an_error() {
    let mut rng = Rng::with_seed(1);
    let cases = fixture::json("errors.json");
    for case in cases.as_array().unwrap().iter().cycle().take(2_000) {
        let mut bytes = case["body"].to_string().into_bytes();
        for _ in 0..rng.usize(..4) {
            let at = rng.usize(..bytes.len());
            bytes[at] = rng.u8(..);
        }
        bytes.truncate(rng.usize(..=bytes.len()));
        error::encode(&error::decode(rng.u16(..), &bytes));
    }
}
