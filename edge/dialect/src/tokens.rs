//! What an answer used, in the one form that all dialects are read into.
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
    /// Pictures that were made; no tokens.
    pub images: u64,
    /// Whatever else the provider bills by; no tokens.
    pub units: u64,
    /// How the provider says that it served.
    pub tier: Tier,
}

/// In which of its ways a provider served a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Tier {
    /// As usual, or it does not say.
    #[default]
    Standard,
    /// Sooner, and dearer.
    Priority,
    /// When there was room, and cheaper.
    Flex,
    /// In a batch.
    Batch,
    /// In a way that has no name here.
    Other,
}

// === impl Tier ===

impl Tier {
    /// The tier that a `service_tier` in JSON names: a string, or null.
    pub fn read(raw: &str) -> Self {
        match raw {
            "null" | "\"default\"" | "\"standard\"" | "\"auto\"" | "\"on_demand\"" => {
                Self::Standard
            }
            "\"priority\"" => Self::Priority,
            "\"flex\"" => Self::Flex,
            "\"batch\"" => Self::Batch,
            _ => Self::Other,
        }
    }

    /// The tier that an answer tells beside its usage; where it tells none, as usual.
    pub fn told(raw: Option<&str>) -> Self {
        raw.map_or(Self::Standard, Self::read)
    }

    /// Of two parts of one request, the one that is told.
    const fn or(self, other: Self) -> Self {
        match self {
            Self::Standard => other,
            told => told,
        }
    }
}

// === impl Tokens ===

impl Tokens {
    /// The same, served in this tier.
    #[must_use]
    pub const fn served(self, tier: Tier) -> Self {
        Self { tier, ..self }
    }

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
            images: self.images.saturating_add(other.images),
            units: self.units.saturating_add(other.units),
            tier: self.tier.or(other.tier),
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
            images: self.images.saturating_sub(other.images),
            units: self.units.saturating_sub(other.units),
            tier: self.tier,
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
            images: change(self.images),
            units: change(self.units),
            tier: self.tier,
        }
    }
}
