//! How many who have no key yet are answered at once, and how often those of one address.
//!
//! Knows addresses and turns; knows nothing of what is asked.

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use crate::{authn::Stranger, pace::Pace};

/// How many are answered at once.
// Full: who comes is told to come back.
const AT_ONCE_MAX: usize = 32;

/// Lets some through.
pub struct Crowd {
    turns: Semaphore,
    pace: Pace,
}

/// Why somebody is not let through now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowded {
    /// Their address asks too often.
    TooOften,
    /// Too many ask at once.
    Busy,
}

// === impl Crowd ===

impl Crowd {
    /// Nobody has come yet.
    pub fn new() -> Self {
        Self {
            turns: Semaphore::new(AT_ONCE_MAX),
            pace: Pace::default(),
        }
    }

    /// A turn for who comes from here, for as long as it is held.
    pub fn turn(&self, from: &Stranger) -> Result<SemaphorePermit<'_>, Crowded> {
        if !self.pace.allows(&from.source, Instant::now()) {
            return Err(Crowded::TooOften);
        }
        self.turns.try_acquire().map_err(|_| Crowded::Busy)
    }
}

impl Default for Crowd {
    fn default() -> Self {
        Self::new()
    }
}
