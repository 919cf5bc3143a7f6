//! Errors: their classes, and what a client is told.
//!
//! Knows no streams beside single events.

use dialect::{
    neutral::{Class, Error},
    responses::error,
    sse,
};
use serde_json::{Value, json};

use super::fixture;

#[test]
fn every_error_has_its_class() {
    let cases: Value = serde_json::from_str(&fixture("errors.json")).unwrap();
    for case in cases.as_array().unwrap() {
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        let body = match &case["body"] {
            Value::String(text) => text.clone(),
            body => body.to_string(),
        };
        let error = error::decode(status, body.as_bytes());
        assert_eq!(format!("{:?}", error.class), case["class"], "{case}");
        assert_eq!(
            json!(error.retry_after_ms),
            case["retry_after_ms"],
            "{case}"
        );
        assert!(!error.message.is_empty() && !error.message.contains('<'));
        let written: Value = serde_json::from_slice(&error::encode(&error)).unwrap();
        for name in ["message", "type", "param", "code"] {
            assert!(written["error"].get(name).is_some(), "{name} is missing");
        }
        // An error that a provider of this family wrote in full goes on as it is, but for our own credential.
        if case["body"]["error"]
            .get("type")
            .is_some_and(Value::is_string)
            && error.class != Class::Authentication
        {
            assert_eq!(written["error"]["type"], case["body"]["error"]["type"]);
            assert_eq!(written["error"]["param"], case["body"]["error"]["param"]);
            if case["body"]["error"]["code"].is_string() {
                assert_eq!(written["error"], case["body"]["error"]);
            }
        }
    }
}

#[test]
fn a_key_that_is_repeated_is_masked() {
    let body =
        br#"{"error":{"message":"Incorrect API key provided: sk-proj-abc***xyz. See the docs."}}"#;
    let error = error::decode(401, body);
    assert_eq!(
        error.message,
        "Incorrect API key provided: *** See the docs."
    );
    let written: Value = serde_json::from_slice(&error::encode(&error)).unwrap();
    assert_eq!(written["error"]["code"], "upstream_auth");
    let long = vec![b'x'; 100_000];
    assert_eq!(
        error::decode(500, &long).message.len(),
        error::MESSAGE_BYTES_MAX
    );
}

#[test]
fn an_error_event_has_both_shapes() {
    let mut error = Error::new(Class::RateLimited, "slow\r\ndown");
    error.param = Some("input".to_owned());
    let event = error::event(&error);
    let read = sse::read(&event);
    assert_eq!(read.name, Some(&b"error"[..]));
    let said: Value = serde_json::from_slice(&read.data).unwrap();
    assert_eq!(said["sequence_number"], 0);
    assert_eq!(said["code"], "rate_limit_exceeded");
    for name in ["code", "message", "param"] {
        assert_eq!(said[name], said["error"][name]);
    }
    assert_eq!(said["error"]["type"], "rate_limit_error");
}

#[test]
fn every_class_reads_back_as_itself() {
    let classes = [
        (Class::InvalidRequest, 400),
        (Class::ContextTooLong, 400),
        (Class::TooLarge, 413),
        (Class::Permission, 403),
        (Class::NotFound, 404),
        (Class::RateLimited, 429),
        (Class::QuotaExhausted, 429),
        (Class::ContentFiltered, 400),
        (Class::Overloaded, 503),
        (Class::Timeout, 504),
        (Class::Provider, 500),
    ];
    for (class, status) in classes {
        let body = error::encode(&Error::new(class, "so it is"));
        assert_eq!(error::decode(status, &body).class, class);
    }
}
