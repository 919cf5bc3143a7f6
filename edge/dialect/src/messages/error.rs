//! Errors: the envelope of this dialect, and what its hosts send in its stead.
//!
//! Owns which kind an error is. Must never pass on what a proxy on the way wrote, nor a key that an error repeats.

use std::{borrow::Cow, time::Duration};

use payload::{
    object::{self, Object},
    writer::Writer,
};

use crate::{
    messages::extras,
    neutral::{Class, Error, Extra},
};

/// How much of a text that is no error of ours is told, in bytes. Full: the rest is cut.
const TEXT_BYTES_MAX: usize = 300;
const INNER: &str = "error.";

/// Reads the body of an answer that failed. Takes anything.
pub fn decode(status: u16, body: &[u8]) -> Error {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    // Google wraps an error in an array where a stream was asked for.
    let first = object::elements(text)
        .ok()
        .and_then(|all| all.first().copied());
    read(status, first.unwrap_or(text)).unwrap_or_else(|| unread(status, text))
}

/// Writes an error as a body.
pub fn encode(error: &Error) -> Vec<u8> {
    let mut writer = Writer::default();
    write(&mut writer, error);
    writer.into_bytes()
}

/// Writes an error as the last event of a stream.
pub fn event(error: &Error) -> Vec<u8> {
    let mut out = b"event: error\ndata: ".to_vec();
    out.extend(encode(error));
    out.extend(b"\n\n");
    out
}

fn write(writer: &mut Writer, error: &Error) {
    writer.open().key("type").text("error").key("error").open();
    writer.key("type").text(word(error.class));
    writer.key("message").text(&error.message);
    extras::write(writer, extras::under(&error.extra, INNER));
    writer.close();
    let outer = extras::under(&error.extra, "").filter(|(name, _)| !name.starts_with(INNER));
    extras::write(writer, outer);
    writer.close();
}

/// What this dialect calls a kind.
const fn word(class: Class) -> &'static str {
    match class {
        Class::InvalidRequest | Class::ContextTooLong | Class::ContentFiltered => {
            "invalid_request_error"
        }
        Class::TooLarge => "request_too_large",
        Class::Authentication => "authentication_error",
        Class::Permission => "permission_error",
        Class::NotFound => "not_found_error",
        Class::RateLimited => "rate_limit_error",
        Class::QuotaExhausted => "billing_error",
        Class::Overloaded => "overloaded_error",
        Class::Timeout => "timeout_error",
        Class::Provider => "api_error",
    }
}

/// Reads an object: this dialect's envelope, Google's, or Bedrock's `message` alone.
fn read(status: u16, text: &str) -> Option<Error> {
    let mut outer = Object::parse(text).ok()?;
    let mut kept = Vec::new();
    let raw = outer.raw("error").ok()?;
    let (kind, message) = match raw {
        Some(raw) if object::is_text(raw) => (None, object::text(raw).ok()?.into_owned()),
        Some(raw) => read_inner(raw, &mut kept)?,
        None => {
            let message = ["message", "Message"]
                .into_iter()
                .find_map(|name| outer.text(name).ok()?)?;
            (None, message.into_owned())
        }
    };
    if outer.raw("type").is_ok() {
        extras::keep(outer, "", &mut kept);
    }
    let retry_after_ms = raw.and_then(retry_after_ms);
    let class = kind
        .as_deref()
        .and_then(of_word)
        .unwrap_or_else(|| of_status(status));
    let message = masked(&message).into_owned();
    let mut error = Error::new(refined(class, &message), message);
    error.code = kind;
    error.retry_after_ms = retry_after_ms;
    error.extra = kept;
    Some(error)
}

fn read_inner(raw: &str, kept: &mut Vec<Extra>) -> Option<(Option<String>, String)> {
    let mut inner = Object::parse(raw).ok()?;
    let message = inner.text("message").ok()?.unwrap_or_default().into();
    let kind = inner.text("type").ok()?;
    let kind = match kind {
        Some(kind) => Some(kind),
        None => inner.text("status").ok()?,
    };
    let google = inner.has("code");
    if !google {
        extras::keep(inner, INNER, kept);
    }
    Some((kind.map(Into::into), message))
}

/// When Google says that it is worth asking again: `"retryDelay":"1.5s"` in one of its details.
fn retry_after_ms(raw: &str) -> Option<u64> {
    let details = Object::parse(raw).ok()?.array("details").ok()??;
    details.into_iter().find_map(|raw| {
        let delay = Object::parse(raw).ok()?.text("retryDelay").ok()??;
        let seconds: Duration = delay
            .strip_suffix('s')
            .and_then(|seconds| Duration::try_from_secs_f64(seconds.parse().ok()?).ok())?;
        u64::try_from(seconds.as_millis()).ok()
    })
}

/// An error that nobody of ours wrote. A page of a proxy is of no use to a client.
fn unread(status: u16, text: &str) -> Error {
    let mut message = format!("the provider answered {status}");
    if !text.is_empty() && !text.starts_with('<') {
        let end = text.floor_char_boundary(TEXT_BYTES_MAX.min(text.len()));
        message.push_str(": ");
        message.push_str(&masked(text.get(..end).unwrap_or_default()));
    }
    Error::new(refined(of_status(status), &message), message)
}

/// What a word stands for: this dialect's, or one of Google's.
fn of_word(word: &str) -> Option<Class> {
    Some(match word {
        "invalid_request_error" | "INVALID_ARGUMENT" | "FAILED_PRECONDITION" => {
            Class::InvalidRequest
        }
        "authentication_error" | "UNAUTHENTICATED" => Class::Authentication,
        "billing_error" => Class::QuotaExhausted,
        "permission_error" | "PERMISSION_DENIED" => Class::Permission,
        "not_found_error" | "NOT_FOUND" => Class::NotFound,
        "request_too_large" => Class::TooLarge,
        "rate_limit_error" | "RESOURCE_EXHAUSTED" => Class::RateLimited,
        "timeout_error" | "DEADLINE_EXCEEDED" => Class::Timeout,
        "overloaded_error" | "UNAVAILABLE" => Class::Overloaded,
        "api_error" | "INTERNAL" => Class::Provider,
        _ => return None,
    })
}

const fn of_status(status: u16) -> Class {
    match status {
        400 | 405 | 409 | 422 => Class::InvalidRequest,
        401 => Class::Authentication,
        402 => Class::QuotaExhausted,
        403 => Class::Permission,
        404 => Class::NotFound,
        408 | 504 => Class::Timeout,
        413 => Class::TooLarge,
        429 => Class::RateLimited,
        503 | 529 => Class::Overloaded,
        _ => Class::Provider,
    }
}

/// Kinds that the providers only tell apart in words.
fn refined(class: Class, message: &str) -> Class {
    const TOO_LONG: [&str; 4] = [
        "prompt is too long",
        "exceed context limit",
        "Input is too long",
        "input tokens exceeded",
    ];
    const USED_UP: [&str; 2] = ["usage limits", "credit balance is too low"];
    let says = |phrases: &[&str]| {
        let message = message.to_ascii_lowercase();
        phrases
            .iter()
            .any(|phrase| message.contains(&phrase.to_ascii_lowercase()))
    };
    match class {
        Class::InvalidRequest | Class::TooLarge if says(&TOO_LONG) => Class::ContextTooLong,
        Class::InvalidRequest | Class::Permission if says(&USED_UP) => Class::QuotaExhausted,
        Class::InvalidRequest if says(&["content filtering policy"]) => Class::ContentFiltered,
        class => class,
    }
}

/// The text without keys in it.
fn masked(text: &str) -> Cow<'_, str> {
    const BEGINNING: &str = "sk-";
    let is_key = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '*');
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(BEGINNING) {
        out.push_str(before);
        out.push_str(BEGINNING);
        rest = behind;
        if !before.ends_with(char::is_alphanumeric) {
            out.push_str("***");
            rest = behind.trim_start_matches(is_key);
        }
    }
    if out.is_empty() {
        return text.into();
    }
    out.push_str(rest);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_repeated() {
        assert_eq!(masked("no sk-ant-api03-AbC_9 here"), "no sk-*** here");
        assert_eq!(masked("a task-force"), "a task-force");
        let error = decode(401, b"bad key sk-ant-1234");
        assert_eq!(error.message, "the provider answered 401: bad key sk-***");
    }
}
