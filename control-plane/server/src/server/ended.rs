//! How a part of the control plane came to its end.
//!
//! Knows names and reasons; what an end means for the others is decided elsewhere.

use tokio::task::JoinError;

use crate::server::cannot_start::Stopped;

/// The end of a part: its name, and what it died of.
pub(crate) struct Ended {
    /// Its name.
    pub(crate) part: &'static str,
    /// What it died of, if it did.
    pub(crate) why: Result<(), String>,
}

// === impl Ended ===

impl Ended {
    /// What a task was joined with.
    pub(crate) fn of(joined: Result<Self, JoinError>) -> Self {
        joined.unwrap_or_else(|why| Self {
            part: "a part",
            why: Err(why.to_string()),
        })
    }

    /// The process stops for it, and why.
    pub(crate) fn stopped(&self, why: &str) -> Stopped {
        Stopped {
            part: self.part,
            why: why.to_owned(),
        }
    }
}
