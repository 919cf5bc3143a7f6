//! Token counts in the one form that all dialects are read into.
//!
//! Knows nothing of any provider's names for them. The counters are disjoint: no token stands in two of them,
//! so that they can be added up and priced one by one.

/// Tokens that one request used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Tokens {
    /// Input tokens of text and pictures that no cache served and that none was asked to keep.
    pub input: u64,
    /// Input tokens that the provider's prompt cache served.
    pub cached_input: u64,
    /// Input tokens that the provider's prompt cache took, for minutes or as it likes.
    pub cache_write: u64,
    /// Input tokens that the provider's prompt cache took for an hour.
    pub cache_write_hour: u64,
    /// Input tokens of sound that no cache served.
    pub audio_input: u64,
    /// Output tokens; reasoning and sound are not among them.
    pub output: u64,
    /// Reasoning tokens.
    pub reasoning: u64,
    /// Output tokens of sound.
    pub audio_output: u64,
}

// === impl Tokens ===

impl Tokens {
    /// All of them together. Saturates, because a provider may claim any number.
    pub const fn total(&self) -> u64 {
        self.input_total().saturating_add(self.output_total())
    }

    /// All that went in.
    pub const fn input_total(&self) -> u64 {
        self.input
            .saturating_add(self.cached_input)
            .saturating_add(self.cache_write)
            .saturating_add(self.cache_write_hour)
            .saturating_add(self.audio_input)
    }

    /// All that came out.
    pub const fn output_total(&self) -> u64 {
        self.output
            .saturating_add(self.reasoning)
            .saturating_add(self.audio_output)
    }

    /// Each of them and that of another together. Saturates.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cached_input: self.cached_input.saturating_add(other.cached_input),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            cache_write_hour: self.cache_write_hour.saturating_add(other.cache_write_hour),
            audio_input: self.audio_input.saturating_add(other.audio_input),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            audio_output: self.audio_output.saturating_add(other.audio_output),
        }
    }

    /// Each of them without that of another. Saturates.
    #[must_use]
    pub const fn less(&self, other: &Self) -> Self {
        Self {
            input: self.input.saturating_sub(other.input),
            cached_input: self.cached_input.saturating_sub(other.cached_input),
            cache_write: self.cache_write.saturating_sub(other.cache_write),
            cache_write_hour: self.cache_write_hour.saturating_sub(other.cache_write_hour),
            audio_input: self.audio_input.saturating_sub(other.audio_input),
            output: self.output.saturating_sub(other.output),
            reasoning: self.reasoning.saturating_sub(other.reasoning),
            audio_output: self.audio_output.saturating_sub(other.audio_output),
        }
    }

    /// Each of them changed alike.
    pub fn map(self, change: impl Fn(u64) -> u64) -> Self {
        Self {
            input: change(self.input),
            cached_input: change(self.cached_input),
            cache_write: change(self.cache_write),
            cache_write_hour: change(self.cache_write_hour),
            audio_input: change(self.audio_input),
            output: change(self.output),
            reasoning: change(self.reasoning),
            audio_output: change(self.audio_output),
        }
    }
}
