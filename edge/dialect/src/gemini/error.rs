//! Google's errors: `{"error":{"code","message","status","details"}}`, alone or in an array.
//!
//! Owns what they mean, and how we say it in their words. Their `code` is a status code as the body repeats it; which
//! one the answer has is not decided here. What is no such error is never quoted: a proxy may put anything into it.

use std::borrow::Cow;

use payload::{object, writer::Writer};

use crate::{
    gemini::{member::Members, own},
    neutral::{Class, Error},
};

/// How long a message is read. Full: the rest of it is cut off.
const MESSAGE_CHARS_MAX: usize = 4_096;

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";

/// What the details of an error say.
#[derive(Debug, Default)]
struct Details {
    reason: String,
    field: Option<String>,
    retry_after_ms: Option<u64>,
    /// A limit of a day was hit, or one that is nothing at all: waiting a little does not help.
    used_up: bool,
}

/// Reads the body of an answer whose status is `status`.
pub fn decode(status: u16, body: &[u8]) -> Error {
    let said = str::from_utf8(body)
        .ok()
        .and_then(|body| find(status, body));
    said.unwrap_or_else(|| {
        let class = class(status, "", "", &Details::default());
        Error::new(
            class,
            format!("the provider answered with status {status} and no error that can be read"),
        )
    })
}

/// Reads an error in a body or in a stream, if it is one.
pub(crate) fn find(status: u16, body: &str) -> Option<Error> {
    let body = body.trim();
    let first = if body.starts_with('[') {
        object::elements(body).ok()?.into_iter().next()?
    } else {
        body
    };
    let mut members = Members::parse(first).ok()?;
    let raw = members.raw("error").ok()??;
    let Ok(mut error) = Members::parse(raw) else {
        // Older services say nothing but the message.
        let message = object::text(raw).ok()?;
        return Some(Error::new(
            class(status, "", &message, &Details::default()),
            cut(&message),
        ));
    };
    let message = error.text("message").ok().flatten().unwrap_or_default();
    let word = error.text("status").ok().flatten().unwrap_or_default();
    let code = error.raw("code").ok().flatten();
    let listed = error.raw("details").ok().flatten();
    let details = listed.map(read_details).unwrap_or_default();
    let said = code.and_then(|code| code.parse().ok()).unwrap_or(status);
    let mut read = Error::new(class(said, &word, &message, &details), cut(&message));
    read.code = (!word.is_empty()).then(|| word.into_owned());
    read.param = details.field;
    read.retry_after_ms = details.retry_after_ms;
    read.extra.extend(code.map(|raw| own::extra("code", raw)));
    read.extra
        .extend(listed.map(|raw| own::extra("details", raw)));
    // What cannot be kept is not needed to understand it.
    let _ = error.rest("", &mut read.extra);
    Some(read)
}

fn cut(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}

fn read_details(raw: &str) -> Details {
    let mut details = Details::default();
    for raw in object::elements(raw).unwrap_or_default() {
        if let Ok(members) = Members::parse(raw) {
            read_detail(members, &mut details);
        }
    }
    details
}

fn read_detail(mut detail: Members<'_>, details: &mut Details) {
    if let Ok(Some(reason)) = detail.text("reason") {
        details.reason = reason.into_owned();
    }
    if let Ok(Some(raw)) = detail.raw("retryDelay") {
        details.retry_after_ms = milliseconds(raw);
    }
    for raw in detail.list("violations").ok().flatten().unwrap_or_default() {
        let quota = Members::parse(raw).and_then(|mut members| members.text("quotaId"));
        details.used_up |= quota.is_ok_and(|id| id.is_some_and(|id| id.contains("PerDay")));
    }
    for raw in detail
        .list("fieldViolations")
        .ok()
        .flatten()
        .unwrap_or_default()
    {
        let field = Members::parse(raw).and_then(|mut members| members.text("field"));
        let field = field.ok().flatten().map(Cow::into_owned);
        details.field = details.field.take().or(field);
    }
}

/// A duration: `"34.4s"`, or as older services write it, `{"seconds":34,"nanos":400000000}`. Rounded up.
fn milliseconds(raw: &str) -> Option<u64> {
    if let Ok(mut members) = Members::parse(raw) {
        let seconds = members.count("seconds").ok()?.unwrap_or(0);
        let nanos = members.count("nanos").ok()?.unwrap_or(0);
        return Some(
            seconds
                .saturating_mul(1_000)
                .saturating_add(nanos.div_ceil(1_000_000)),
        );
    }
    let text = object::text(raw).ok()?;
    let number = text.strip_suffix('s')?;
    let (seconds, fraction) = number.split_once('.').unwrap_or((number, ""));
    let seconds: u64 = seconds.parse().ok()?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digit = |at: usize| {
        fraction
            .as_bytes()
            .get(at)
            .map_or(0, |byte| u64::from(byte - b'0'))
    };
    let below = fraction.bytes().skip(3).any(|byte| byte != b'0');
    let fraction = digit(0) * 100 + digit(1) * 10 + digit(2) + u64::from(below);
    Some(seconds.saturating_mul(1_000).saturating_add(fraction))
}

/// What kind of error it is. The details say more than the word, and the word more than the code.
fn class(code: u16, word: &str, message: &str, details: &Details) -> Class {
    match details.reason.as_str() {
        // A bad key is a bad request to Google.
        "API_KEY_INVALID" | "API_KEY_EXPIRED" | "ACCESS_TOKEN_EXPIRED" => {
            return Class::Authentication;
        }
        "BILLING_DISABLED" | "BILLING_STATE_INVALID" => return Class::QuotaExhausted,
        _ => {}
    }
    let says = |words: &str| message.contains(words);
    match (word, code) {
        ("RESOURCE_EXHAUSTED", _) | ("", 429) => {
            let used_up = details.used_up || says("limit: 0,") || says("credits are depleted");
            if used_up {
                Class::QuotaExhausted
            } else {
                Class::RateLimited
            }
        }
        ("UNAUTHENTICATED", _) | ("", 401) => Class::Authentication,
        ("PERMISSION_DENIED", _) | ("", 403) => Class::Permission,
        ("NOT_FOUND", _) | ("", 404) => Class::NotFound,
        ("UNAVAILABLE", _) | ("", 503 | 529) => Class::Overloaded,
        ("DEADLINE_EXCEEDED", _) | ("", 408 | 504) => Class::Timeout,
        ("INVALID_ARGUMENT" | "OUT_OF_RANGE" | "FAILED_PRECONDITION" | "UNIMPLEMENTED", _) => {
            invalid(code, message)
        }
        ("", 402) => Class::QuotaExhausted,
        ("", 400..500) => invalid(code, message),
        _ => Class::Provider,
    }
}

/// What is wrong with a request, which only the message tells.
fn invalid(code: u16, message: &str) -> Class {
    let says = |words: &str| message.contains(words);
    if code == 413 || says("payload size exceeds") {
        Class::TooLarge
    } else if says("exceeds the maximum number of tokens") || says("maximum context length") {
        Class::ContextTooLong
    } else if says("API key not valid") || says("API key expired") {
        Class::Authentication
    } else if says("enable billing") {
        Class::QuotaExhausted
    } else if says("location is not supported") {
        Class::Permission
    } else {
        Class::InvalidRequest
    }
}

/// Writes an error as a body.
pub fn encode(error: &Error) -> Vec<u8> {
    let mut writer = Writer::with_capacity(128 + error.message.len());
    write(&mut writer, error);
    writer.into_bytes()
}

/// Writes an error as the last event of a stream.
pub fn event(error: &Error) -> Vec<u8> {
    let mut out = b"data: ".to_vec();
    out.extend(one_line(encode(error)));
    out.extend(b"\n\n");
    out
}

/// The same JSON on one line. Line ends stand between values only: in strings they are escaped.
pub(crate) fn one_line(mut json: Vec<u8>) -> Vec<u8> {
    for byte in &mut json {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    json
}

fn write(writer: &mut Writer, error: &Error) {
    let (code, status) = words(error.class);
    let raw = own::own(&error.extra, "code");
    writer.open().key("error").open().key("code");
    match raw {
        Some(raw) => writer.raw(raw),
        None => writer.number(code),
    };
    writer.key("message").text(&error.message);
    let theirs = error.code.as_deref().filter(|_| raw.is_some());
    writer.key("status").text(theirs.unwrap_or(status));
    if own::own(&error.extra, "details").is_none() {
        write_details(writer, error);
    }
    own::write(writer, &error.extra, "", &["code"]);
    writer.close().close();
}

fn write_details(writer: &mut Writer, error: &Error) {
    if error.param.is_none() && error.retry_after_ms.is_none() {
        return;
    }
    writer.key("details").open_array();
    if let Some(field) = &error.param {
        writer.open().key("@type").text(BAD_REQUEST);
        writer.key("fieldViolations").open_array().open();
        writer
            .key("field")
            .text(field)
            .key("description")
            .text(&error.message);
        writer.close().close_array().close();
    }
    if let Some(ms) = error.retry_after_ms {
        let delay = format!("{}.{:03}s", ms / 1_000, ms % 1_000);
        writer.open().key("@type").text(RETRY_INFO);
        writer.key("retryDelay").text(&delay).close();
    }
    writer.close_array();
}

/// Google's code and word for a class.
const fn words(class: Class) -> (u64, &'static str) {
    match class {
        Class::InvalidRequest | Class::ContextTooLong | Class::ContentFiltered => {
            (400, "INVALID_ARGUMENT")
        }
        Class::TooLarge => (413, "INVALID_ARGUMENT"),
        Class::Authentication => (401, "UNAUTHENTICATED"),
        Class::Permission => (403, "PERMISSION_DENIED"),
        Class::NotFound => (404, "NOT_FOUND"),
        Class::RateLimited | Class::QuotaExhausted => (429, "RESOURCE_EXHAUSTED"),
        Class::Overloaded => (503, "UNAVAILABLE"),
        Class::Timeout => (504, "DEADLINE_EXCEEDED"),
        Class::Provider => (500, "INTERNAL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_read_to_the_millisecond() {
        for (raw, expected) in [
            ("\"34.4s\"", Some(34_400)),
            ("\"48s\"", Some(48_000)),
            ("\"0.0001s\"", Some(1)),
            ("\"1.000000000s\"", Some(1_000)),
            (r#"{"seconds":"2","nanos":1}"#, Some(2_001)),
            ("\"-1s\"", None),
            ("\"1m\"", None),
            ("7", None),
        ] {
            assert_eq!(milliseconds(raw), expected, "{raw}");
        }
    }
}
