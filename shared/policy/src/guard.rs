//! What a project's requests may not prefer, and what it demands of who gets them.
//!
//! Knows both; who is left out by it is decided where requests are routed.

use crate::{handling::Demanded, preference::Preferences};

/// What holds for a project's requests, whatever their clients say. Few projects have one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guard {
    /// What its clients may not prefer.
    pub forbidden: Preferences,
    /// What it demands of who gets its data.
    pub demanded: Demanded,
}

// === impl Guard ===

impl Guard {
    /// Whether nothing is forbidden and nothing demanded.
    pub const fn is_nothing(&self) -> bool {
        self.forbidden.is_empty() && self.demanded.is_nothing()
    }
}
