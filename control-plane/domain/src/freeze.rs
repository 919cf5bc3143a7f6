//! Freezes: when no rollout of an organization starts or goes on, and why.
//!
//! Pure: the time is passed in. A freeze never keeps a rollout from being taken back.

use std::fmt;

use policy::{
    calendar::{self, Zone},
    weekly::{DAY_MINUTES, Days, Weekly},
};

use crate::{text, violation::Violations};

/// The longest that one which comes once may last, milliseconds: 366 days.
pub const ONCE_MS_MAX: u64 = 366 * 24 * 3_600_000;

/// How often one window is followed by the next before their end is no longer looked for.
const JOINED_MAX: usize = 64; // Full: until the end of the last one that was looked at, and then it is looked again.

/// When a window is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Every week.
    Weekly(Weekly),
    /// Once.
    Once {
        /// From this moment, milliseconds since 1970.
        from_ms: u64,
        /// Until this one.
        until_ms: u64,
    },
}

/// A window, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// When it is.
    pub when: When,
    /// Why, in the words of who declared it.
    pub reason: String,
}

/// A freeze that is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// Until when, milliseconds since 1970: no window holds that moment.
    pub until_ms: u64,
    /// Why: that of the window that is on now.
    pub reason: String,
}

/// A window as an operator writes it.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Of one that comes every week: days (1 Monday to 7 Sunday), the minutes of its ends, and its zone.
    pub weekly: Option<(Vec<i32>, i32, i32, Zone)>,
    /// Of one that comes once: both its ends, where they are moments.
    pub once: Option<(Option<u64>, Option<u64>)>,
    /// Why.
    pub reason: String,
}

/// Whether one of these windows is on, and until when.
pub fn frozen(windows: &[Window], now_ms: u64) -> Option<Frozen> {
    let until = |at_ms| {
        let on = windows
            .iter()
            .filter_map(|it| Some((it.when.until(at_ms)?, it)));
        on.max_by_key(|(until_ms, _)| *until_ms)
    };
    let (mut until_ms, window) = until(now_ms)?;
    for _ in 0..JOINED_MAX {
        match until(until_ms) {
            Some((later, _)) => until_ms = later,
            None => break,
        }
    }
    Some(Frozen {
        until_ms,
        reason: window.reason.clone(),
    })
}

/// Checks a window.
pub fn check(asked: Asked) -> Result<Window, Violations> {
    let mut violations = Violations::new();
    let reason = violations.take("freeze_window.reason", text::display_name(&asked.reason));
    if asked.reason.trim().is_empty() {
        violations.add("freeze_window.reason", "is required: people are told it");
    }
    let when = match (asked.weekly, asked.once) {
        (Some(weekly), None) => check_weekly(weekly, &mut violations),
        (None, Some(once)) => check_once(once, &mut violations),
        _ => {
            violations.add("freeze_window", "must be either `weekly` or `once`");
            None
        }
    };
    match (when, reason, violations.is_empty()) {
        (Some(when), Some(reason), true) => Ok(Window { when, reason }),
        _ => Err(violations),
    }
}

fn check_weekly(
    (days, from, until, zone): (Vec<i32>, i32, i32, Zone),
    violations: &mut Violations,
) -> Option<When> {
    let add = |it: Days, day: &i32| {
        let day = u8::try_from(*day).ok()?;
        it.with(day).filter(|with| *with != it)
    };
    let days = days.iter().try_fold(Days::default(), add);
    let days = days.filter(|it| !it.is_empty());
    if days.is_none() {
        let why = "must hold at least one day, each once";
        violations.add("freeze_window.weekly.days", why);
    }
    let from_minute = u16::try_from(from).ok().filter(|it| *it < DAY_MINUTES);
    if from_minute.is_none() {
        let why = "must be a minute of the day, 0 to 1439";
        violations.add("freeze_window.weekly.start_minute", why);
    }
    let until_minute = u16::try_from(until).ok().filter(|it| *it <= DAY_MINUTES);
    if until_minute.is_none() {
        let why = "must be a minute of the day, 0 to 1440";
        violations.add("freeze_window.weekly.end_minute", why);
    }
    let weekly = Weekly {
        days: days?,
        from_minute: from_minute?,
        until_minute: until_minute?,
        zone,
    };
    let never_ends = weekly.days == Days::ALL
        && (weekly.until_minute == weekly.from_minute
            || weekly.from_minute == 0 && weekly.until_minute == DAY_MINUTES);
    if never_ends {
        violations.add(
            "freeze_window.weekly",
            "must leave some time of the week open",
        );
    }
    Some(When::Weekly(weekly))
}

fn check_once(
    (from_ms, until_ms): (Option<u64>, Option<u64>),
    violations: &mut Violations,
) -> Option<When> {
    if from_ms.is_none() {
        let why = "is required, and must be a moment between 1970 and 9999";
        violations.add("freeze_window.once.start_time", why);
    }
    let lasts = until_ms
        .zip(from_ms)
        .and_then(|(until, from)| until.checked_sub(from));
    if !lasts.is_some_and(|it| (1..=ONCE_MS_MAX).contains(&it)) {
        let why = "must be after the start, by at most 366 days";
        violations.add("freeze_window.once.end_time", why);
    }
    Some(When::Once {
        from_ms: from_ms?,
        until_ms: until_ms?,
    })
}

// === impl When ===

impl When {
    /// Until when it is on, if this moment is in it.
    pub fn until(&self, now_ms: u64) -> Option<u64> {
        match self {
            Self::Weekly(weekly) => weekly.until(now_ms),
            Self::Once { from_ms, until_ms } => {
                (*from_ms..*until_ms).contains(&now_ms).then_some(*until_ms)
            }
        }
    }
}

// === impl Frozen ===

impl fmt::Display for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = calendar::written(self.until_ms);
        write!(f, "until {until} ({})", self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3_600_000;
    /// A Friday at midnight.
    const FRIDAY: u64 = 1_795_737_600_000;

    fn once(from_ms: u64, until_ms: u64, reason: &str) -> Window {
        Window {
            when: When::Once { from_ms, until_ms },
            reason: reason.to_owned(),
        }
    }

    fn weekend() -> Window {
        let asked = Asked {
            weekly: Some((vec![6, 7], 0, 1_440, Zone::UTC)),
            reason: "weekend".to_owned(),
            ..Asked::default()
        };
        check(asked).unwrap()
    }

    fn wrong(asked: Asked) -> Vec<String> {
        let violations = check(asked).unwrap_err().into_vec();
        violations.into_iter().map(|it| it.field).collect()
    }

    #[test]
    fn windows_that_follow_each_other_are_one_freeze() {
        let windows = [
            weekend(),
            once(FRIDAY + DAY / 2, FRIDAY + DAY, "party"),
            once(FRIDAY + 3 * DAY, FRIDAY + 3 * DAY + 5, "inventory"),
        ];
        assert_eq!(frozen(&windows, FRIDAY), None);
        let on = frozen(&windows, FRIDAY + DAY / 2).unwrap();
        assert_eq!(on.until_ms, FRIDAY + 3 * DAY + 5);
        assert_eq!(on.reason, "party");
        assert_eq!(frozen(&windows, on.until_ms), None);
        assert_eq!(frozen(&[], FRIDAY), None);
    }

    #[test]
    fn windows_that_leave_nothing_open_freeze_for_as_long_as_anybody_looks() {
        let asked = |day| Asked {
            weekly: Some((vec![day], 0, 1_440, Zone::UTC)),
            reason: "never".to_owned(),
            ..Asked::default()
        };
        let windows: Vec<_> = (1..=7).map(|day| check(asked(day)).unwrap()).collect();
        let on = frozen(&windows, FRIDAY).unwrap();
        assert!(on.until_ms > FRIDAY + 60 * DAY);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_field() {
        let weekly = |days: &[i32], from, until| Asked {
            weekly: Some((days.to_vec(), from, until, Zone::UTC)),
            reason: "x".to_owned(),
            ..Asked::default()
        };
        assert!(check(weekly(&[1], 0, 1_440)).is_ok());
        assert_eq!(wrong(weekly(&[], 0, 1)), ["freeze_window.weekly.days"]);
        assert_eq!(wrong(weekly(&[8], 0, 1)), ["freeze_window.weekly.days"]);
        assert_eq!(wrong(weekly(&[1, 1], 0, 1)), ["freeze_window.weekly.days"]);
        let minutes = wrong(weekly(&[1], 1_440, 1_441));
        assert_eq!(minutes.len(), 2);
        let always = wrong(weekly(&[1, 2, 3, 4, 5, 6, 7], 0, 1_440));
        assert_eq!(always, ["freeze_window.weekly"]);
        let once = |from, until| Asked {
            once: Some((from, until)),
            reason: "x".to_owned(),
            ..Asked::default()
        };
        assert!(check(once(Some(1), Some(2))).is_ok());
        for (from, until) in [(2, 2), (2, 1), (0, ONCE_MS_MAX + 1)] {
            let fields = wrong(once(Some(from), Some(until)));
            assert_eq!(fields, ["freeze_window.once.end_time"]);
        }
        assert_eq!(wrong(once(None, None)).len(), 2);
        let neither = wrong(Asked::default());
        assert_eq!(neither, ["freeze_window.reason", "freeze_window"]);
    }
}
