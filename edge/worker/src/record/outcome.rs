//! How a request ended and where its counts come from, by the numbers of the wire.
//!
//! Knows names and numbers; knows nothing of requests.

/// How a request ended. The numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// The provider's whole answer went to the client.
    Completed = 1,
    /// The client left before that.
    ClientGone = 2,
    /// The provider failed or answered with an error.
    ProviderFailed = 3,
    /// The edge ended it: a deadline or a shutdown.
    Cut = 4,
    /// The edge ended a stream that brought more than a strict limit lets it.
    Ceiling = 5,
}

/// Where counts come from. The numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum UsageSource {
    /// The provider said so.
    Provider = 1,
    /// The edge counted, because the provider said nothing.
    Estimated = 2,
    /// The edge counted what had passed when the request was cut short.
    Partial = 3,
}

// === impl Outcome ===

impl Outcome {
    /// Its word in labels, spans and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::ClientGone => "client_gone",
            Self::ProviderFailed => "provider_failed",
            Self::Cut => "cut",
            Self::Ceiling => "ceiling",
        }
    }
}
