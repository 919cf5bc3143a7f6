//! After how long a second target of a version is asked beside the first, which has not answered yet.
//!
//! Knows numbers; knows nothing of requests or of how targets fare.

/// After how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hedge {
    /// After so many milliseconds, 1 to [`AFTER_MS_MAX`].
    After(u32),
    /// When the first has taken longer than so many of a hundred answers there did lately, 50 to 99.
    Percentile(u8),
}

/// A time or a part that is none, or both at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidHedge;

/// The longest that the first target is waited for alone, in milliseconds.
pub const AFTER_MS_MAX: u32 = 60_000;

/// Of how many of a hundred answers it may be said.
const PERCENTILES: std::ops::RangeInclusive<u32> = 50..=99;

// === impl Hedge ===

impl Hedge {
    /// The one of these numbers, of which one at most is not zero; `None` where both are.
    pub fn new((after_ms, percentile): (u32, u32)) -> Result<Option<Self>, InvalidHedge> {
        match (after_ms, percentile) {
            (0, 0) => Ok(None),
            (1..=AFTER_MS_MAX, 0) => Ok(Some(Self::After(after_ms))),
            (0, part) if PERCENTILES.contains(&part) => {
                let part = u8::try_from(part).map_err(|_| InvalidHedge)?;
                Ok(Some(Self::Percentile(part)))
            }
            _ => Err(InvalidHedge),
        }
    }

    /// The numbers of what a version says: milliseconds, and of how many of a hundred answers; zeros where it says nothing.
    pub fn numbers(of: Option<Self>) -> (u32, u32) {
        match of {
            None => (0, 0),
            Some(Self::After(ms)) => (ms, 0),
            Some(Self::Percentile(part)) => (0, part.into()),
        }
    }
}

impl std::fmt::Display for InvalidHedge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "must be 1 to {AFTER_MS_MAX} milliseconds, or a percentile from 50 to 99, and not both"
        )
    }
}

impl std::error::Error for InvalidHedge {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hedge_is_a_time_or_a_percentile_and_is_read_as_it_was_written() {
        for numbers in [(0, 0), (1, 0), (AFTER_MS_MAX, 0), (0, 50), (0, 99)] {
            assert_eq!(Hedge::new(numbers).map(Hedge::numbers), Ok(numbers));
        }
        for wrong in [(AFTER_MS_MAX + 1, 0), (0, 49), (0, 100), (5, 95)] {
            assert_eq!(Hedge::new(wrong), Err(InvalidHedge), "{wrong:?}");
        }
    }
}
