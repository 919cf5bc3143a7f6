//! What a provider said went wrong, as the client of any dialect gets it.
//!
//! A client of the provider's own dialect gets the provider's status and bytes. Any other gets the status that its own
//! API has for such an error. When to ask again is told in the same two headers to all of them.

use dialect::neutral::{Class, Family};

use crate::{call::failure::Reported, request::endpoint::Manner, respond::words};

/// A provider's error for one client.
pub struct Told {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the body and the headers are the provider's own.
    pub verbatim: bool,
    /// When it is worth asking again, in milliseconds; `None` if it is not, or if nobody knows.
    pub retry_after_ms: Option<u64>,
    /// Whether SDKs must be told not to ask again, because by the status they would.
    pub is_final: bool,
}

/// How long to wait where the provider is busy and does not say for how long, in milliseconds.
const WAIT_MS: u64 = 1_000;

/// What a client that reads these words gets.
pub fn told(said: &Reported, manner: Manner) -> Told {
    let class = said.error.class;
    let verbatim = said.verbatim.as_ref().zip(said.status);
    let (status, body) = if let Some((body, status)) = verbatim {
        (status.as_u16(), body.to_vec())
    } else {
        let mut error = said.error.clone();
        error.retry_after_ms = said.retry_after_ms;
        let own = said.status.filter(|_| manner == Manner::Custom);
        // Of a custom model's API nobody else knows which status it has for what.
        let status = own.map_or_else(|| status(class, manner), |own| own.as_u16());
        (status, words::error(manner, &error))
    };
    let waits = matches!(status, 429 | 503 | 529) && class.is_retryable();
    let hint = said.retry_after_ms.or(waits.then_some(WAIT_MS));
    Told {
        status,
        body,
        verbatim: verbatim.is_some(),
        retry_after_ms: hint.filter(|_| class != Class::QuotaExhausted),
        is_final: !class.is_retryable() && matches!(status, 408 | 409 | 429 | 500..),
    }
}

/// The status that an API has for a kind of error.
const fn status(class: Class, manner: Manner) -> u16 {
    let family = match manner {
        Manner::Family(family) => family,
        Manner::Inference | Manner::Custom => Family::Chat,
    };
    match (class, family) {
        (Class::InvalidRequest | Class::ContextTooLong | Class::ContentFiltered, _) => 400,
        (Class::NotFound, _) => 404,
        (Class::TooLarge, _) => 413,
        (Class::QuotaExhausted, Family::Messages) => 402,
        (Class::RateLimited | Class::QuotaExhausted, _) => 429,
        (Class::Overloaded, Family::Messages) => 529,
        (Class::Overloaded, _) => 503,
        (Class::Timeout, _) => 504,
        (Class::Provider, Family::Gemini) => 500,
        // Our credential is no matter of the client's.
        (Class::Provider | Class::Authentication | Class::Permission, _) => 502,
    }
}
