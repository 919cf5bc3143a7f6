//! Bodies that are refused, and why; and what a rewrite does not copy.
//!
//! Knows single bodies. What holds for all of them is in `properties`.

#![cfg(test)]

use bytes::Bytes;
use dialect::request::{Endpoint, Refused, Rewrite, rewrite, scan};
use payload::json::Fault;

const INCLUDE_USAGE: &str = "stream_options.include_usage";

fn refused(body: &str) -> Refused {
    scan(Endpoint::ChatCompletions, body.as_bytes()).unwrap_err()
}

#[test]
fn a_body_without_one_model_that_is_text_is_refused() {
    assert_eq!(refused("{}"), Refused::ModelMissing);
    assert_eq!(
        refused(r#"{"messages":[{"model":"a"}]}"#),
        Refused::ModelMissing
    );
    for model in ["null", "1", "[\"a\"]", "{\"a\":1}", r#""\ud800""#] {
        assert_eq!(
            refused(&format!("{{\"model\":{model}}}")),
            Refused::ModelNotText
        );
    }
    assert_eq!(refused("[1]"), Refused::NotJson(Fault::Malformed { at: 0 }));
    assert_eq!(
        refused(r#"{"model":"a"} {}"#),
        Refused::NotJson(Fault::Malformed { at: 14 })
    );
    let broken = scan(Endpoint::Embeddings, b"{\"model\":\"a\xff\"}");
    assert_eq!(broken, Err(Refused::NotJson(Fault::Malformed { at: 11 })));
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    for (body, field) in [
        (r#"{"model":"a","model":"b"}"#, "model"),
        (r#"{"model":"a","\u006dodel":"a"}"#, "model"),
        (r#"{"stream":true,"model":"a","stream":false}"#, "stream"),
        (
            r#"{"stream_options":{},"model":"a","stream_options":null}"#,
            "stream_options",
        ),
        (
            r#"{"max_tokens":1,"model":"a","m\u0061x_tokens":2}"#,
            "max_tokens",
        ),
        (r#"{"n":1,"model":"a","n":2}"#, "n"),
        (
            r#"{"model":"a","stream_options":{"include_usage":true,"include_usag\u0065":false}}"#,
            INCLUDE_USAGE,
        ),
    ] {
        assert_eq!(refused(body), Refused::Duplicate(field), "{body}");
    }
    for (body, field) in [
        (r#"{"model":"a","Model":"b"}"#, "model"),
        (r#"{"MODEL":"b"}"#, "model"),
        (r#"{"model":"a","\u017ftream":true}"#, "stream"),
        ("{\"model\":\"a\",\"max_to\u{212a}ens\":9}", "max_tokens"),
        (
            r#"{"model":"a","stream_options":{"Include_Usage":true}}"#,
            INCLUDE_USAGE,
        ),
    ] {
        assert_eq!(refused(body), Refused::Lookalike(field), "{body}");
    }
    let unread = br#"{"model":"a","seed":1,"seed":2,"nn":1,"metadata":{"model":"x"}}"#;
    assert!(scan(Endpoint::ChatCompletions, unread).is_ok());
}

#[test]
fn what_is_right_already_is_not_copied() {
    let body = Bytes::from_static(
        br#"{"model":"\u0061","stream":true,"stream_options":{"include_usage":true}}"#,
    );
    let scanned = scan(Endpoint::ChatCompletions, &body).unwrap();
    let same = rewrite(
        &body,
        &scanned,
        &Rewrite {
            model: "a",
            ask_usage: true,
        },
    );
    assert_eq!(same.as_ptr(), body.as_ptr());
    assert_eq!(same, body);
}

#[test]
fn a_model_is_escaped_where_it_is_spliced_in() {
    let body = Bytes::from_static(br#"{"model":"a"}"#);
    let scanned = scan(Endpoint::ChatCompletions, &body).unwrap();
    let spliced = rewrite(
        &body,
        &scanned,
        &Rewrite {
            model: "x\",\"n\":\"9",
            ask_usage: true,
        },
    );
    assert_eq!(spliced, r#"{"model":"x\",\"n\":\"9"}"#);
}
