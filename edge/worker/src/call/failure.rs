//! Why no target has answered, as the log and the responder need to know it.
//!
//! Holds nothing that a provider said, save its status.

use std::fmt;

use http::StatusCode;

use crate::{
    call::{client::NoAnswer, dial::CannotDial, exchange::no_token::NoToken},
    translate,
};

/// Why no target has answered.
#[derive(Debug)]
pub enum Failure {
    /// The provider's base URL, credential or address does not fit. Nothing was sent.
    Misconfigured(&'static str),
    /// No connection. Nothing was sent.
    Unreachable(CannotDial),
    /// The provider's credential could not be exchanged for a token. Nothing was sent.
    NoToken(Box<NoToken>),
    /// The provider broke off before it answered.
    Broken,
    /// The provider did not answer in time.
    Slow,
    /// The provider refused our credential, with this status.
    CredentialRefused(StatusCode),
    /// The provider answered with a status that is no answer, such as a redirect.
    Unexpected(StatusCode),
    /// The request cannot be said in the provider's dialect. Nothing was sent.
    Untranslatable(Box<translate::Refusal>),
    /// The provider's answer is not what its dialect says.
    Unreadable,
}

// === impl Failure ===

impl Failure {
    /// Whether a provider may have begun to work on the request.
    pub const fn was_sent(&self) -> bool {
        !matches!(
            self,
            Self::Misconfigured(_)
                | Self::Unreachable(_)
                | Self::NoToken(_)
                | Self::Untranslatable(_)
        )
    }

    /// Whether the address is one that may not be dialled.
    pub fn is_forbidden_address(&self) -> bool {
        match self {
            Self::Unreachable(why) => matches!(why, CannotDial::Forbidden),
            Self::NoToken(why) => why.is_forbidden_address(),
            _ => false,
        }
    }
}

impl From<NoAnswer> for Failure {
    fn from(none: NoAnswer) -> Self {
        match none {
            NoAnswer::Unreachable(why) => Self::Unreachable(why),
            NoAnswer::Broken => Self::Broken,
            NoAnswer::Slow => Self::Slow,
        }
    }
}

impl From<translate::Refusal> for Failure {
    fn from(refusal: translate::Refusal) -> Self {
        Self::Untranslatable(Box::new(refusal))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misconfigured(what) => write!(f, "check the provider's {what}"),
            Self::Unreachable(why) => why.fmt(f),
            Self::NoToken(why) => why.fmt(f),
            Self::Broken => f.write_str("the provider broke off before it answered"),
            Self::Slow => f.write_str("the provider did not answer in time"),
            Self::CredentialRefused(status) => {
                write!(
                    f,
                    "the provider refused the credential ({}): replace it",
                    status.as_u16()
                )
            }
            Self::Unexpected(status) => {
                write!(f, "the provider answered with status {}", status.as_u16())
            }
            // What the client sent is not for the log.
            Self::Untranslatable(_) => f.write_str("the request has no words in its dialect"),
            Self::Unreadable => f.write_str("its answer is not what its dialect says"),
        }
    }
}

impl std::error::Error for Failure {}
