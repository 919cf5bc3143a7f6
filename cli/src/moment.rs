//! Times and spans as people write them on a command line.
//!
//! Knows `90s`, `30m`, `12h`, `7d`, days such as `2026-11-01` and RFC 3339; everything is UTC.

use std::time::Duration;

use time::{
    Date, OffsetDateTime, Time, format_description::well_known::Rfc3339, macros::format_description,
};

/// A time, or how far it is from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// This time.
    At(OffsetDateTime),
    /// So far from now; in which direction, its reader knows.
    Away(Duration),
}

/// Reads a span: a whole number and `ms`, `s`, `m`, `h` or `d`.
pub fn span(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and its unit, such as 90s, 30m, 12h or 7d".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    // A thousand years are enough for anything that is asked here, and stay far from every overflow.
    let span_ms = number
        .checked_mul(unit_ms)
        .filter(|ms| *ms <= 365_000 * 86_400_000);
    span_ms
        .map(Duration::from_millis)
        .ok_or_else(|| "is longer than a thousand years".to_owned())
}

/// Reads a moment.
pub fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(away) = span(text) {
        return Ok(Moment::Away(away));
    }
    if let Ok(day) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
        return Ok(Moment::At(day.with_time(Time::MIDNIGHT).assume_utc()));
    }
    OffsetDateTime::parse(text, &Rfc3339)
        .map(Moment::At)
        .map_err(|_| {
            "write a span such as 12h or 7d, a day such as 2026-11-01, or 2026-11-01T12:00:00Z"
                .to_owned()
        })
}

/// A span as the wire has it.
pub fn wire_span(span: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        // Below 10^9, as the type promises.
        nanos: i32::try_from(span.subsec_nanos()).unwrap_or(0),
    }
}

/// As RFC 3339 writes it, to the second.
pub fn written(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// A length of time in its largest whole unit, such as `3s` or `2d`.
pub fn roughly(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

// === impl Moment ===

impl Moment {
    /// The time, when the span lies before `now`.
    pub fn past(self, now: OffsetDateTime) -> prost_types::Timestamp {
        wire(match self {
            Self::At(at) => at,
            Self::Away(by) => now - by,
        })
    }

    /// The time, when the span lies after `now`.
    pub fn future(self, now: OffsetDateTime) -> prost_types::Timestamp {
        wire(match self {
            Self::At(at) => at,
            Self::Away(by) => now + by,
        })
    }
}

fn wire(at: OffsetDateTime) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.nanosecond()).unwrap_or(0);
    prost_types::Timestamp {
        seconds: at.unix_timestamp(),
        nanos,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn spans_need_their_unit() {
        for (text, ms) in [
            ("250ms", 250),
            ("90s", 90_000),
            ("30m", 1_800_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(span(text), Ok(Duration::from_millis(ms)));
        }
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "5 s",
            "5y",
            "1.5h",
            "99999999999999999999s",
            "400000d",
        ] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn moments_are_spans_days_or_times() {
        let now = datetime!(2026-11-22 12:00 UTC);
        let day = moment("2026-11-01").unwrap();
        assert_eq!(day, Moment::At(datetime!(2026-11-01 0:00 UTC)));
        assert_eq!(written(day.past(now).seconds), "2026-11-01T00:00:00Z");
        let week = moment("7d").unwrap();
        assert_eq!(written(week.past(now).seconds), "2026-11-15T12:00:00Z");
        assert_eq!(written(week.future(now).seconds), "2026-11-29T12:00:00Z");
        let exact = moment("2026-11-01T12:30:00+02:00").unwrap();
        assert_eq!(written(exact.past(now).seconds), "2026-11-01T10:30:00Z");
        assert!(moment("yesterday").unwrap_err().contains("2026-11-01"));
    }

    #[test]
    fn ages_are_told_in_their_largest_unit() {
        let told = [5, 119, 600, 10_000, 900_000].map(roughly);
        assert_eq!(told, ["5s", "119s", "10m", "2h", "10d"]);
    }
}
