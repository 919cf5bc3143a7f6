//! For which model a request is written, and what it needs said differently.
//!
//! Plain options. Knows no model by name: whoever configures the route does.

use crate::neutral::Effort;

/// For whom a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The model, as Cohere calls it.
    pub model: &'a str,
    /// Whether it can be told how much to think. Where it cannot, that is dropped by name.
    pub thinks: bool,
    /// How many tokens to think for each effort.
    pub budgets: Budgets,
}

/// How many tokens an effort is worth, because Cohere's models are given tokens and no words. What is more than high
/// has no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Barely.
    pub minimal: u64,
    /// A little.
    pub low: u64,
    /// As usual.
    pub medium: u64,
    /// Hard.
    pub high: u64,
}

// === impl Target ===

impl<'a> Target<'a> {
    /// A model that thinks, with the usual budgets.
    pub fn new(model: &'a str) -> Self {
        Self {
            model,
            thinks: true,
            budgets: Budgets::default(),
        }
    }
}

// === impl Budgets ===

impl Default for Budgets {
    fn default() -> Self {
        Self {
            minimal: 512,
            low: 1_024,
            medium: 4_096,
            high: 16_384,
        }
    }
}

impl Budgets {
    /// The budget of an effort; `None` is as much as the model likes.
    pub const fn of(&self, effort: Effort) -> Option<u64> {
        match effort {
            Effort::None => Some(0),
            Effort::Minimal => Some(self.minimal),
            Effort::Low => Some(self.low),
            Effort::Medium => Some(self.medium),
            Effort::High => Some(self.high),
            Effort::XHigh | Effort::Max => None,
        }
    }
}
