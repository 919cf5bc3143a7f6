//! Days, weeks and months as people of one time zone count them, in milliseconds since 1970.
//!
//! The zones are those of the IANA database that this build carries, so that no machine's own files decide. Reads no
//! clock: the time is passed in.

use std::fmt;

use jiff::{Timestamp, ToSpan, Zoned, civil::Weekday, tz::TimeZone};

/// A time zone by its IANA name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// The text is no name of a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownZone;

/// After how long a quota starts again. The numbers are those of the wire and of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Period {
    /// At midnight.
    Day = 1,
    /// At midnight before Monday.
    Week = 2,
    /// At midnight before the first.
    Month = 3,
    /// Never.
    Lifetime = 4,
}

/// One period of a calendar, and where the one before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first moment of the period before.
    pub before_ms: u64,
    /// Its first moment.
    pub from_ms: u64,
    /// The first moment after it.
    pub to_ms: u64,
}

/// A moment as RFC 3339 writes it, to the second, in coordinated universal time; empty for one beyond the year 9999.
pub fn written(at_ms: u64) -> String {
    let seconds = i64::try_from(at_ms / 1_000).ok();
    let at = seconds.and_then(|it| Timestamp::from_second(it).ok());
    at.map(|it| it.to_string()).unwrap_or_default()
}

/// The end of what never ends: in the year 9999, and below 2^53.
const NEVER_MS: u64 = 253_402_300_799_000;

// === impl Zone ===

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The zone that IANA calls this.
    pub fn parse(name: &str) -> Result<Self, UnknownZone> {
        if name == "UTC" {
            return Ok(Self::UTC);
        }
        let zone = jiff::tz::db().get(name).map_err(|_| UnknownZone)?;
        // Written as IANA writes it, so that a name that parses prints as the same text.
        if zone.iana_name() == Some(name) {
            Ok(Self(zone))
        } else {
            Err(UnknownZone)
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// What knows its clocks.
    pub(crate) const fn iana(&self) -> &TimeZone {
        &self.0
    }
}

// === impl Period ===

impl Period {
    /// Every period, once.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Lifetime];

    /// The period with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it as u32 == number)
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Lifetime => "lifetime",
        }
    }

    /// The one that holds this moment.
    pub fn span(self, zone: &Zone, now_ms: u64) -> Span {
        self.counted(zone, now_ms).unwrap_or(Span {
            before_ms: 0,
            from_ms: 0,
            to_ms: NEVER_MS,
        })
    }

    fn counted(self, zone: &Zone, now_ms: u64) -> Option<Span> {
        let now = Timestamp::from_millisecond(i64::try_from(now_ms).ok()?).ok()?;
        let today = now.to_zoned(zone.0.clone()).date();
        let (first, length) = match self {
            Self::Day => (today, 1.day()),
            Self::Week => {
                let since = today.weekday().since(Weekday::Monday);
                (today.checked_sub(i64::from(since).days()).ok()?, 7.days())
            }
            Self::Month => (today.first_of_month(), 1.month()),
            Self::Lifetime => return None,
        };
        let start = |date: jiff::civil::Date| {
            let midnight: Zoned = date.to_zoned(zone.0.clone()).ok()?;
            u64::try_from(midnight.timestamp().as_millisecond()).ok()
        };
        Some(Span {
            before_ms: start(first.checked_sub(length).ok()?)?,
            from_ms: start(first)?,
            to_ms: start(first.checked_add(length).ok()?)?,
        })
    }
}

// === impl Span ===

impl Span {
    /// The first moment of the period that holds `now_ms`, as far as these three tell.
    pub const fn at(&self, now_ms: u64) -> u64 {
        if now_ms < self.from_ms {
            self.before_ms
        } else if now_ms < self.to_ms {
            self.from_ms
        } else {
            self.to_ms
        }
    }

    /// The first moment after the period that begins at `at_ms`; of one that is not among these, a guess.
    pub const fn end_of(&self, at_ms: u64) -> u64 {
        if at_ms < self.from_ms {
            self.from_ms
        } else if at_ms < self.to_ms {
            self.to_ms
        } else {
            at_ms + self.length_ms()
        }
    }

    /// How long it is.
    pub const fn length_ms(&self) -> u64 {
        self.to_ms.saturating_sub(self.from_ms)
    }
}

impl fmt::Display for UnknownZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be the IANA name of a time zone, such as UTC or Europe/Berlin")
    }
}

impl std::error::Error for UnknownZone {}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 3_600_000;

    fn at(text: &str) -> u64 {
        let at: Timestamp = text.parse().unwrap();
        u64::try_from(at.as_millisecond()).unwrap()
    }

    #[test]
    fn a_day_begins_at_midnight_where_the_organization_is() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let span = Period::Day.span(&berlin, at("2026-11-25T22:59:59Z"));
        assert_eq!(span.from_ms, at("2026-11-24T23:00:00Z"));
        assert_eq!(span.to_ms, at("2026-11-25T23:00:00Z"));
        let span = Period::Day.span(&Zone::UTC, at("2026-11-25T22:59:59Z"));
        assert_eq!(span.from_ms, at("2026-11-25T00:00:00Z"));
        assert_eq!(span.before_ms, at("2026-11-24T00:00:00Z"));
    }

    #[test]
    fn the_days_on_which_clocks_are_changed_are_shorter_and_longer() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let hours = |text| {
            let span = Period::Day.span(&berlin, at(text));
            (span.to_ms - span.from_ms) / HOUR_MS
        };
        assert_eq!(hours("2026-03-29T12:00:00Z"), 23);
        assert_eq!(hours("2026-10-25T12:00:00Z"), 25);
        // A zone where the change is at midnight, which does not exist that day.
        let beirut = Zone::parse("Asia/Beirut").unwrap();
        let span = Period::Day.span(&beirut, at("2026-03-29T12:00:00Z"));
        assert_eq!((span.to_ms - span.from_ms) / HOUR_MS, 23);
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let span = Period::Week.span(&Zone::UTC, at("2026-11-29T23:59:59Z"));
        assert_eq!(span.from_ms, at("2026-11-23T00:00:00Z"));
        assert_eq!(span.to_ms, at("2026-11-30T00:00:00Z"));
        let span = Period::Month.span(&Zone::UTC, at("2028-02-29T12:00:00Z"));
        assert_eq!(span.before_ms, at("2028-01-01T00:00:00Z"));
        assert_eq!(span.from_ms, at("2028-02-01T00:00:00Z"));
        assert_eq!(span.to_ms, at("2028-03-01T00:00:00Z"));
    }

    #[test]
    fn every_moment_is_in_the_period_that_is_told_for_it() {
        let zones = [
            "UTC",
            "America/St_Johns",
            "Pacific/Chatham",
            "Australia/Lord_Howe",
        ];
        for zone in zones.map(|name| Zone::parse(name).unwrap()) {
            for period in Period::ALL {
                for hours in 0..2_000 {
                    let now_ms = at("2011-10-01T00:30:00Z") + hours * 5 * HOUR_MS;
                    let span = period.span(&zone, now_ms);
                    assert!(span.from_ms <= now_ms && now_ms < span.to_ms, "{period:?}");
                    let before = period.span(&zone, span.from_ms.saturating_sub(1));
                    if period != Period::Lifetime {
                        assert_eq!(
                            (before.from_ms, before.to_ms),
                            (span.before_ms, span.from_ms)
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_moment_is_written_to_the_second() {
        assert_eq!(
            written(at("2026-11-30T06:00:00.999Z")),
            "2026-11-30T06:00:00Z"
        );
        assert_eq!(written(u64::MAX), "");
    }

    #[test]
    fn a_zone_is_called_as_iana_calls_it() {
        assert_eq!(
            Zone::parse("Europe/Berlin").unwrap().name(),
            "Europe/Berlin"
        );
        assert_eq!(Zone::parse("UTC").unwrap().name(), "UTC");
        for wrong in [
            "",
            "utc",
            "europe/berlin",
            "Mars/Olympus",
            "+02:00",
            "../etc/passwd",
        ] {
            assert_eq!(Zone::parse(wrong), Err(UnknownZone), "{wrong}");
        }
    }
}
