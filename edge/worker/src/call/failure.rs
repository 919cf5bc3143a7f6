//! Why no target has answered, as the log and the responder need to know it.
//!
//! What a provider said of the request itself is kept for its client, and never logged.

use std::{fmt, time::Duration};

use bytes::Bytes;
use dialect::neutral::{Class, Dropped, Error};
use http::{HeaderMap, StatusCode};
use policy::routing::{FailureClass, Routing};
use shaping::Busy;

use crate::{
    admit::{hold, room::Room},
    call::{
        client::NoAnswer, dial::CannotDial, exchange::no_token::NoToken, opening::Early,
        switch::NotSwitched, upload::Stopped,
    },
    label::Label,
    record::{Entry, Outcome},
    translate::{self, custom::Unanswerable},
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
    /// The provider takes no more now. Nothing was sent.
    Busy(Busy),
    /// A limit at the provider is used up. Nothing was sent.
    NoRoom(Box<hold::Refusal>),
    /// The provider's programs make no answer of what it answered.
    Unmapped(Box<Unanswerable>),
    /// The client's body, which was passed on as it came, did not come to its end.
    Upload(Stopped),
    /// The provider said what went wrong.
    Reported(Box<Reported>),
}

/// A request that no provider answered.
pub struct Unanswered {
    /// Why.
    pub failure: Failure,
    /// Waits to hear which status that becomes.
    pub entry: Entry,
    /// What was asked; empty where no model is named.
    pub label: Label,
    /// What is left of the limits.
    pub room: Room,
}

/// What a provider said went wrong.
#[derive(Debug)]
pub struct Reported {
    /// What it means.
    pub error: Error,
    /// The status that it came with; `None` where it came as the first event of a stream that began well.
    pub status: Option<StatusCode>,
    /// As it came, for a client that speaks the provider's dialect.
    pub verbatim: Option<Bytes>,
    /// The headers that it came with.
    pub headers: HeaderMap,
    /// When the provider says that it is worth asking again, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// What of the request was left out on the way.
    pub dropped: Dropped,
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
                | Self::Busy(_)
                | Self::NoRoom(_)
        )
    }

    /// Whether a provider was asked, or at least dialled. Who issues its tokens is not the provider.
    pub const fn was_tried(&self) -> bool {
        !matches!(
            self,
            Self::Misconfigured(_)
                | Self::NoToken(_)
                | Self::Untranslatable(_)
                | Self::Busy(_)
                | Self::NoRoom(_)
        )
    }

    /// The same, for a request of which this was left out.
    pub fn with_dropped(mut self, dropped: Dropped) -> Self {
        if let Self::Reported(said) = &mut self {
            said.dropped = dropped;
        }
        self
    }

    /// Whether another target may do better. What is wrong with the request itself is wrong everywhere; a provider for
    /// which there is no token says nothing of the next one.
    pub const fn may_move_on(&self) -> bool {
        match self {
            Self::Reported(said) => !said.error.class.is_the_requests(),
            Self::Upload(_) => false,
            _ => true,
        }
    }

    /// The same, as this version has it.
    pub const fn moves_on(&self, routing: &Routing) -> bool {
        match self.class() {
            Some(class) => routing.falls_back(class),
            None => self.may_move_on(),
        }
    }

    /// What went wrong at a provider; `None` where none was asked.
    const fn class(&self) -> Option<FailureClass> {
        Some(match self {
            Self::Slow => FailureClass::Timeout,
            Self::CredentialRefused(_) | Self::NoToken(_) => FailureClass::Credential,
            Self::Unreachable(_)
            | Self::Broken
            | Self::Unexpected(_)
            | Self::Unreadable
            | Self::Unmapped(_) => FailureClass::Provider,
            Self::Reported(said) => match said.error.class {
                Class::RateLimited => FailureClass::RateLimited,
                Class::Overloaded => FailureClass::Overloaded,
                Class::Timeout => FailureClass::Timeout,
                Class::Authentication | Class::Permission => FailureClass::Credential,
                Class::ContextTooLong | Class::TooLarge => FailureClass::ContextTooLong,
                Class::ContentFiltered => FailureClass::ContentFiltered,
                Class::InvalidRequest => FailureClass::InvalidRequest,
                Class::NotFound | Class::QuotaExhausted | Class::Provider => FailureClass::Provider,
            },
            _ => return None,
        })
    }

    /// Whether something is wrong with the provider, or with what we know of it.
    pub const fn is_the_providers(&self) -> bool {
        self.may_move_on() && !matches!(self, Self::NoRoom(_) | Self::Busy(_))
    }

    /// Whether the provider had no room, and for how long it wants nothing if it said.
    pub fn overload(&self) -> Option<Option<Duration>> {
        let Self::Reported(said) = self else {
            return None;
        };
        let full = matches!(said.error.class, Class::RateLimited | Class::Overloaded);
        full.then(|| said.retry_after_ms.map(Duration::from_millis))
    }

    /// For how long the provider takes nothing more of the account, which has used up what it is allowed, if it said.
    pub fn used_up(&self) -> Option<Duration> {
        let Self::Reported(said) = self else {
            return None;
        };
        let ms = said
            .retry_after_ms
            .filter(|_| said.error.class == Class::RateLimited);
        ms.map(Duration::from_millis)
    }

    /// Whether it says that the provider is not well. What it has no room for says nothing of that, nor does what hangs on the
    /// request or on our own settings.
    pub fn is_unwell(&self) -> bool {
        match self {
            Self::Unreachable(why) => !matches!(why, CannotDial::Forbidden),
            Self::Reported(said) => matches!(
                said.error.class,
                Class::Overloaded | Class::QuotaExhausted | Class::Timeout | Class::Provider
            ),
            Self::Broken
            | Self::Slow
            | Self::CredentialRefused(_)
            | Self::Unexpected(_)
            | Self::Unreadable => true,
            _ => false,
        }
    }

    /// How a request ends that nobody else answers.
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Upload(Stopped::Broken) => Outcome::ClientGone,
            Self::Upload(_) => Outcome::Cut,
            _ => Outcome::ProviderFailed,
        }
    }

    /// Its name in records and metrics: the code that a client would get, or that the provider said it.
    pub fn code(&self) -> &'static str {
        match self {
            _ if self.is_forbidden_address() => "upstream_address_forbidden",
            Self::NoToken(why) if why.is_refusal() => "upstream_identity_refused",
            Self::NoToken(why) if !why.is_misconfigured() => "upstream_identity_unavailable",
            Self::Misconfigured(_) | Self::NoToken(_) => "upstream_misconfigured",
            Self::Unreachable(_) => "upstream_unreachable",
            Self::Broken => "upstream_broken",
            Self::Slow => "upstream_timeout",
            Self::CredentialRefused(_) => "upstream_auth_failed",
            Self::Unexpected(_) => "upstream_unexpected_status",
            Self::Untranslatable(_) => "unsupported_by_model",
            Self::Unreadable => "upstream_unreadable",
            Self::Busy(_) => "provider_busy",
            Self::NoRoom(refusal) => refusal.code(),
            Self::Unmapped(_) => "mapping_failed",
            Self::Reported(_) => "upstream_error",
            Self::Upload(Stopped::TooLarge(_)) => "request_too_large",
            Self::Upload(Stopped::Slow) => "request_timeout",
            Self::Upload(Stopped::Broken) => "request_incomplete",
        }
    }

    /// The status that the provider answered with; zero where it gave none.
    pub fn status(&self) -> u16 {
        match self {
            Self::CredentialRefused(status) | Self::Unexpected(status) => status.as_u16(),
            Self::Reported(said) => said.status.map_or(0, |status| status.as_u16()),
            _ => 0,
        }
    }

    /// Whether the provider answered with an error, and bills nothing unless it says so.
    pub const fn was_refused(&self) -> bool {
        matches!(
            self,
            Self::CredentialRefused(_) | Self::Unexpected(_) | Self::Reported(_)
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

impl From<NotSwitched> for Failure {
    fn from(why: NotSwitched) -> Self {
        match why {
            NotSwitched::Broken => Self::Broken,
            NotSwitched::Odd => Self::Unreadable,
        }
    }
}

impl From<hold::Refusal> for Failure {
    fn from(refusal: hold::Refusal) -> Self {
        Self::NoRoom(Box::new(refusal))
    }
}

impl From<Busy> for Failure {
    fn from(busy: Busy) -> Self {
        Self::Busy(busy)
    }
}

impl From<Early> for Failure {
    fn from(early: Early) -> Self {
        match early {
            Early::Broken => Self::Broken,
            Early::Slow => Self::Slow,
            Early::Unreadable => Self::Unreadable,
            Early::Said(error) => Self::Reported(Box::new(Reported {
                retry_after_ms: error.retry_after_ms,
                error: *error,
                status: None,
                verbatim: None,
                headers: HeaderMap::new(),
                dropped: Dropped::default(),
            })),
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
            Self::Untranslatable(why) => f.write_str(match **why {
                translate::Refusal::Program(_) => "the request program failed",
                _ => "the request has no words in its dialect",
            }),
            Self::Busy(busy) => busy.fmt(f),
            Self::NoRoom(refusal) => refusal.fmt(f),
            Self::Unmapped(why) => why.fmt(f),
            Self::Unreadable => f.write_str("its answer is not what its dialect says"),
            // What it said may hold what the client sent.
            Self::Reported(said) => match said.status {
                Some(status) => write!(f, "the provider answered {}", status.as_u16()),
                None => f.write_str("the provider's stream began with an error"),
            },
            Self::Upload(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}
