//! How a range of time is taken apart into the pieces for which there are sums: quarters of an hour, hours and days.
//!
//! The coarsest piece that fits is taken. Days and months are those of a time zone, sums those of UTC; every zone is off by
//! whole quarters of an hour, so that no bucket needs a finer sum. For some zones there are sums of days, too, which begin at other
//! quarters. Knows nothing of what is summed.

use std::{collections::BTreeMap, fmt};

use policy::calendar::{Period, Zone};

/// The most buckets of one answer.
pub const BUCKETS_MAX: usize = 1_000; // Full: the caller is told to take less or longer ones.

/// How many days must be asked for at once so that sums of them are worth keeping.
const DAYS_MIN: usize = 5;

/// Over what a sum is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grain {
    /// A quarter of an hour.
    Quarter,
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
    /// Twenty-four hours that begin elsewhere.
    Shifted(Shift),
}

/// How many quarters of an hour after midnight in UTC a day begins: 1 to 95.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shift(u8);

/// For which shifts there are sums of days, and the moment from which on they are whole, milliseconds since 1970.
pub type Shifts = BTreeMap<Shift, u64>;

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
    /// Those that are always kept, the finest first.
    pub const ALL: [Self; 3] = [Self::Quarter, Self::Hour, Self::Day];

    /// What the database calls it.
    pub const fn number(self) -> i16 {
        match self {
            Self::Quarter => 1,
            Self::Hour => 2,
            Self::Day => 3,
            Self::Shifted(shift) => 100 + shift.quarters(),
        }
    }

    /// How long it is, in milliseconds.
    pub const fn length_ms(self) -> u64 {
        match self {
            Self::Quarter => 15 * 60_000,
            Self::Hour => 3_600_000,
            Self::Day | Self::Shifted(_) => 24 * 3_600_000,
        }
    }

    /// The first moment of the one that holds this moment; of days that begin elsewhere, none is before 1970.
    pub const fn start_of(self, at_ms: u64) -> u64 {
        let since_ms = at_ms.saturating_sub(self.first_ms());
        at_ms.saturating_sub(since_ms % self.length_ms())
    }

    /// The first moment from this one on at which one begins.
    pub const fn next_start(self, at_ms: u64) -> u64 {
        let first_ms = self.first_ms();
        let since_ms = at_ms.saturating_sub(first_ms);
        first_ms + since_ms.div_ceil(self.length_ms()) * self.length_ms()
    }

    /// The first moment since 1970 at which one begins.
    const fn first_ms(self) -> u64 {
        match self {
            Self::Shifted(shift) => shift.0 as u64 * Self::Quarter.length_ms(),
            _ => 0,
        }
    }
}

// === impl Shift ===

impl Shift {
    /// That of days which begin at this moment; `None` where those are UTC's own, or begin between quarters.
    pub fn of(start_ms: u64) -> Option<Self> {
        let since_ms = start_ms % Grain::Day.length_ms();
        let whole = since_ms.is_multiple_of(Grain::Quarter.length_ms());
        let quarters = u8::try_from(since_ms / Grain::Quarter.length_ms()).ok()?;
        (whole && quarters > 0).then_some(Self(quarters))
    }

    /// From the database's number.
    pub fn from_quarters(quarters: i16) -> Option<Self> {
        let quarters = u8::try_from(quarters).ok()?;
        (1..96).contains(&quarters).then_some(Self(quarters))
    }

    /// How many quarters.
    pub const fn quarters(self) -> i16 {
        self.0 as i16
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

    /// The pieces of a range that is counted, in the order of time; of days that begin elsewhere as far as there are sums of
    /// them, and else of their hours.
    pub fn pieces(
        &self,
        (start_ms, end_ms): (u64, u64),
        shifts: &Shifts,
    ) -> Result<Vec<Piece>, TooManyBuckets> {
        let (mut pieces, mut buckets, mut at_ms) = (Vec::new(), 0, start_ms);
        while at_ms < end_ms {
            buckets += 1;
            if buckets > BUCKETS_MAX {
                return Err(TooManyBuckets);
            }
            // A zone of long ago may be off by minutes; such a bucket ends with its quarter, and each ends some time.
            let end = Grain::Quarter.next_start(self.end_of(at_ms).min(end_ms));
            let end = end.max(at_ms + Grain::Quarter.length_ms());
            match shifted((at_ms, end), shifts) {
                Some(whole) => pieces.push(whole),
                None => cut(&mut pieces, at_ms, (at_ms, end), Grain::Day),
            }
            at_ms = end;
        }
        Ok(pieces)
    }

    /// The shifts of the days of these pieces that are made of hours, and of so many that sums of days are worth keeping.
    pub fn wanted(&self, pieces: &[Piece]) -> Vec<Shift> {
        if !matches!(self, Self::Days(_)) {
            return Vec::new();
        }
        let first = |it: &&Piece| it.grain < Grain::Day && it.from_ms == it.bucket_ms;
        let mut days: BTreeMap<Shift, usize> = BTreeMap::new();
        for shift in pieces
            .iter()
            .filter(first)
            .filter_map(|it| Shift::of(it.from_ms))
        {
            *days.entry(shift).or_default() += 1;
        }
        let often = days.into_iter().filter(|(_, days)| *days >= DAYS_MIN);
        often.map(|(shift, _)| shift).collect()
    }
}

/// A whole day that begins elsewhere and of which there is a sum.
fn shifted((from_ms, to_ms): (u64, u64), shifts: &Shifts) -> Option<Piece> {
    let shift = Shift::of(from_ms)?;
    let whole = to_ms - from_ms == Grain::Day.length_ms();
    let kept = shifts.get(&shift).is_some_and(|since| *since <= from_ms);
    (whole && kept).then_some(Piece {
        bucket_ms: from_ms,
        grain: Grain::Shifted(shift),
        from_ms,
        to_ms,
    })
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
        Grain::Day | Grain::Shifted(_) => Grain::Hour,
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
        let pieces = Bucketing::Whole.pieces(range, &Shifts::new()).unwrap();
        assert_eq!(grains(&pieces), [Quarter, Hour, Day, Quarter]);
        assert_eq!((pieces[0].from_ms, pieces[3].to_ms), range);
        for (one, next) in pieces.iter().zip(&pieces[1..]) {
            assert_eq!(one.to_ms, next.from_ms);
        }
        let hours = Bucketing::Hours
            .pieces((DAY, DAY + 3 * HOUR), &Shifts::new())
            .unwrap();
        assert_eq!(grains(&hours), [Hour; 3]);
        assert_eq!(hours[1].bucket_ms, DAY + HOUR);
    }

    #[test]
    fn days_and_months_are_those_of_the_zone() {
        let days = Bucketing::Days(Zone::UTC).pieces((20 * DAY, 22 * DAY), &Shifts::new());
        assert_eq!(grains(&days.unwrap()), [Grain::Day; 2]);
        let india = Zone::parse("Asia/Kolkata").unwrap();
        let first = 20_000 * DAY - 5 * HOUR - 2 * QUARTER;
        let days = Bucketing::Days(india.clone()).pieces((first, first + 2 * DAY), &Shifts::new());
        let days = days.unwrap();
        assert_eq!((days[0].bucket_ms, days[0].grain), (first, Grain::Quarter));
        assert!(days.iter().any(|it| it.bucket_ms == first + DAY));
        let months = Bucketing::Months(india)
            .pieces((first, first + 60 * DAY), &Shifts::new())
            .unwrap();
        assert!(grains(&months).contains(&Grain::Day));
    }

    #[test]
    fn days_of_a_zone_are_taken_whole_from_where_they_are_kept_and_those_of_the_change_never() {
        // The last Sunday of October 2026 has 25 hours in Berlin.
        let berlin = Bucketing::Days(Zone::parse("Europe/Berlin").unwrap());
        let sunday = 1_792_879_200_000;
        let range = (sunday - 6 * DAY, sunday + HOUR + 7 * DAY);
        let pieces = berlin.pieces(range, &Shifts::new()).unwrap();
        let [summer, winter] = berlin.wanted(&pieces)[..] else {
            panic!("two shifts of {pieces:?}")
        };
        assert_eq!((winter.quarters(), summer.quarters()), (92, 88));
        assert_eq!(Bucketing::Hours.wanted(&pieces), []);
        let kept = Shifts::from([(summer, sunday - 2 * DAY), (winter, 0)]);
        let pieces = berlin.pieces(range, &kept).unwrap();
        let of = |grain| pieces.iter().filter(|it| it.grain == grain).count();
        assert_eq!(of(Grain::Shifted(summer)), 2);
        assert_eq!(of(Grain::Shifted(winter)), 6);
        for (one, next) in pieces.iter().zip(&pieces[1..]) {
            assert_eq!(one.to_ms, next.from_ms);
        }
        for piece in &pieces {
            assert_eq!(piece.grain.start_of(piece.from_ms), piece.from_ms);
            assert_eq!(piece.grain.next_start(piece.from_ms - 1), piece.from_ms);
        }
    }

    #[test]
    fn more_buckets_than_an_answer_holds_are_refused() {
        assert!(
            Bucketing::Hours
                .pieces((0, 1_000 * HOUR), &Shifts::new())
                .is_ok()
        );
        assert_eq!(
            Bucketing::Hours.pieces((0, 1_000 * HOUR + 1), &Shifts::new()),
            Err(TooManyBuckets)
        );
        assert_eq!(
            Bucketing::counted(QUARTER + 1, HOUR + 1),
            (QUARTER, HOUR + QUARTER)
        );
    }
}
