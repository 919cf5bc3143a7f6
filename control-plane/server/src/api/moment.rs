//! Moments: the timestamps of the wire, the times of the store, and milliseconds since 1970.
//!
//! Knows nothing of what happens at one. Milliseconds are the finest that policy knows, so finer parts of a
//! timestamp that a caller sends are dropped on the way in, once and for every reader.

use std::fmt;

use prost_types::Timestamp;
use time::OffsetDateTime;

/// Not a moment between 1970 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidMoment;

/// The moment as the wire has it.
pub(crate) fn to_wire(at: OffsetDateTime) -> Timestamp {
    // Below 10^9, as the type promises.
    let nanos = i32::try_from(at.nanosecond()).unwrap_or(0);
    Timestamp {
        seconds: at.unix_timestamp(),
        nanos,
    }
}

/// What the wire has, in milliseconds since 1970.
pub(crate) fn millis(at: &Timestamp) -> Result<u64, InvalidMoment> {
    let seconds = u64::try_from(at.seconds).map_err(|_| InvalidMoment)?;
    let nanos = u32::try_from(at.nanos).map_err(|_| InvalidMoment)?;
    if nanos >= 1_000_000_000 {
        return Err(InvalidMoment);
    }
    let millis = seconds.checked_mul(1_000).ok_or(InvalidMoment)?;
    let millis = millis
        .checked_add(u64::from(nanos / 1_000_000))
        .ok_or(InvalidMoment)?;
    from_millis(millis).map(|_| millis)
}

/// A moment of the store in milliseconds since 1970; zero for one before, of which none is kept.
pub(crate) fn at_ms(at: OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// The moment that many milliseconds after the start of 1970.
pub(crate) fn from_millis(millis: u64) -> Result<OffsetDateTime, InvalidMoment> {
    let nanos = i128::from(millis) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(|_| InvalidMoment)
}

// === impl InvalidMoment ===

impl fmt::Display for InvalidMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not a moment between 1970 and 9999")
    }
}

impl std::error::Error for InvalidMoment {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_survives_the_way_there_and_back_to_the_millisecond() {
        let sent = Timestamp {
            seconds: 1_700_000_000,
            nanos: 123_456_789,
        };
        let read = millis(&sent).unwrap();
        assert_eq!(read, 1_700_000_000_123);
        let back = to_wire(from_millis(read).unwrap());
        assert_eq!(
            back,
            Timestamp {
                nanos: 123_000_000,
                ..sent
            }
        );
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        let refused = [
            (-1, 0),
            (0, -1),
            (0, 1_000_000_000),
            (i64::MAX, 0),
            (253_402_300_800, 0),
        ];
        for (seconds, nanos) in refused {
            assert_eq!(millis(&Timestamp { seconds, nanos }), Err(InvalidMoment));
        }
    }
}
