//! Spans: the durations of the wire, in milliseconds.
//!
//! Knows nothing of what lasts so long. Finer parts than a millisecond are dropped, as those of moments are.

use std::fmt;

use domain::rotation::SPAN_MAX_MS;
use prost_types::Duration;

/// Not a span from nothing to ten years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidSpan;

/// The span as the wire has it.
pub(crate) fn to_wire(millis: u64) -> Duration {
    Duration {
        seconds: i64::try_from(millis / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(millis % 1_000 * 1_000_000).unwrap_or(0),
    }
}

/// What the wire has, in milliseconds.
pub(crate) fn millis(span: Duration) -> Result<u64, InvalidSpan> {
    let seconds = u64::try_from(span.seconds).map_err(|_| InvalidSpan)?;
    let nanos = u64::try_from(span.nanos).map_err(|_| InvalidSpan)?;
    let millis = seconds.checked_mul(1_000).ok_or(InvalidSpan)?;
    let millis = millis.checked_add(nanos / 1_000_000).ok_or(InvalidSpan)?;
    if nanos >= 1_000_000_000 || millis > SPAN_MAX_MS {
        return Err(InvalidSpan);
    }
    Ok(millis)
}

impl fmt::Display for InvalidSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not a span of at most 3,650 days")
    }
}

impl std::error::Error for InvalidSpan {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_survives_the_way_there_and_back() {
        for ms in [0, 1, 1_500, SPAN_MAX_MS] {
            assert_eq!(millis(to_wire(ms)), Ok(ms));
        }
        for (seconds, nanos) in [(-1, 0), (0, -1), (0, 1_000_000_000), (i64::MAX, 0)] {
            assert_eq!(millis(Duration { seconds, nanos }), Err(InvalidSpan));
        }
    }
}
