//! Errors of Cohere: as a body, and at the end of a stream.
//!
//! Owns which of its words mean what. A body may be anything, because others may answer in Cohere's place. It knows
//! that a text too long, a key of a trial that is used up, and a blocked text are told in words alone.

use std::borrow::Cow;

use payload::{object::Object, writer::Writer};

use crate::{
    cohere::{finish, own},
    neutral::{Class, Error},
};

/// How many bytes of a body that is not Cohere's are told. Full: the rest is cut off.
const FOREIGN_BYTES_MAX: usize = 200;

const KIND: &str = "error_type";

/// Reads an error. `status` is that of the answer; 0 where it stood in a stream that began well.
pub fn decode(status: u16, body: &[u8]) -> Error {
    let text = String::from_utf8_lossy(body);
    let Ok(mut object) = Object::parse(&text) else {
        return foreign(status, &text);
    };
    // Those who stand in front of Cohere call it otherwise.
    let message = ["message", "error", "detail"]
        .into_iter()
        .find_map(|name| object.text(name).ok().flatten());
    let Some(message) = message else {
        return foreign(status, &text);
    };
    let code = object.text(KIND).ok().flatten();
    let mut error = of(status, &message, code.as_deref());
    error.extra = own::kept("", object);
    error
}

/// Writes an error as a body.
pub fn encode(error: &Error) -> Vec<u8> {
    let mut writer = Writer::with_capacity(128);
    writer.open();
    if let Some(id) = own::raw(&error.extra, "id") {
        writer.key("id").raw(id);
    }
    writer.key("message").text(&error.message);
    if let Some(kind) = kind(error) {
        writer.key(KIND).text(kind);
    }
    own::write(&mut writer, &error.extra, "", &["id"]);
    writer.close();
    writer.into_bytes()
}

/// Writes an error as the end of a stream.
pub fn event(error: &Error) -> Vec<u8> {
    end(error, |_| {})
}

/// The same, with what `usage` writes into the last event.
pub(crate) fn end(error: &Error, usage: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::with_capacity(256);
    writer.open().key("type").text("message-end");
    writer.key("delta").open();
    let word = if error.class == Class::Timeout {
        "TIMEOUT"
    } else {
        "ERROR"
    };
    writer.key(finish::NAME).text(word);
    usage(&mut writer);
    writer.key("error").text(&error.message);
    if let Some(kind) = kind(error) {
        writer.key(KIND).text(kind);
    }
    own::write(&mut writer, &error.extra, "", &[]);
    writer.close().close();
    let mut out = b"event: message-end\ndata: ".to_vec();
    out.extend(writer.into_bytes());
    out.extend(b"\n\ndata: [DONE]\n\n");
    out
}

/// An error by its words.
pub(crate) fn of(status: u16, message: &str, code: Option<&str>) -> Error {
    let mut error = Error::new(class(status, message, code), message);
    error.code = code.map(str::to_owned);
    error
}

fn class(status: u16, message: &str, code: Option<&str>) -> Class {
    let message = message.to_ascii_lowercase();
    let says = |words: &str| message.contains(words);
    // `max tokens must be …` begins so, too, but is about what may be asked for.
    let too_long = says("too many tokens") && !says("max tokens must");
    if code == Some("TOO_MANY_TOKENS") || too_long {
        return Class::ContextTooLong;
    }
    if says("blocked input") || says("blocked output") {
        return Class::ContentFiltered;
    }
    match status {
        401 => Class::Authentication,
        402 => Class::QuotaExhausted,
        403 => Class::Permission,
        404 => Class::NotFound,
        408 | 504 => Class::Timeout,
        413 => Class::TooLarge,
        429 if says("/ month") || says("per month") => Class::QuotaExhausted,
        429 => Class::RateLimited,
        // Cohere's word for a stream of its own that broke.
        499 => Class::Provider,
        503 | 529 => Class::Overloaded,
        400..500 => Class::InvalidRequest,
        _ if code == Some("TIMEOUT") => Class::Timeout,
        _ => Class::Provider,
    }
}

/// An error that Cohere did not write.
fn foreign(status: u16, body: &str) -> Error {
    let body = body.trim();
    let message = if body.is_empty() {
        Cow::Borrowed("the provider sent an error without a body")
    } else if body.starts_with('<') {
        Cow::Borrowed("the provider sent an error that is a page for browsers")
    } else {
        let cut = body.floor_char_boundary(FOREIGN_BYTES_MAX);
        let told = body.get(..cut).unwrap_or_default();
        Cow::Owned(format!(
            "the provider sent an error in no known form: {told}"
        ))
    };
    of(status, &message, None)
}

/// Cohere's own word for the kind of error, where there is one. The word of another provider stays with it.
fn kind(error: &Error) -> Option<&str> {
    let code = error.code.as_deref();
    code.or((error.class == Class::ContextTooLong).then_some("TOO_MANY_TOKENS"))
}
