//! What went wrong at a provider, in terms that every dialect has words for.
//!
//! Knows no status codes: those are chosen by whoever answers.

use crate::neutral::Extra;

/// The code of an error that we report because a provider's answer is not what its dialect says.
pub const UNREADABLE: &str = "upstream_unreadable";

/// An error that a provider reported, or that we report in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What kind.
    pub class: Class,
    /// For people.
    pub message: String,
    /// The provider's own code.
    pub code: Option<String>,
    /// Which field of the request is meant.
    pub param: Option<String>,
    /// When it is worth asking again, in milliseconds, where the body says it.
    pub retry_after_ms: Option<u64>,
    /// What only one family understands.
    pub extra: Vec<Extra>,
}

/// Kinds of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The request is wrong.
    InvalidRequest,
    /// The conversation is longer than the model can take.
    ContextTooLong,
    /// The body is larger than the provider takes.
    TooLarge,
    /// The provider does not know our credential.
    Authentication,
    /// Our credential may not.
    Permission,
    /// There is no such model or thing.
    NotFound,
    /// Too much, too fast.
    RateLimited,
    /// The account is used up or unpaid: asking again does not help.
    QuotaExhausted,
    /// A filter took the request.
    ContentFiltered,
    /// The provider has no room now.
    Overloaded,
    /// The provider took too long.
    Timeout,
    /// The provider failed in another way.
    Provider,
}

// === impl Error ===

impl Error {
    /// An error with no details. One that a provider told without words gets some, because clients show them.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.trim().is_empty() {
            "the provider reported an error without a message".clone_into(&mut message);
        }
        Self {
            class,
            message,
            code: None,
            param: None,
            retry_after_ms: None,
            extra: Vec::new(),
        }
    }

    /// An answer that is not what its dialect says.
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self {
            code: Some(UNREADABLE.to_owned()),
            ..Self::new(Class::Provider, message)
        }
    }

    /// Whether a provider has not said that it failed: what it said cannot be read.
    pub fn is_unreadable(&self) -> bool {
        self.class == Class::Provider && self.code.as_deref() == Some(UNREADABLE)
    }
}

// === impl Class ===

impl Class {
    /// Whether the same request may succeed a little later, or elsewhere.
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::RateLimited | Self::Overloaded | Self::Timeout | Self::Provider
        )
    }

    /// Whether the request itself is at fault: whoever else is asked will say the same.
    pub const fn is_the_requests(self) -> bool {
        matches!(
            self,
            Self::InvalidRequest | Self::ContextTooLong | Self::TooLarge | Self::ContentFiltered
        )
    }

    /// Whether the provider refuses us, not the request: our credential, or what it may do.
    pub const fn is_our_credentials(self) -> bool {
        matches!(self, Self::Authentication | Self::Permission)
    }
}
