//! Errors: of what class they are, and that they are written as they came.

use dialect::{
    cohere::error,
    neutral::{Class, Error},
};
use serde_json::json;

use super::fixture;

#[test]
fn errors_are_told_apart_by_their_words_first_and_their_status_then() {
    for (name, status, class) in [
        ("error-400.json", 400, Class::InvalidRequest),
        ("error-400.json", 422, Class::InvalidRequest),
        ("error-400-too-long.json", 400, Class::ContextTooLong),
        ("error-400-max-tokens.json", 400, Class::InvalidRequest),
        ("error-401.json", 401, Class::Authentication),
        ("error-402.json", 402, Class::QuotaExhausted),
        ("error-401.json", 403, Class::Permission),
        ("error-404.json", 404, Class::NotFound),
        ("error-400.json", 413, Class::TooLarge),
        ("error-429.json", 429, Class::RateLimited),
        ("error-429-month.json", 429, Class::QuotaExhausted),
        ("error-498.json", 498, Class::ContentFiltered),
        ("error-503.json", 499, Class::Provider),
        ("error-503.json", 500, Class::Provider),
        ("error-503.json", 503, Class::Overloaded),
        ("error-503.json", 504, Class::Timeout),
        ("error-503.json", 408, Class::Timeout),
    ] {
        let body = fixture::read(name);
        let error = error::decode(status, body.as_bytes());
        assert_eq!(error.class, class, "{name} with {status}");
        let (came, written) = (fixture::json(body.as_bytes()), error::encode(&error));
        assert_eq!(fixture::json(&written), came, "{name}");
        assert_eq!(came["message"], error.message.as_str());
    }
}

#[test]
fn a_body_that_is_not_cohere_s_is_an_error_all_the_same() {
    for body in [
        &b""[..],
        b"   ",
        b"<html>Bad gateway</html>",
        b"upstream connect error",
        b"{\"data\":1}",
        b"{\"message\":",
        b"\xff\xfe",
        b"[]",
    ] {
        for (status, class) in [
            (502, Class::Provider),
            (503, Class::Overloaded),
            (0, Class::Provider),
        ] {
            let error = error::decode(status, body);
            assert_eq!(error.class, class);
            assert!(!error.message.is_empty() && !error.message.contains('<'));
        }
    }
    let long = "é".repeat(4_000);
    assert!(error::decode(500, long.as_bytes()).message.len() < 400);
    let wrapped = error::decode(401, br#"{"detail":"no"}"#);
    assert_eq!(
        (wrapped.class, wrapped.message.as_str()),
        (Class::Authentication, "no")
    );
}

#[test]
fn errors_of_others_are_written_in_cohere_s_words() {
    let body = |error: &Error| fixture::json(&error::encode(error));
    let mut error = Error::new(Class::ContextTooLong, "too much");
    assert_eq!(
        body(&error),
        json!({"message": "too much", "error_type": "TOO_MANY_TOKENS"})
    );
    error.class = Class::RateLimited;
    assert_eq!(body(&error), json!({"message": "too much"}));
    let event = String::from_utf8(error::event(&error)).unwrap();
    assert_eq!(
        event,
        "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"too much\"}}\n\ndata: [DONE]\n\n"
    );
}
