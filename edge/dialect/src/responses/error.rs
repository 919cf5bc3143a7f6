//! Errors: what a provider of this dialect says of them, and how its clients are told.
//!
//! Owns the words and the shapes, as a body and as an event in a stream. Must never choose a status code. A key that a
//! provider repeats in its message is masked, because the message goes to someone else.

use payload::{
    object::{self, Object},
    writer::Writer,
};

use crate::{
    neutral::{Class, Error, Extra},
    responses::{frame, own},
};

/// The longest message that is passed on, in bytes. Full: the rest is cut off.
pub const MESSAGE_BYTES_MAX: usize = 4_096;

/// Reads the body of an answer whose status is an error.
pub fn decode(status: u16, body: &[u8]) -> Error {
    let text = str::from_utf8(body).unwrap_or_default();
    if let Some(error) = said(status, text) {
        return error;
    }
    let text = text.trim();
    let message = if text.is_empty() || text.starts_with('<') {
        format!("the provider answered with status {status} and did not say why")
    } else {
        masked(text)
    };
    let class = class(status, "", "", &message);
    Error::new(class, message)
}

/// Reads an object that is or holds an error; `None` if it holds none. `status` is 0 in a stream.
pub(crate) fn said(status: u16, raw: &str) -> Option<Error> {
    let mut outer = Object::parse(raw).ok()?;
    let inner = outer.raw("error").ok()?;
    let mut kind = String::new();
    let mut object = match inner {
        Some(raw) if raw.starts_with('{') => Object::parse(raw).ok()?,
        _ => outer.clone(),
    };
    let mut extra = Vec::new();
    // The type of an event is none of the error's.
    if let Some(raw) = object.raw("type").ok()?.filter(|it| *it != "\"error\"") {
        kind = words(raw);
        extra.push(own::extra("type", raw));
    }
    let code = object.raw("code").ok()?.map(words);
    let param = object.raw("param").ok()?.map(words);
    let message = match inner {
        Some(raw) if object::is_text(raw) => Some(words(raw)),
        _ => match object.raw("message").ok()? {
            Some(raw) => Some(words(raw)),
            None => object.raw("detail").ok()?.map(words),
        },
    };
    if message.is_none() && code.is_none() && inner.is_none() {
        return None;
    }
    let message = message.filter(|message| !message.trim().is_empty());
    let message = masked(&message.unwrap_or_else(|| "the provider did not say why".to_owned()));
    if inner.is_some_and(|raw| raw.starts_with('{')) {
        own::keep(object, "", &mut extra);
    }
    Some(Error {
        class: class(status, code.as_deref().unwrap_or_default(), &kind, &message),
        retry_after_ms: retry_after_ms(&message),
        message,
        code,
        param,
        extra,
    })
}

/// What a value says: a string its text, anything else itself.
fn words(raw: &str) -> String {
    object::text(raw).map_or_else(|_| raw.to_owned(), Into::into)
}

/// The class, by the provider's own words first, because some say all by one status.
fn class(status: u16, code: &str, kind: &str, message: &str) -> Class {
    let by_word = [code, kind].into_iter().find_map(class_of_word);
    by_word
        .or_else(|| class_of_message(message))
        .unwrap_or_else(|| class_of_status(status, code, kind))
}

fn class_of_word(word: &str) -> Option<Class> {
    Some(match word {
        "context_length_exceeded" => Class::ContextTooLong,
        "insufficient_quota" | "billing_hard_limit_reached" | "billing_not_active" => {
            Class::QuotaExhausted
        }
        "rate_limit_exceeded" | "rate_limit_error" | "RateLimitReached" => Class::RateLimited,
        "invalid_api_key" | "authentication_error" => Class::Authentication,
        "permission_error" | "permission_denied" => Class::Permission,
        "model_not_found" | "DeploymentNotFound" => Class::NotFound,
        "request_too_large" => Class::TooLarge,
        "content_filter" | "content_policy_violation" | "bio_policy" => Class::ContentFiltered,
        "misalignment_policy_violation" | "image_content_policy_violation" => {
            Class::ContentFiltered
        }
        "server_is_overloaded" | "overloaded" | "overloaded_error" | "slow_down" => {
            Class::Overloaded
        }
        "timeout" | "vector_store_timeout" => Class::Timeout,
        _ => return None,
    })
}

fn class_of_message(message: &str) -> Option<Class> {
    let message = message.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|it| message.contains(it));
    if has(&["incorrect api key", "invalid api key"]) {
        Some(Class::Authentication)
    } else if has(&[
        "maximum context length",
        "context window",
        "maximum prompt length",
    ]) {
        Some(Class::ContextTooLong)
    } else if has(&[
        "spending limit",
        "all available credits",
        "exceeded your current quota",
    ]) {
        Some(Class::QuotaExhausted)
    } else {
        None
    }
}

fn class_of_status(status: u16, code: &str, kind: &str) -> Class {
    match status {
        401 => Class::Authentication,
        402 => Class::QuotaExhausted,
        403 => Class::Permission,
        404 => Class::NotFound,
        408 | 504 => Class::Timeout,
        413 => Class::TooLarge,
        429 => Class::RateLimited,
        503 | 529 => Class::Overloaded,
        400..=499 => Class::InvalidRequest,
        // A stream has no status of its own.
        _ if kind == "invalid_request_error" || code.starts_with("invalid_") => {
            Class::InvalidRequest
        }
        _ => Class::Provider,
    }
}

/// What is worth waiting for, where the message says it: `Please try again in 1m2.5s`.
fn retry_after_ms(message: &str) -> Option<u64> {
    let mut rest = message.split_once("try again in ")?.1;
    let mut waited = 0.0_f64;
    let mut any = false;
    loop {
        let digits = rest
            .find(|it: char| !it.is_ascii_digit() && it != '.')
            .unwrap_or(rest.len());
        let Ok(number) = rest.get(..digits)?.parse::<f64>() else {
            break;
        };
        rest = rest.get(digits..)?.trim_start();
        let (unit, factor) = [("ms", 1.0), ("s", 1e3), ("m", 6e4), ("h", 3.6e6)]
            .into_iter()
            .find(|(unit, _)| rest.starts_with(unit))?;
        rest = rest.get(unit.len()..)?;
        waited += number * factor;
        any = true;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and the number is not negative"
    )]
    any.then_some(waited.ceil() as u64)
}

/// A message without keys, and not longer than [`MESSAGE_BYTES_MAX`].
fn masked(message: &str) -> String {
    let mut end = message.len().min(MESSAGE_BYTES_MAX);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let message = message.get(..end).unwrap_or_default();
    let is_key = |word: &str| {
        let word = word.trim_start_matches(['\'', '"', '(', '`']);
        word.starts_with("sk-") || word.starts_with("xai-") || word.contains("***")
    };
    let mask = |word: &str| {
        if is_key(word) {
            "***".to_owned()
        } else {
            word.to_owned()
        }
    };
    message.split(' ').map(mask).collect::<Vec<_>>().join(" ")
}

/// A body that is an error.
pub fn encode(error: &Error) -> Vec<u8> {
    let mut writer = Writer::with_capacity(128 + error.message.len());
    writer.open().key("error").open();
    write_members(&mut writer, error);
    writer.close().close();
    writer.into_bytes()
}

/// An event that is an error, where no other event came before it.
pub fn event(error: &Error) -> Vec<u8> {
    let mut out = Vec::new();
    event_at(error, 0, &mut out);
    out
}

/// An event that is an error. What is wrong stands there twice: in an object as the API sends it, and beside it as its
/// clients' types have it.
pub(crate) fn event_at(error: &Error, sequence_number: u64, out: &mut Vec<u8>) {
    frame::put(out, "error", |writer| {
        writer.open().key("type").text("error");
        writer.key("sequence_number").number(sequence_number);
        writer.key("code").text(code(error));
        writer.key("message").text(&error.message).key("param");
        write_param(writer, error);
        writer.key("error").open();
        write_members(writer, error);
        writer.close().close();
    });
}

/// All four members are always there, because clients read them without asking.
fn write_members(writer: &mut Writer, error: &Error) {
    writer.key("message").text(&error.message).key("type");
    match own::find(&error.extra, "type") {
        Some(kind) if error.class != Class::Authentication => writer.raw(kind),
        _ => writer.text(kind(error.class)),
    };
    writer.key("param");
    write_param(writer, error);
    writer.key("code");
    match &error.code {
        None if error.class == Class::InvalidRequest => writer.null(),
        _ => writer.text(code(error)),
    };
    let extra: &[Extra] = &error.extra;
    own::write_except(writer, extra, "", &["type"]);
}

fn write_param(writer: &mut Writer, error: &Error) {
    match &error.param {
        Some(param) => writer.text(param),
        None => writer.null(),
    };
}

/// The code that a client sees. A credential of ours that a provider refuses is no fault of the client's key.
pub(crate) fn code(error: &Error) -> &str {
    match (&error.code, error.class) {
        (_, Class::Authentication) => "upstream_auth",
        // Clients wait for certain codes of these; another provider's word for them says nothing to them.
        (
            Some(code),
            Class::ContextTooLong
            | Class::RateLimited
            | Class::QuotaExhausted
            | Class::ContentFiltered,
        ) if !code.ends_with("_error") && class_of_word(code) == Some(error.class) => code,
        (_, Class::ContextTooLong) => "context_length_exceeded",
        (_, Class::RateLimited) => "rate_limit_exceeded",
        (_, Class::QuotaExhausted) => "insufficient_quota",
        (_, Class::ContentFiltered) => "content_filter",
        (Some(code), _) => code,
        (None, Class::InvalidRequest) => "invalid_request_error",
        (None, Class::TooLarge) => "request_too_large",
        (None, Class::Permission) => "permission_denied",
        (None, Class::NotFound) => "model_not_found",
        (None, Class::Overloaded) => "overloaded",
        (None, Class::Timeout) => "timeout",
        (None, Class::Provider) => "server_error",
    }
}

const fn kind(class: Class) -> &'static str {
    match class {
        Class::InvalidRequest
        | Class::ContextTooLong
        | Class::NotFound
        | Class::ContentFiltered => "invalid_request_error",
        Class::TooLarge => "request_too_large",
        Class::Authentication => "api_error",
        Class::Permission => "permission_error",
        Class::RateLimited => "rate_limit_error",
        Class::QuotaExhausted => "insufficient_quota",
        Class::Overloaded | Class::Provider => "server_error",
        Class::Timeout => "timeout",
    }
}
