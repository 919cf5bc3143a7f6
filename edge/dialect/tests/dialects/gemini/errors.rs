//! Errors of every kind, read and written.

use dialect::{
    gemini::error,
    neutral::{Class, Error},
};

use super::{fixture, json};

#[test]
fn errors_are_what_their_details_say() {
    for (name, status, class) in [
        ("error-rate.json", 429, Class::RateLimited),
        ("error-quota.json", 429, Class::QuotaExhausted),
        ("error-key.json", 400, Class::Authentication),
        ("error-array.json", 400, Class::InvalidRequest),
        ("error-context.json", 400, Class::ContextTooLong),
    ] {
        let body = fixture(name);
        let error = error::decode(status, body.as_bytes());
        assert_eq!(error.class, class, "{name}");
        let body = json(body.as_bytes());
        let expected = body.get(0).unwrap_or(&body);
        assert_eq!(json(&error::encode(&error)), *expected, "{name}");
    }
    let rate = error::decode(429, fixture("error-rate.json").as_bytes());
    assert_eq!(rate.retry_after_ms, Some(34_400));
    assert_eq!(rate.code.as_deref(), Some("RESOURCE_EXHAUSTED"));
    let array = error::decode(400, fixture("error-array.json").as_bytes());
    assert_eq!(array.param.as_deref(), Some("contents[0].role"));
}

#[test]
fn a_status_alone_says_enough() {
    for (status, class) in [
        (400, Class::InvalidRequest),
        (401, Class::Authentication),
        (402, Class::QuotaExhausted),
        (403, Class::Permission),
        (404, Class::NotFound),
        (408, Class::Timeout),
        (413, Class::TooLarge),
        (422, Class::InvalidRequest),
        (429, Class::RateLimited),
        (500, Class::Provider),
        (502, Class::Provider),
        (503, Class::Overloaded),
        (504, Class::Timeout),
        (0, Class::Provider),
    ] {
        for body in [
            &b""[..],
            b"<html>sk-secret</html>",
            b"\xff\xfe",
            b"[]",
            b"{\"error\":",
            b"null",
        ] {
            let error = error::decode(status, body);
            assert_eq!(error.class, class, "{status}");
            assert!(!error.message.contains("secret"));
        }
    }
}

#[test]
fn words_say_more_than_codes() {
    for (word, class) in [
        ("UNAUTHENTICATED", Class::Authentication),
        ("PERMISSION_DENIED", Class::Permission),
        ("NOT_FOUND", Class::NotFound),
        ("RESOURCE_EXHAUSTED", Class::RateLimited),
        ("UNAVAILABLE", Class::Overloaded),
        ("DEADLINE_EXCEEDED", Class::Timeout),
        ("INTERNAL", Class::Provider),
        ("CANCELLED", Class::Provider),
        ("FAILED_PRECONDITION", Class::InvalidRequest),
    ] {
        let body = format!(r#"{{"error":{{"message":"m","status":"{word}"}}}}"#);
        assert_eq!(error::decode(200, body.as_bytes()).class, class, "{word}");
    }
}

#[test]
fn what_we_say_ourselves_is_read_the_same() {
    for class in [
        Class::InvalidRequest,
        Class::TooLarge,
        Class::Authentication,
        Class::Permission,
        Class::NotFound,
        Class::RateLimited,
        Class::Overloaded,
        Class::Timeout,
        Class::Provider,
    ] {
        let mut ours = Error::new(class, "no \"room\"\nleft");
        ours.param = Some("tools[0]".to_owned());
        ours.retry_after_ms = Some(1_050);
        let read = error::decode(0, &error::encode(&ours));
        assert_eq!(
            (read.class, &read.message, &read.param, read.retry_after_ms),
            (class, &ours.message, &ours.param, ours.retry_after_ms)
        );
        let event = String::from_utf8(error::event(&ours)).unwrap();
        let line = event
            .strip_prefix("data: ")
            .unwrap()
            .strip_suffix("\n\n")
            .unwrap();
        assert_eq!(json(line.as_bytes())["error"]["message"], ours.message);
    }
}

#[test]
fn a_reason_in_the_details_says_more_than_message_and_status() {
    for (reason, class) in [
        ("API_KEY_INVALID", Class::Authentication),
        ("BILLING_DISABLED", Class::QuotaExhausted),
        ("SOMETHING", Class::InvalidRequest),
    ] {
        let body = format!(
            r#"{{"error":{{"code":400,"message":"no","status":"INVALID_ARGUMENT","details":[{{"reason":"{reason}"}}]}}}}"#
        );
        assert_eq!(error::decode(400, body.as_bytes()).class, class, "{reason}");
    }
}
