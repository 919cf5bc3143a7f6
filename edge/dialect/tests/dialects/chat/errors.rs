//! Errors, in all shapes that providers of this family give them.
//!
//! Knows the class of each, checked by hand.

use dialect::{
    chat::error,
    neutral::{Class, Error},
};
use serde_json::{Value, json};

use super::fixture;

#[test]
fn every_error_has_its_class_and_the_four_members_that_clients_read() {
    let errors: Value = serde_json::from_str(&fixture::read("errors.json")).unwrap();
    for case in errors.as_array().unwrap() {
        let body = case["body"].as_str().unwrap();
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        let read = error::decode(status, body.as_bytes());
        assert_eq!(
            format!("{:?}", read.class),
            case["class"].as_str().unwrap(),
            "{case}"
        );
        assert_eq!(json!(read.code), case["code"], "{case}");
        assert_eq!(json!(read.retry_after_ms), case["retry_after_ms"], "{case}");
        assert!(
            !read.message.is_empty() && !read.message.contains("sk-"),
            "{read:?}"
        );
        let said: Value = serde_json::from_slice(&error::encode(&read)).unwrap();
        for name in ["message", "type", "param", "code"] {
            assert!(said["error"].get(name).is_some(), "{case}: {name}");
        }
        // Read again, it is of the same class.
        let again = error::decode(status, said.to_string().as_bytes());
        assert_eq!(again.class, read.class, "{case}");
    }
}

#[test]
fn an_error_of_this_family_goes_on_as_it_came() {
    for body in [
        json!({"error": {"message": "m", "type": "invalid_request_error", "param": "n", "code": null}}),
        json!({"error": {"message": "m", "type": "tokens", "param": null, "code": "rate_limit_exceeded"}}),
        json!({"error": {"message": "m", "type": "invalid_request_error", "param": null, "code": "tool_use_failed", "failed_generation": "{"}}),
    ] {
        let status = if body["error"]["type"] == "tokens" {
            429
        } else {
            400
        };
        let read = error::decode(status, body.to_string().as_bytes());
        let said: Value = serde_json::from_slice(&error::encode(&read)).unwrap();
        assert_eq!(said, body);
    }
}

#[test]
fn an_error_in_a_stream_is_one_event_that_clients_raise() {
    let mut error = Error::new(Class::Overloaded, "busy\r\n\r\ndata: x");
    error.code = Some("overloaded_error".into());
    let event = String::from_utf8(error::event(&error)).unwrap();
    let data = event
        .strip_prefix("data: ")
        .unwrap()
        .strip_suffix("\n\n")
        .unwrap();
    assert!(!data.contains(['\n', '\r']));
    let said: Value = serde_json::from_str(data).unwrap();
    assert_eq!(said["error"]["type"], "server_error");
    assert_eq!(said["error"]["code"], "overloaded_error");
}

#[test]
fn a_body_of_any_bytes_is_an_error() {
    let mut rng = fastrand::Rng::with_seed(3);
    for status in [0, 200, 400, 429, 500, 999] {
        for _ in 0..200 {
            let body: Vec<u8> = (0..rng.usize(0..60)).map(|_| rng.u8(..)).collect();
            assert!(!error::decode(status, &body).message.is_empty());
        }
    }
}
