//! Why a client gets no answer, whichever stage says so.
//!
//! Knows the refusals of all stages; says nothing about them.

use policy::{key::Key, rules::Rules};

use crate::{
    admit::hold, authorize, call::failure::Unanswered, identify, own, passage, request, route,
    trail::denial, transform,
};

/// Why a client gets no answer: one variant for each stage.
pub enum Refusal {
    /// The request is not one we can judge.
    Request(request::Refusal),
    /// Nobody was identified.
    Identify(identify::Refusal),
    /// The caller may not.
    Authorize(authorize::Refusal),
    /// What the client asks of itself is not told.
    Own(own::Refusal),
    /// Nothing may be passed through there.
    Closed(authorize::Closed),
    /// There is nowhere to go.
    Route(route::Refusal),
    /// The version's rules do not fit the request.
    Transform(transform::Refusal),
    /// The version that the path names is not the one that serves.
    Version,
    /// There is no room.
    Admit(hold::Refusal),
    /// No provider answered.
    Call(Box<Unanswered>),
}

// === impl Refusal ===

impl Refusal {
    /// By which rule whoever has this key is denied, as the audit trail tells it; `None` where nobody is denied anything.
    pub fn denial(&self, rules: &Rules, key: &Key) -> Option<&'static str> {
        match self {
            Self::Identify(why) => denial::of_key(*why),
            Self::Authorize(why) => {
                denial::of_caller(why, |name| rules.model(key.organization, name).is_some())
            }
            Self::Closed(_) => Some(denial::CLOSED),
            Self::Route(why) => denial::of_way(why),
            Self::Request(_)
            | Self::Own(_)
            | Self::Transform(_)
            | Self::Version
            | Self::Admit(_)
            | Self::Call(_) => None,
        }
    }
}

impl From<passage::Refusal> for Refusal {
    fn from(refusal: passage::Refusal) -> Self {
        match refusal {
            passage::Refusal::Request(refusal) => Self::Request(refusal),
            passage::Refusal::Identify(refusal) => Self::Identify(refusal),
            passage::Refusal::Authorize(refusal) => Self::Authorize(refusal),
            passage::Refusal::Closed(closed) => Self::Closed(closed),
            passage::Refusal::Route(refusal) => Self::Route(refusal),
            passage::Refusal::Admit(refusal) => Self::Admit(refusal),
            passage::Refusal::Call(unanswered) => Self::Call(unanswered),
        }
    }
}

impl From<request::Refusal> for Refusal {
    fn from(refusal: request::Refusal) -> Self {
        Self::Request(refusal)
    }
}

impl From<own::Refusal> for Refusal {
    fn from(refusal: own::Refusal) -> Self {
        match refusal {
            own::Refusal::Identify(refusal) => Self::Identify(refusal),
            own::Refusal::Body(refusal) => Self::Request(refusal),
            refusal => Self::Own(refusal),
        }
    }
}

impl From<identify::Refusal> for Refusal {
    fn from(refusal: identify::Refusal) -> Self {
        Self::Identify(refusal)
    }
}

impl From<authorize::Refusal> for Refusal {
    fn from(refusal: authorize::Refusal) -> Self {
        Self::Authorize(refusal)
    }
}

impl From<route::Refusal> for Refusal {
    fn from(refusal: route::Refusal) -> Self {
        Self::Route(refusal)
    }
}

impl From<transform::Refusal> for Refusal {
    fn from(refusal: transform::Refusal) -> Self {
        Self::Transform(refusal)
    }
}

impl From<hold::Refusal> for Refusal {
    fn from(refusal: hold::Refusal) -> Self {
        Self::Admit(refusal)
    }
}
