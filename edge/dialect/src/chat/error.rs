//! Errors: the envelope of this dialect, and what its imitators send in its stead.
//!
//! Owns which kind an error is. Must never pass on what a proxy on the way wrote, nor a key that an error repeats.

use std::borrow::Cow;

use crate::{
    chat::extras,
    neutral::{Class, Error, Extra},
    object::{self, Object},
    scalar,
    writer::Writer,
};

/// How much of a text that is no error of ours is told, in bytes. Full: the rest is cut.
const TEXT_BYTES_MAX: usize = 300;
const INNER: &str = "error.";

/// Reads the body of an answer that failed, or of an error in a stream, whose status is 200. Takes anything.
pub fn decode(status: u16, body: &[u8]) -> Error {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let first = object::elements(text)
        .ok()
        .and_then(|all| all.first().copied());
    read(status, first.unwrap_or(text)).unwrap_or_else(|| unread(status, text))
}

/// Writes an error as a body. All four members are always there, because clients read them without asking.
pub fn encode(error: &Error) -> Vec<u8> {
    let mut writer = Writer::default();
    let (kind, code) = words(error.class);
    writer.open().key("error").open();
    writer.key("message").text(&error.message);
    writer.key("type");
    match extras::find(&error.extra, "error.type") {
        Some(raw) => writer.raw(raw),
        None => writer.text(kind),
    };
    writer.key("param");
    match &error.param {
        Some(param) => writer.text(param),
        None => writer.null(),
    };
    writer.key("code");
    match (
        extras::find(&error.extra, "error.code"),
        error.code.as_deref().or(code),
    ) {
        (Some(raw), _) => writer.raw(raw),
        (None, Some(code)) => writer.text(code),
        (None, None) => writer.null(),
    };
    let inner =
        extras::under(&error.extra, INNER).filter(|(name, _)| !matches!(*name, "type" | "code"));
    extras::write(&mut writer, inner);
    writer.close();
    let outer = extras::under(&error.extra, "").filter(|(name, _)| !name.starts_with(INNER));
    extras::write(&mut writer, outer);
    writer.close();
    writer.into_bytes()
}

/// Writes an error as the last event of a stream. No `[DONE]` follows it.
pub fn event(error: &Error) -> Vec<u8> {
    let mut out = b"data: ".to_vec();
    out.extend(encode(error));
    out.extend(b"\n\n");
    out
}

/// What this dialect calls a kind: type and code.
const fn words(class: Class) -> (&'static str, Option<&'static str>) {
    match class {
        Class::InvalidRequest => ("invalid_request_error", None),
        Class::ContextTooLong => ("invalid_request_error", Some("context_length_exceeded")),
        Class::ContentFiltered => ("invalid_request_error", Some("content_filter")),
        Class::TooLarge => ("request_too_large", None),
        Class::Authentication => ("invalid_request_error", Some("invalid_api_key")),
        Class::Permission => ("permission_error", None),
        Class::NotFound => ("invalid_request_error", Some("model_not_found")),
        Class::RateLimited => ("rate_limit_error", Some("rate_limit_exceeded")),
        Class::QuotaExhausted => ("insufficient_quota", Some("insufficient_quota")),
        Class::Overloaded => ("server_error", Some("overloaded")),
        Class::Timeout => ("timeout", Some("timeout")),
        Class::Provider => ("server_error", None),
    }
}

/// Reads an object: this dialect's envelope; or its members alone, as vLLM and Mistral send them; or `detail`.
fn read(status: u16, text: &str) -> Option<Error> {
    let mut outer = Object::parse(text).ok()?;
    let mut kept = Vec::new();
    let mut error = match outer.raw("error").ok()? {
        Some(raw) if object::is_text(raw) => {
            let mut error = Error::new(Class::Provider, object::text(raw).ok()?);
            error.code = word(outer.raw("code").ok()?);
            extras::keep(outer, "", &mut kept);
            error
        }
        Some(raw) => {
            extras::keep(outer, "", &mut kept);
            inner(Object::parse(raw).ok()?, &mut kept)?
        }
        None if outer.has("message") => inner(outer, &mut kept)?,
        None => Error::new(Class::Provider, said(outer.raw("detail").ok()??)),
    };
    let kind = extras::find(&kept, "error.type").and_then(|raw| word(Some(raw)));
    let status = match error.code.as_deref().map(str::parse) {
        Some(Ok(code @ 400..600)) if status < 400 => code,
        _ => status,
    };
    let class = [error.code.as_deref(), kind.as_deref()]
        .into_iter()
        .flatten()
        .find_map(of_word)
        .unwrap_or_else(|| of_status(status));
    error.message = masked(&error.message).into_owned();
    error.class = refined(class, &error.message);
    error.extra = kept;
    Some(error)
}

fn inner(mut inner: Object<'_>, kept: &mut Vec<Extra>) -> Option<Error> {
    let message = inner.raw("message").ok()?.map(said).unwrap_or_default();
    let mut error = Error::new(Class::Provider, message);
    let code = inner.raw("code").ok()?;
    error.code = word(code);
    // A number must go back as one.
    if let Some(code) = code.filter(|code| !object::is_text(code)) {
        kept.push(extras::extra("error.code", code));
    }
    error.param = word(inner.raw("param").ok()?);
    extras::keep(inner, INNER, kept);
    kept.retain(|extra| extra.value.as_str() != "null");
    Some(error)
}

/// What a string says, or a raw value as it is.
fn said(raw: &str) -> String {
    let cut = raw.get(..raw.floor_char_boundary(TEXT_BYTES_MAX.min(raw.len())));
    scalar::string(raw).map_or_else(|| cut.unwrap_or_default().to_owned(), Into::into)
}

fn word(raw: Option<&str>) -> Option<String> {
    raw.map(said).filter(|word| !word.is_empty())
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

/// What a code or a type stands for. Types that providers give to everything stand for nothing.
fn of_word(word: &str) -> Option<Class> {
    Some(match word {
        "context_length_exceeded" | "exceed_context_size_error" => Class::ContextTooLong,
        "invalid_api_key" | "authentication_error" => Class::Authentication,
        "model_not_found" | "DeploymentNotFound" | "not_found_error" => Class::NotFound,
        "insufficient_quota" | "billing_error" | "billing_hard_limit_reached" => {
            Class::QuotaExhausted
        }
        "rate_limit_exceeded" | "rate_limit_error" | "RateLimitReached" => Class::RateLimited,
        "content_filter" | "content_policy_violation" => Class::ContentFiltered,
        "permission_error" => Class::Permission,
        "request_too_large" => Class::TooLarge,
        "overloaded" | "overloaded_error" => Class::Overloaded,
        "timeout" | "timeout_error" => Class::Timeout,
        "tool_use_failed" => Class::InvalidRequest,
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

/// Kinds that some providers only tell apart in words.
fn refined(class: Class, message: &str) -> Class {
    let message = message.to_ascii_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
    match class {
        Class::InvalidRequest | Class::TooLarge
            if says(&[
                "maximum context length",
                "context window",
                "context size",
                "prompt is too long",
            ]) =>
        {
            Class::ContextTooLong
        }
        Class::InvalidRequest if says(&["incorrect api key", "invalid api key"]) => {
            Class::Authentication
        }
        Class::InvalidRequest if says(&["content management policy"]) => Class::ContentFiltered,
        Class::RateLimited if says(&["exceeded your current quota", "insufficient balance"]) => {
            Class::QuotaExhausted
        }
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
