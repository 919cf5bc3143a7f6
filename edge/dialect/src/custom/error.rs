//! Errors of a custom provider, and how clients of `/models/{model}:invoke` are told of one.
//!
//! Chooses no status; one is only read.

use payload::{
    jq::{PAYLOAD_STEPS_MAX, Program},
    object::Object,
    writer::Writer,
};

use crate::neutral::{Class, Error};

/// The most bytes of a message. Full: it is cut.
const MESSAGE_BYTES_MAX: usize = 2_048;

/// The most bytes of a code. Full: it is left out.
const CODE_BYTES_MAX: usize = 128;

/// What went wrong at the provider. Whatever the body is, there is an error.
pub(crate) fn decode(status: u16, body: &[u8], program: Option<&Program>) -> Error {
    let output = program.and_then(|program| program.run_within(PAYLOAD_STEPS_MAX, body).ok());
    let output = output.map(|output| String::from_utf8_lossy(&output).into_owned());
    let mut error = Error::new(class(status), format!("the provider answered {status}"));
    let Some(mut members) = output.as_deref().and_then(|raw| Object::parse(raw).ok()) else {
        return error;
    };
    if let Ok(Some(message)) = members.text("message") {
        error.message = message.into_owned();
        let end = error.message.floor_char_boundary(MESSAGE_BYTES_MAX);
        error.message.truncate(end);
    }
    let code = members.text("code").ok().flatten();
    error.code = code
        .filter(|code| code.len() <= CODE_BYTES_MAX)
        .map(std::borrow::Cow::into_owned);
    error
}

/// The body that says an error: `{"error":{"code":"…","message":"…"}}`.
pub fn encode(error: &Error) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.open().key("error").open().key("code");
    writer.text(error.code.as_deref().unwrap_or(code(error.class)));
    writer.key("message").text(&error.message).close().close();
    writer.into_bytes()
}

/// What kind of error a status stands for, where nothing else tells.
const fn class(status: u16) -> Class {
    match status {
        401 => Class::Authentication,
        402 => Class::QuotaExhausted,
        403 => Class::Permission,
        404 => Class::NotFound,
        408 | 504 => Class::Timeout,
        413 => Class::TooLarge,
        429 => Class::RateLimited,
        400..500 => Class::InvalidRequest,
        503 | 529 => Class::Overloaded,
        _ => Class::Provider,
    }
}

/// The code of an error that has none of its own.
const fn code(class: Class) -> &'static str {
    match class {
        Class::InvalidRequest => "invalid_request",
        Class::ContextTooLong => "context_too_long",
        Class::TooLarge => "request_too_large",
        Class::Authentication => "authentication_failed",
        Class::Permission => "permission_denied",
        Class::NotFound => "not_found",
        Class::RateLimited => "rate_limited",
        Class::QuotaExhausted => "quota_exhausted",
        Class::ContentFiltered => "content_filtered",
        Class::Overloaded => "overloaded",
        Class::Timeout => "timeout",
        Class::Provider => "provider_error",
    }
}
