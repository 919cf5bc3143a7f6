//! Errors: what providers of this family report, and what its clients understand.
//!
//! Owns which words and statuses mean what. Must never choose a status, and never panics, whatever a provider sends.

use payload::{object, writer::Writer};

use crate::{
    chat::{
        fault::{self, Fault},
        own,
    },
    neutral::{Class, Error},
};

/// The longest text that is no JSON and is still told. Full: the rest is cut off.
const TEXT_BYTES_MAX: usize = 512;

/// Words in a code or a type that say what kind of error it is, whatever its status.
const WORDS: [(&str, Class); 26] = [
    ("context_length_exceeded", Class::ContextTooLong),
    ("exceed_context_size", Class::ContextTooLong),
    ("insufficient_quota", Class::QuotaExhausted),
    ("insufficient_credits", Class::QuotaExhausted),
    ("billing", Class::QuotaExhausted),
    ("content_filter", Class::ContentFiltered),
    ("content_policy", Class::ContentFiltered),
    ("ResponsibleAIPolicyViolation", Class::ContentFiltered),
    ("invalid_api_key", Class::Authentication),
    ("authentication", Class::Authentication),
    ("permission", Class::Permission),
    ("model_not_found", Class::NotFound),
    ("invalid_model", Class::NotFound),
    ("DeploymentNotFound", Class::NotFound),
    ("not_found", Class::NotFound),
    ("request_too_large", Class::TooLarge),
    ("rate_limit", Class::RateLimited),
    ("RateLimitReached", Class::RateLimited),
    ("too_many_requests", Class::RateLimited),
    ("tokens_exceeded", Class::RateLimited),
    ("overloaded", Class::Overloaded),
    ("unavailable", Class::Overloaded),
    ("capacity", Class::Overloaded),
    ("timeout", Class::Timeout),
    ("server_error", Class::Provider),
    ("api_error", Class::Provider),
];

/// Words in a message that say it, where the request was refused.
const PHRASES: [(&str, Class); 13] = [
    ("maximum context length", Class::ContextTooLong),
    ("context window", Class::ContextTooLong),
    ("exceeds the available context size", Class::ContextTooLong),
    ("prompt is too long", Class::ContextTooLong),
    ("reduce the length of the messages", Class::ContextTooLong),
    ("too large for model", Class::ContextTooLong),
    ("exceeded your current quota", Class::QuotaExhausted),
    ("insufficient balance", Class::QuotaExhausted),
    ("insufficient credits", Class::QuotaExhausted),
    ("incorrect api key", Class::Authentication),
    ("api key not valid", Class::Authentication),
    ("invalid api key", Class::Authentication),
    ("flagged", Class::ContentFiltered),
];

/// Reads the body of an answer that is no success.
pub fn decode(status: u16, body: &[u8]) -> Error {
    let text = String::from_utf8_lossy(body);
    if let Some(fault) = Fault::read(&text) {
        return of(fault, Some(status));
    }
    let text = text.trim();
    let message = if text.is_empty() || text.starts_with(['<', '{', '[']) {
        format!("the provider answered with status {status} and no error that can be read")
    } else {
        let end = text.floor_char_boundary(TEXT_BYTES_MAX);
        fault::told(text.get(..end).unwrap_or_default())
    };
    let fault = Fault {
        message,
        ..Fault::default()
    };
    of(fault, Some(status))
}

/// The error that a success holds: some providers answer with status 200 and an error.
pub fn within(body: &str) -> Option<Error> {
    let mut outer = object::Object::parse(body).ok()?;
    let error = outer.raw("error").ok()?;
    let says = error.is_some_and(|raw| !matches!(raw, "false" | "\"\"" | "{}"));
    let object = outer.text("object").ok().flatten();
    if !says && object.as_deref() != Some("error") {
        return None;
    }
    Some(of(Fault::read(body).unwrap_or_default(), None))
}

/// An error of a stream that ended before its time.
pub(crate) fn broken(message: &str) -> Error {
    Error::new(Class::Provider, message)
}

/// An error of a stream that is not what this dialect says.
pub(crate) fn unreadable(message: &str) -> Error {
    Error::unreadable(message)
}

/// An error as the provider puts it in an event of its own; any text is one.
pub(crate) fn of_event(data: &str) -> Error {
    of(Fault::read(data).unwrap_or_default(), None)
}

fn of(fault: Fault, status: Option<u16>) -> Error {
    let class = class(&fault, status);
    let mut error = Error::new(class, fault.message);
    error.retry_after_ms = retry_after_ms(&error.message);
    error.code = fault.code;
    error.param = fault.param;
    if !fault.kind.is_empty() && fault.kind != kind(class) {
        let mut raw = Writer::default();
        raw.text(&fault.kind);
        let raw = raw.into_bytes();
        error
            .extra
            .push(own::extra("type", &String::from_utf8_lossy(&raw)));
    }
    error.extra.extend(fault.extra);
    error
}

/// What kind of error it is: by its words, then by its status, and by its message where a request was refused.
fn class(fault: &Fault, status: Option<u16>) -> Class {
    let status = status.or(fault.status).unwrap_or(0);
    let generic = |class: &Class| *class == Class::Provider;
    let code = fault.code.as_deref().unwrap_or_default();
    let word = |in_: &str| {
        WORDS
            .iter()
            .find(|(word, _)| in_.contains(word))
            .map(|(_, class)| *class)
    };
    let words = word(code).or_else(|| word(&fault.kind));
    if let Some(class) = words.filter(|class| !generic(class)) {
        return class;
    }
    if status < 500 && status != 429 {
        let message = fault.message.to_lowercase();
        if let Some((_, class)) = PHRASES.iter().find(|(phrase, _)| message.contains(phrase)) {
            return *class;
        }
    }
    match status {
        401 => Class::Authentication,
        402 => Class::QuotaExhausted,
        403 => Class::Permission,
        404 => Class::NotFound,
        408 | 504 => Class::Timeout,
        413 => Class::TooLarge,
        429 => Class::RateLimited,
        503 | 529 => Class::Overloaded,
        400..500 => Class::InvalidRequest,
        0 if words.is_none()
            && (fault.kind.contains("invalid_request") || code.contains("invalid")) =>
        {
            Class::InvalidRequest
        }
        _ => Class::Provider,
    }
}

/// When to ask again, as messages say it: `Please try again in 1m2.5s`, `retry after 7 seconds`.
fn retry_after_ms(message: &str) -> Option<u64> {
    let lower = message.to_ascii_lowercase();
    let at = ["try again in ", "retry after ", "retry in "]
        .iter()
        .find_map(|phrase| {
            let at = lower.find(phrase)?;
            lower.get(at + phrase.len()..)
        })?;
    let mut rest = at;
    let mut total = None;
    loop {
        let digits = rest
            .find(|other: char| !other.is_ascii_digit() && other != '.')
            .unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let Ok(number) = number.trim_end_matches('.').parse::<f64>() else {
            return total;
        };
        let behind = behind.trim_start();
        let letters = behind
            .find(|other: char| !other.is_ascii_alphabetic())
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        let unit_ms = match unit {
            "ms" | "milliseconds" | "millisecond" => 1.0,
            "s" | "seconds" | "second" | "sec" | "secs" => 1_000.0,
            "m" | "minutes" | "minute" => 60_000.0,
            "h" | "hours" | "hour" => 3_600_000.0,
            "d" | "days" | "day" => 86_400_000.0,
            _ => return total,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates, and the number is not negative"
        )]
        let ms = (number * unit_ms).ceil() as u64;
        total = Some(total.unwrap_or(0_u64).saturating_add(ms));
        rest = behind;
    }
}

/// The type of an error, for clients.
const fn kind(class: Class) -> &'static str {
    match class {
        Class::InvalidRequest
        | Class::ContextTooLong
        | Class::Authentication
        | Class::NotFound
        | Class::ContentFiltered => "invalid_request_error",
        Class::TooLarge => "request_too_large",
        Class::Permission => "permission_error",
        Class::RateLimited => "rate_limit_error",
        Class::QuotaExhausted => "insufficient_quota",
        Class::Timeout => "timeout",
        Class::Overloaded | Class::Provider => "server_error",
    }
}

/// The code of an error, for clients: the provider's own, but where clients wait for a certain one.
fn code(error: &Error) -> Option<&str> {
    let own = error.code.as_deref();
    match error.class {
        Class::ContextTooLong => Some("context_length_exceeded"),
        Class::QuotaExhausted => Some("insufficient_quota"),
        Class::RateLimited => Some("rate_limit_exceeded"),
        Class::ContentFiltered => Some("content_filter"),
        Class::Authentication => own.or(Some("invalid_api_key")),
        Class::NotFound => own.or(Some("model_not_found")),
        Class::TooLarge => own.or(Some("request_too_large")),
        Class::Overloaded => own.or(Some("overloaded")),
        Class::Timeout => own.or(Some("timeout")),
        Class::InvalidRequest | Class::Permission | Class::Provider => own,
    }
}

/// The body of an answer that is an error.
pub fn encode(error: &Error) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.open().key("error").open();
    writer.key("message").text(&error.message).key("type");
    match own::find(&error.extra, "type") {
        Some(raw) => writer.raw(raw),
        None => writer.text(kind(error.class)),
    };
    for (name, value) in [("param", error.param.as_deref()), ("code", code(error))] {
        writer.key(name);
        match value {
            Some(value) => writer.text(value),
            None => writer.null(),
        };
    }
    for (name, raw) in own::under(&error.extra, "").filter(|(name, _)| *name != "type") {
        writer.key(name).raw(raw);
    }
    writer.close().close();
    writer.into_bytes()
}

/// An event that ends a stream with an error. No `[DONE]` follows it: the stream did not get done.
pub fn event(error: &Error) -> Vec<u8> {
    let body = encode(error);
    let mut out = Vec::with_capacity(body.len() + 8);
    out.extend(b"data: ");
    out.extend(body);
    out.extend(b"\n\n");
    out
}
