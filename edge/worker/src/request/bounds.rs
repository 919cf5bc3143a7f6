//! What bodies are held to.
//!
//! Knows lengths and times; knows nothing of what stands in a body.

use std::{rc::Rc, time::Duration};

use crate::{
    accept,
    request::budget::{Budget, Share},
};

/// What bodies are held to.
pub struct Bounds {
    /// The longest, in bytes.
    pub(super) bytes_max: usize,
    /// How long one may take.
    pub(super) time_max: Duration,
    /// All of one core.
    pub(super) budget: Rc<Budget>,
}

// === impl Bounds ===

impl Bounds {
    /// As the settings say, for one core. A single longest body always has room.
    pub fn new(config: &accept::Config) -> Self {
        Self {
            bytes_max: config.body_bytes_max,
            time_max: Duration::from_millis(config.body_timeout_ms),
            budget: Budget::new(config.bodies_bytes_max.max(config.body_bytes_max)),
        }
    }

    /// A share of nothing yet, of what this core may hold.
    pub fn share(&self) -> Share {
        self.budget.share()
    }
}
