//! How far one of the answers has been told.
//!
//! Knows numbers and what was said. Knows nothing of chunks.

use crate::chat::stop::Seen;

/// One answer.
#[derive(Debug, Default)]
pub(crate) struct Spoken {
    /// Its role was told.
    pub(crate) begun: bool,
    /// Its end was told.
    pub(crate) stopped: bool,
    /// What was said.
    pub(crate) seen: Seen,
    /// The part that is open.
    pub(crate) open: Open,
    /// How many calls were told.
    pub(crate) calls: u64,
    /// How many thoughts were told.
    pub(crate) thoughts: u64,
}

/// Which part is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Open {
    /// None, or one of no more interest.
    #[default]
    Nothing,
    /// Words.
    Text,
    /// Thoughts.
    Reasoning,
    /// A call, and whether it had any arguments.
    Call(bool),
    /// Words that decline.
    Refusal,
}
