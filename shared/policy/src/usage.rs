//! What a request used, as a vector of counters that are priced one by one.
//!
//! Knows what is counted and nothing of what it costs. The counters are disjoint: nothing stands in two of them.

/// What is counted. The numbers are those of the wire and of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Counter {
    /// Input tokens that no cache served and that none was asked to keep.
    Input = 1,
    /// Input tokens that the provider's cache served.
    CachedInput = 2,
    /// Input tokens that the provider's cache took, for minutes or as it likes.
    CacheWrite = 3,
    /// Input tokens that the provider's cache took for an hour.
    CacheWriteHour = 4,
    /// Input tokens of sound.
    AudioInput = 5,
    /// Output tokens; reasoning and sound are not among them.
    Output = 6,
    /// Reasoning tokens.
    Reasoning = 7,
    /// Output tokens of sound.
    AudioOutput = 8,
    /// Pictures that were made.
    Images = 9,
    /// Requests that a provider served.
    Requests = 10,
    /// Whatever else a provider bills by: searches, pages, seconds.
    Units = 11,
}

/// How much of each was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Usage([u64; Counter::ALL.len()]);

// === impl Counter ===

impl Counter {
    /// Every counter, once, in the order of the numbers.
    pub const ALL: [Self; 11] = [
        Self::Input,
        Self::CachedInput,
        Self::CacheWrite,
        Self::CacheWriteHour,
        Self::AudioInput,
        Self::Output,
        Self::Reasoning,
        Self::AudioOutput,
        Self::Images,
        Self::Requests,
        Self::Units,
    ];

    /// The counter with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it as u8 == number)
    }

    /// The word for it in files and tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CachedInput => "cached_input",
            Self::CacheWrite => "cache_write",
            Self::CacheWriteHour => "cache_write_hour",
            Self::AudioInput => "audio_input",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::AudioOutput => "audio_output",
            Self::Images => "images",
            Self::Requests => "requests",
            Self::Units => "units",
        }
    }

    /// Whether it counts tokens, which are priced by the million; all else is priced by the piece.
    pub const fn is_tokens(self) -> bool {
        !matches!(self, Self::Images | Self::Requests | Self::Units)
    }

    /// Where it stands in an array of all.
    pub(crate) const fn at(self) -> usize {
        self as usize - 1
    }
}

// === impl Usage ===

impl Usage {
    /// From the counts in the order of [`Counter::ALL`].
    pub const fn new(counts: [u64; Counter::ALL.len()]) -> Self {
        Self(counts)
    }

    /// The counts in the order of [`Counter::ALL`].
    pub const fn counts(&self) -> &[u64; Counter::ALL.len()] {
        &self.0
    }

    /// How much of this.
    pub fn of(&self, counter: Counter) -> u64 {
        self.0.get(counter.at()).copied().unwrap_or(0)
    }

    /// The same, with so much of this.
    #[must_use]
    pub fn with(mut self, counter: Counter, count: u64) -> Self {
        if let Some(slot) = self.0.get_mut(counter.at()) {
            *slot = count;
        }
        self
    }

    /// Whether nothing was used.
    pub fn is_nothing(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }

    /// All tokens that went in, which decide the context tier. Saturates.
    pub fn input_total(&self) -> u64 {
        [
            Counter::Input,
            Counter::CachedInput,
            Counter::CacheWrite,
            Counter::CacheWriteHour,
            Counter::AudioInput,
        ]
        .into_iter()
        .fold(0, |sum: u64, it| sum.saturating_add(self.of(it)))
    }

    /// What was counted, and how much of it; nothing that was not.
    pub fn used(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        Counter::ALL
            .into_iter()
            .zip(self.0)
            .filter(|(_, count)| *count > 0)
    }
}
