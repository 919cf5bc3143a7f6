//! Custom providers: what programs make of payloads, usage and errors.

use std::borrow::Cow;

use dialect::{
    Tokens,
    custom::{Mapping, Unread, encode, invoke},
    neutral::{Class, Error},
};
use payload::jq::{Fault, Program};

fn program(text: &str) -> Program {
    Program::compile(text).unwrap()
}

fn mapping() -> Mapping {
    Mapping {
        request: Some(program(
            "{prompt: .messages[-1].content, limit: (.max_tokens // 100)}",
        )),
        response: Some(program(
            "{choices: [{message: {role: \"assistant\", content: .out.text}}]}",
        )),
        error: Some(program("{code: .fault.kind, message: .fault.text}")),
        usage: Some(program(
            ".meter | if . then {input_tokens: .in, output_tokens: .out} else null end",
        )),
    }
}

#[test]
fn payloads_become_what_the_programs_say() {
    let mapping = mapping();
    let request = mapping
        .request(br#"{"messages":[{"content":"a"},{"content":"b"}]}"#)
        .unwrap();
    assert_eq!(request.as_ref(), br#"{"prompt":"b","limit":100}"#);
    let response = mapping.response(br#"{"out":{"text":"hi"}}"#).unwrap();
    assert_eq!(
        response.as_ref(),
        br#"{"choices":[{"message":{"role":"assistant","content":"hi"}}]}"#
    );
    let plain = Mapping::default();
    let body = br#"{ "a" : 1.0 }"#;
    assert!(matches!(plain.request(body), Ok(Cow::Borrowed(same)) if same == body));
    assert!(matches!(plain.response(body), Ok(Cow::Borrowed(same)) if same == body));
    assert!(matches!(mapping.request(b"[1]"), Err(Fault::Raised(_))));
}

#[test]
fn usage_is_read_into_counts_and_nothing_is_counted_for_free() {
    let mapping = mapping();
    let expected = Tokens {
        input: 3,
        output: 5,
        ..Tokens::default()
    };
    assert_eq!(
        mapping.usage(br#"{"meter":{"in":3,"out":5}}"#),
        Ok(Some(expected))
    );
    assert_eq!(mapping.usage(b"{}"), Ok(None));
    assert_eq!(Mapping::default().usage(b"x"), Ok(None));
    let usage = |text: &str| {
        Mapping {
            usage: Some(program(text)),
            ..Mapping::default()
        }
        .usage(b"1")
    };
    let all = usage(
        "{input_tokens:1, cached_input_tokens:2, cache_write_tokens:3, cache_write_hour_tokens:4, audio_input_tokens:5,
          output_tokens:6, reasoning_tokens:7, audio_output_tokens:8,
          images:9, units:10}",
    );
    let counts = Tokens {
        input: 1,
        cached_input: 2,
        cache_write: 3,
        cache_write_hour: 4,
        audio_input: 5,
        output: 6,
        reasoning: 7,
        audio_output: 8,
        images: 9,
        units: 10,
        ..Tokens::default()
    };
    assert_eq!(all, Ok(Some(counts)));
    assert_eq!(usage("{}"), Ok(None));
    assert_eq!(usage("{input_tokens: null}"), Ok(None));
    for (text, says) in [
        (
            "{input_tokens:1, total_tokens:2}",
            "total_tokens is no count that we know",
        ),
        (
            "{input_tokens:-1}",
            "input_tokens must be a number of at least 0",
        ),
        (
            "{input_tokens:\"1\"}",
            "input_tokens must be a number of at least 0",
        ),
        ("3", "the usage must be an object or null"),
    ] {
        let unread = usage(text).unwrap_err();
        assert!(matches!(unread, Unread::Usage(_)));
        assert_eq!(unread.to_string(), says, "{text}");
    }
    let unread = mapping.usage(b"<html>").unwrap_err();
    assert!(matches!(unread, Unread::Program(Fault::NotJson(_))));
}

#[test]
fn errors_say_what_the_program_says_or_what_can_be_told_without_it() {
    let mapping = mapping();
    let error = mapping.error(429, br#"{"fault":{"kind":"busy","text":"later"}}"#);
    assert_eq!(
        (error.class, error.code.as_deref(), error.message.as_str()),
        (Class::RateLimited, Some("busy"), "later")
    );
    assert_eq!(
        encode(&error),
        br#"{"error":{"code":"busy","message":"later"}}"#
    );
    for (status, body) in [
        (500, &b"<html>"[..]),
        (500, b""),
        (500, b"{}"),
        (500, b"\xff"),
        (500, br#"{"fault":{"text":7}}"#),
    ] {
        let error = mapping.error(status, body);
        assert_eq!(
            (error.code.as_deref(), error.message.as_str()),
            (None, "the provider answered 500")
        );
        assert_eq!(
            encode(&error),
            br#"{"error":{"code":"provider_error","message":"the provider answered 500"}}"#
        );
    }
    let looping = Mapping {
        error: Some(program("repeat(.) | empty")),
        ..Mapping::default()
    };
    assert_eq!(looping.error(404, b"1").class, Class::NotFound);
    let own = Error::new(Class::InvalidRequest, "a \"b\"");
    assert_eq!(
        encode(&own),
        br#"{"error":{"code":"invalid_request","message":"a \"b\""}}"#
    );
}

#[test]
fn any_json_may_be_invoked_with_and_nothing_else() {
    for body in ["{}", " [1] ", "\"a\"", "1.50", "null", " {\"a\":1}\n"] {
        assert_eq!(
            invoke::scan("m", body.as_bytes()).unwrap().model,
            "m",
            "{body}"
        );
    }
    let wrong: [&[u8]; 7] = [b"", b"{", b"1 2", b"{} {}", b"x", b"\xff", b"[1]\x0c"];
    for body in wrong {
        assert!(invoke::scan("m", body).is_err(), "{body:?}");
    }
}
