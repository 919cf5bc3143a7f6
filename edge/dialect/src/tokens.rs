//! Token counts in the one form that all dialects are read into.
//!
//! Knows nothing of any provider's names for them. The counters are disjoint: no token stands in two of them,
//! so that they can be added up and priced one by one.

/// Tokens that one request used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Tokens {
    /// Input tokens that no cache served.
    pub input: u64,
    /// Input tokens that the provider's prompt cache served.
    pub cached_input: u64,
    /// Output tokens, reasoning not among them.
    pub output: u64,
    /// Reasoning tokens.
    pub reasoning: u64,
}

// === impl Tokens ===

impl Tokens {
    /// All of them together. Saturates, because a provider may claim any number.
    pub const fn total(&self) -> u64 {
        self.input
            .saturating_add(self.cached_input)
            .saturating_add(self.output)
            .saturating_add(self.reasoning)
    }
}
