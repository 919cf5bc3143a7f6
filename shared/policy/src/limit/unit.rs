//! What a limit counts.
//!
//! Words and numbers of units; knows nothing of how much there is of any.

/// What a limit counts. The numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Unit {
    /// Requests.
    Requests = 1,
    /// Tokens, input and output together.
    Tokens = 2,
    /// Tokens that go in, cached or not.
    InputTokens = 3,
    /// Tokens that come out, reasoning included.
    OutputTokens = 4,
    /// Requests that are under way at once.
    ConcurrentRequests = 5,
    /// Millionths of a dollar.
    MicroDollars = 6,
}

// === impl Unit ===

impl Unit {
    /// Every unit, once.
    pub const ALL: [Self; 6] = [
        Self::Requests,
        Self::Tokens,
        Self::InputTokens,
        Self::OutputTokens,
        Self::ConcurrentRequests,
        Self::MicroDollars,
    ];

    /// The unit with this number on the wire.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| *unit as u32 == number)
    }

    /// The words for it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InputTokens => "input tokens",
            Self::OutputTokens => "output tokens",
            Self::ConcurrentRequests => "concurrent requests",
            Self::MicroDollars => "money",
        }
    }
}
