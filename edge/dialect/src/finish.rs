//! Why an answer ended, as far as whoever compares versions asks.

/// Why an answer ended. The numbers are those of the usage contract; of several choices, the largest counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Finish {
    /// Nobody saw it, or nobody looked.
    #[default]
    Unseen = 0,
    /// It was whole: its end, a stop sequence, a tool call.
    Whole = 1,
    /// No more tokens were allowed.
    Truncated = 2,
    /// It was refused or filtered.
    Refused = 3,
}
