//! Why a request gets no turn, and when it is worth coming back.
//!
//! Knows nothing of lanes; a wait that nobody can foretell is the shortest.

use std::{fmt, time::Duration};

use policy::traffic::Class;

/// What somebody is told to wait at least and at most before they come back.
pub(crate) const COME_BACK_MIN: Duration = Duration::from_secs(1);
const COME_BACK_MAX: Duration = Duration::from_mins(1);

/// The provider takes no more now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy {
    /// When it is worth coming back.
    pub retry_after: Duration,
    /// Why nobody waits for it.
    pub why: Why,
}

/// Why a request does not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The provider has named a later time.
    Parked,
    /// Too many wait already, and none of a lower class.
    Full,
    /// Its turn would come, or came not, in the time that it has.
    Late,
    /// One of a higher class took its place.
    Outranked,
    /// It has failed too often lately, and there is another.
    Aside,
}

// === impl Busy ===

impl Busy {
    pub(crate) fn after(wait: Option<Duration>, why: Why) -> Self {
        let wait = wait.unwrap_or(COME_BACK_MIN);
        Self {
            retry_after: wait.clamp(COME_BACK_MIN, COME_BACK_MAX),
            why,
        }
    }

    pub(crate) fn counted(self, class: Class) -> Self {
        metrics::counter!(
            "sluice_shaping_refused_total", "class" => class.name(), "why" => self.why.name()
        )
        .increment(1);
        self
    }
}

impl Why {
    const fn name(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Full => "full",
            Self::Late => "late",
            Self::Outranked => "outranked",
            Self::Aside => "aside",
        }
    }
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.why {
            Why::Parked => "the provider has asked to be left alone for a while",
            Why::Full => "the provider takes no more requests now, and too many wait",
            Why::Late => "the provider takes no more requests now, and the wait was too long",
            Why::Outranked => "the provider takes no more requests now, and others go first",
            Why::Aside => "the provider has failed too often lately",
        })
    }
}

impl std::error::Error for Busy {}
