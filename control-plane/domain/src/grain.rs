//! How a range of time is taken apart into the pieces for which there are sums: quarters of an hour, hours and days.
//!
//! The coarsest piece that fits is taken. Days and months are those of a time zone, sums those of UTC; every zone is off by
//! whole quarters of an hour, so that no bucket needs a finer sum. Knows nothing of what is summed.

use std::fmt;

use policy::calendar::{Period, Zone};

/// The most buckets of one answer.
pub const BUCKETS_MAX: usize = 1_000; // Full: the caller is told to take less or longer ones.

/// Over what a sum is. The numbers are those of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Grain {
    /// A quarter of an hour.
    Quarter = 1,
    /// An hour.
    Hour = 2,
    /// A day, in UTC.
    Day = 3,
}

/// Into what a range is divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bucketing {
    /// It is not.
    Whole,
    /// Hours, in UTC.
    Hours,
    /// Days of this zone.
    Days(Zone),
    /// Months of this zone.
    Months(Zone),
}

/// A run of sums that belongs to one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The first moment of its bucket, in milliseconds since 1970, as far as it is asked for.
    pub bucket_ms: u64,
    /// Of which sums.
    pub grain: Grain,
    /// The first sum's first moment.
    pub from_ms: u64,
    /// The first moment after the last one.
    pub to_ms: u64,
}

/// The range has more than [`BUCKETS_MAX`] buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyBuckets;

// === impl Grain ===

impl Grain {
    /// All of them, the finest first.
    pub const ALL: [Self; 3] = [Self::Quarter, Self::Hour, Self::Day];

    /// How long it is, in milliseconds.
    pub const fn length_ms(self) -> u64 {
        match self {
            Self::Quarter => 15 * 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 24 * 3_600_000,
        }
    }

    /// The first moment of the one that holds this moment.
    pub const fn start_of(self, at_ms: u64) -> u64 {
        at_ms - at_ms % self.length_ms()
    }

    /// The first moment from this one on at which one begins.
    pub const fn next_start(self, at_ms: u64) -> u64 {
        at_ms.div_ceil(self.length_ms()) * self.length_ms()
    }
}

// === impl Bucketing ===

impl Bucketing {
    /// The first moment after the bucket that holds this one.
    fn end_of(&self, at_ms: u64) -> u64 {
        match self {
            Self::Whole => u64::MAX,
            Self::Hours => Grain::Hour.next_start(at_ms + 1),
            Self::Days(zone) => Period::Day.span(zone, at_ms).to_ms,
            Self::Months(zone) => Period::Month.span(zone, at_ms).to_ms,
        }
    }

    /// The range as it is counted: whole quarters of an hour.
    pub const fn counted(start_ms: u64, end_ms: u64) -> (u64, u64) {
        (
            Grain::Quarter.start_of(start_ms),
            Grain::Quarter.next_start(end_ms),
        )
    }

    /// The pieces of a range that is counted, in the order of time.
    pub fn pieces(&self, (start_ms, end_ms): (u64, u64)) -> Result<Vec<Piece>, TooManyBuckets> {
        let (mut pieces, mut buckets, mut at_ms) = (Vec::new(), 0, start_ms);
        while at_ms < end_ms {
            buckets += 1;
            if buckets > BUCKETS_MAX {
                return Err(TooManyBuckets);
            }
            // A zone of long ago may be off by minutes; such a bucket ends with its quarter, and each ends some time.
            let end = Grain::Quarter.next_start(self.end_of(at_ms).min(end_ms));
            let end = end.max(at_ms + Grain::Quarter.length_ms());
            cut(&mut pieces, at_ms, (at_ms, end), Grain::Day);
            at_ms = end;
        }
        Ok(pieces)
    }
}

/// Takes a span apart: what is finer before, the largest ones in the middle, what is finer behind.
fn cut(pieces: &mut Vec<Piece>, bucket_ms: u64, (from_ms, to_ms): (u64, u64), grain: Grain) {
    if from_ms >= to_ms {
        return;
    }
    let finer = match grain {
        Grain::Quarter => {
            let piece = Piece {
                bucket_ms,
                grain,
                from_ms,
                to_ms,
            };
            return pieces.push(piece);
        }
        Grain::Hour => Grain::Quarter,
        Grain::Day => Grain::Hour,
    };
    let (first, last) = (grain.next_start(from_ms), grain.start_of(to_ms));
    if first >= last {
        return cut(pieces, bucket_ms, (from_ms, to_ms), finer);
    }
    cut(pieces, bucket_ms, (from_ms, first), finer);
    pieces.push(Piece {
        bucket_ms,
        grain,
        from_ms: first,
        to_ms: last,
    });
    cut(pieces, bucket_ms, (last, to_ms), finer);
}

impl fmt::Display for TooManyBuckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "makes more than {BUCKETS_MAX} buckets of this range: narrow it, or take longer ones"
        )
    }
}

impl std::error::Error for TooManyBuckets {}

#[cfg(test)]
mod tests {
    use super::*;

    const QUARTER: u64 = Grain::Quarter.length_ms();
    const HOUR: u64 = Grain::Hour.length_ms();
    const DAY: u64 = Grain::Day.length_ms();

    fn grains(pieces: &[Piece]) -> Vec<Grain> {
        pieces.iter().map(|it| it.grain).collect()
    }

    #[test]
    fn pieces_are_as_coarse_as_can_be_and_leave_nothing_out() {
        use Grain::{Day, Hour, Quarter};
        let range = (10 * DAY - HOUR - QUARTER, 12 * DAY + QUARTER);
        let pieces = Bucketing::Whole.pieces(range).unwrap();
        assert_eq!(grains(&pieces), [Quarter, Hour, Day, Quarter]);
        assert_eq!((pieces[0].from_ms, pieces[3].to_ms), range);
        for (one, next) in pieces.iter().zip(&pieces[1..]) {
            assert_eq!(one.to_ms, next.from_ms);
        }
        let hours = Bucketing::Hours.pieces((DAY, DAY + 3 * HOUR)).unwrap();
        assert_eq!(grains(&hours), [Hour; 3]);
        assert_eq!(hours[1].bucket_ms, DAY + HOUR);
    }

    #[test]
    fn days_and_months_are_those_of_the_zone() {
        let days = Bucketing::Days(Zone::UTC).pieces((20 * DAY, 22 * DAY));
        assert_eq!(grains(&days.unwrap()), [Grain::Day; 2]);
        let india = Zone::parse("Asia/Kolkata").unwrap();
        let first = 20_000 * DAY - 5 * HOUR - 2 * QUARTER;
        let days = Bucketing::Days(india.clone()).pieces((first, first + 2 * DAY));
        let days = days.unwrap();
        assert_eq!((days[0].bucket_ms, days[0].grain), (first, Grain::Quarter));
        assert!(days.iter().any(|it| it.bucket_ms == first + DAY));
        let months = Bucketing::Months(india)
            .pieces((first, first + 60 * DAY))
            .unwrap();
        assert!(grains(&months).contains(&Grain::Day));
    }

    #[test]
    fn more_buckets_than_an_answer_holds_are_refused() {
        assert!(Bucketing::Hours.pieces((0, 1_000 * HOUR)).is_ok());
        assert_eq!(
            Bucketing::Hours.pieces((0, 1_000 * HOUR + 1)),
            Err(TooManyBuckets)
        );
        assert_eq!(
            Bucketing::counted(QUARTER + 1, HOUR + 1),
            (QUARTER, HOUR + QUARTER)
        );
    }
}
