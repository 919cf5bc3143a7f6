//! Hours of some days of the week, as the clocks of one time zone show them.
//!
//! Reads no clock: the time is passed in. Where clocks are changed at an end of the hours, they last longer rather than shorter.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Weekday},
};

use crate::calendar::Zone;

/// The minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;

/// Days of the week, as bits: 1 is Monday, 64 Sunday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Days(u8);

/// Hours that come again every week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weekly {
    /// The days on which they begin.
    pub days: Days,
    /// At which minute of the day they begin, below [`DAY_MINUTES`].
    pub from_minute: u16,
    /// At which minute they end, at most [`DAY_MINUTES`]; of the next day where that is not after their beginning.
    pub until_minute: u16,
    /// Whose clocks are meant.
    pub zone: Zone,
}

// === impl Days ===

impl Days {
    /// All of them.
    pub const ALL: Self = Self(0b111_1111);

    /// The days of these bits; `None` where there are others among them.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits & !Self::ALL.0 == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// As bits.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The same with another day, 1 for Monday to 7 for Sunday; `None` where that is no day.
    pub const fn with(self, day: u8) -> Option<Self> {
        match day {
            1..=7 => Some(Self(self.0 | 1 << (day - 1))),
            _ => None,
        }
    }

    /// The days, 1 for Monday to 7 for Sunday.
    pub fn numbers(self) -> impl Iterator<Item = u8> {
        (1..=7).filter(move |day| self.0 & (1 << (day - 1)) != 0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn hold(self, day: Weekday) -> bool {
        let day = day.to_monday_zero_offset();
        u32::try_from(day).is_ok_and(|day| self.0 & (1 << day) != 0)
    }
}

// === impl Weekly ===

impl Weekly {
    /// When the hours that hold this moment end, milliseconds since 1970; `None` where none hold it.
    pub fn until(&self, now_ms: u64) -> Option<u64> {
        let now = Timestamp::from_millisecond(i64::try_from(now_ms).ok()?).ok()?;
        let today = now.to_zoned(self.zone.iana().clone()).date();
        let yesterday = today.checked_sub(1.day()).ok()?;
        let spans = [yesterday, today].into_iter().filter_map(|it| self.on(it));
        let holding = spans.filter(|(from, until)| (*from..*until).contains(&now_ms));
        holding.map(|(_, until)| until).max()
    }

    /// The hours that begin on this day, if any do.
    fn on(&self, day: Date) -> Option<(u64, u64)> {
        if !self.days.hold(day.weekday()) {
            return None;
        }
        let passes_midnight = self.until_minute <= self.from_minute;
        let last = if passes_midnight {
            day.checked_add(1.day()).ok()?
        } else {
            day
        };
        let zone = self.zone.iana();
        let from = zone.to_ambiguous_timestamp(at(day, self.from_minute)?);
        let until = zone.to_ambiguous_timestamp(at(last, self.until_minute)?);
        Some((
            u64::try_from(from.earlier().ok()?.as_millisecond()).ok()?,
            u64::try_from(until.later().ok()?.as_millisecond()).ok()?,
        ))
    }
}

fn at(day: Date, minute: u16) -> Option<DateTime> {
    let midnight = day.at(0, 0, 0, 0);
    midnight.checked_add(i64::from(minute).minutes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> u64 {
        let at: Timestamp = text.parse().unwrap();
        u64::try_from(at.as_millisecond()).unwrap()
    }

    fn weekly(days: &[u8], from_minute: u16, until_minute: u16, zone: &str) -> Weekly {
        let add = |it: Days, day: &u8| it.with(*day).unwrap();
        Weekly {
            days: days.iter().fold(Days::default(), add),
            from_minute,
            until_minute,
            zone: Zone::parse(zone).unwrap(),
        }
    }

    #[test]
    fn they_hold_between_their_ends_as_the_zone_s_clocks_show_them() {
        // Friday to Sunday, from 18:00 to midnight.
        let it = weekly(&[5, 6, 7], 18 * 60, DAY_MINUTES, "Europe/Berlin");
        let friday = "2026-11-27T17:00:00Z";
        assert_eq!(it.until(ms(friday) - 1), None);
        assert_eq!(it.until(ms(friday)), Some(ms("2026-11-27T23:00:00Z")));
        assert_eq!(it.until(ms("2026-11-27T23:00:00Z")), None);
        assert_eq!(it.until(ms("2026-11-26T20:00:00Z")), None, "a Thursday");
        let sunday = it.until(ms("2026-11-29T22:59:59Z"));
        assert_eq!(sunday, Some(ms("2026-11-29T23:00:00Z")));
    }

    #[test]
    fn hours_that_end_before_they_begin_end_on_the_next_day() {
        let it = weekly(&[7], 22 * 60, 6 * 60, "UTC");
        let end = Some(ms("2026-11-30T06:00:00Z"));
        assert_eq!(it.until(ms("2026-11-29T22:00:00Z")), end);
        assert_eq!(it.until(ms("2026-11-30T05:59:59Z")), end);
        assert_eq!(it.until(ms("2026-11-30T06:00:00Z")), None);
        assert_eq!(it.until(ms("2026-11-29T05:00:00Z")), None, "a Saturday's");
        let whole = weekly(&[1], 0, 0, "UTC");
        assert_eq!(
            whole.until(ms("2026-11-30T12:00:00Z")),
            Some(ms("2026-12-01T00:00:00Z"))
        );
    }

    #[test]
    fn where_clocks_are_changed_they_last_longer() {
        // Half past two comes twice on this Sunday in Berlin, at 00:30 and 01:30 UTC.
        let it = weekly(&[7], 60, 150, "Europe/Berlin");
        assert_eq!(
            it.until(ms("2026-10-25T01:00:00Z")),
            Some(ms("2026-10-25T01:30:00Z"))
        );
        // And on this one it never comes: one hour before 03:30, and after 01:30.
        let it = weekly(&[7], 150, 240, "Europe/Berlin");
        assert_eq!(it.until(ms("2026-03-29T00:29:59Z")), None);
        assert_eq!(
            it.until(ms("2026-03-29T00:30:00Z")),
            Some(ms("2026-03-29T02:00:00Z"))
        );
    }

    #[test]
    fn days_are_bits_and_numbers() {
        let days = Days::default().with(1).unwrap().with(7).unwrap();
        assert_eq!(days.bits(), 0b100_0001);
        assert_eq!(days.numbers().collect::<Vec<_>>(), [1, 7]);
        assert_eq!(Days::from_bits(0b100_0001), Some(days));
        assert_eq!(Days::from_bits(128), None);
        assert!(Days::default().with(0).is_none() && Days::default().with(8).is_none());
        assert!(Days::default().is_empty() && !days.is_empty());
    }
}
