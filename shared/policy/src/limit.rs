//! A limit: a rate over a scope, and the arithmetic of its bucket.
//!
//! The arithmetic is in integers so that the Lua script, which has doubles, and the in-process twin give the
//! same replies: every intermediate stays below 2^53. Knows nothing of where levels are kept.

use crate::id::{LimitId, OrganizationId, ProjectId};

/// The most that `amount`, `burst` or one reservation can be, and how deep a level can fall into debt. With
/// the longest window, (cap + debt) · window stays below 2^53.
pub const UNITS_MAX: u64 = 1_000_000_000;

/// The longest window: an hour, in milliseconds.
pub const WINDOW_MS_MAX: u64 = 3_600_000;

/// A rate: what is admitted in any interval of t milliseconds is at most `amount` · t / `window_ms` + `burst`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its id.
    pub id: LimitId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The last segment of its name.
    pub name: String,
    /// Whose use is counted.
    pub scope: Scope,
    /// What is counted.
    pub unit: Unit,
    /// The numbers.
    pub rate: Rate,
}

/// Whose use a limit counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// An organization's.
    Organization(OrganizationId),
    /// A project's.
    Project(ProjectId),
    /// A key's, by its key id.
    Key(String),
}

/// What a limit counts. The numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Unit {
    /// Requests.
    Requests = 1,
    /// Tokens, input and output together.
    Tokens = 2,
}

/// The numbers of a rate, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    amount: u64,
    window_ms: u64,
    burst: u64,
}

/// Why numbers are not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidRate {
    /// `amount` is zero or above [`UNITS_MAX`].
    Amount,
    /// `window_ms` is zero or above [`WINDOW_MS_MAX`].
    Window,
    /// `burst` is zero or above [`UNITS_MAX`].
    Burst,
}

// === impl Unit ===

impl Unit {
    /// The unit with this number on the wire.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Requests, Self::Tokens]
            .into_iter()
            .find(|unit| *unit as u32 == number)
    }
}

// === impl Rate ===

impl Rate {
    /// Checks the numbers. `window_ms` is in milliseconds, the others in the limit's unit.
    pub const fn new(amount: u64, window_ms: u64, burst: u64) -> Result<Self, InvalidRate> {
        if amount == 0 || amount > UNITS_MAX {
            return Err(InvalidRate::Amount);
        }
        if window_ms == 0 || window_ms > WINDOW_MS_MAX {
            return Err(InvalidRate::Window);
        }
        if burst == 0 || burst > UNITS_MAX {
            return Err(InvalidRate::Burst);
        }
        Ok(Self {
            amount,
            window_ms,
            burst,
        })
    }

    /// The burst when the operator names none: a tenth of `amount`, at least one.
    pub const fn default_burst(amount: u64) -> u64 {
        if amount < 10 { 1 } else { amount / 10 }
    }

    /// How much each window adds.
    pub const fn amount(&self) -> u64 {
        self.amount
    }

    /// The window, in milliseconds.
    pub const fn window_ms(&self) -> u64 {
        self.window_ms
    }

    /// How much may be used at once from rest.
    pub const fn burst(&self) -> u64 {
        self.burst
    }
}

impl std::fmt::Display for InvalidRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Amount => "amount must be 1 to 1,000,000,000",
            Self::Window => "window must be 1 to 3,600,000 milliseconds",
            Self::Burst => "burst must be 1 to 1,000,000,000",
        })
    }
}

impl std::error::Error for InvalidRate {}
