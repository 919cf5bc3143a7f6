//! What is watched for people, and what of it is to be told.
//!
//! Knows numbers and names; knows nothing of where the numbers come from, who is told and whether that worked. A finding is known
//! by its subject: as long as it is found under the same one, it is the same alert.

use std::fmt;

use policy::calendar::Span;

use crate::{
    budget::{self, Standing},
    name::{BudgetName, ModelName},
};

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// The finest window of an error spike: sums are kept by quarters of an hour.
pub const QUARTER_MS: u64 = 15 * MINUTE_MS;

/// For how long an edge must be silent at least: healthy ones are heard every few seconds.
const SILENCE_MIN_MS: u64 = 5_000;

/// The longest span of a rule.
pub const SPAN_MAX_MS: u64 = 3_650 * DAY_MS;

/// How many requests an error spike needs where nobody says.
pub const REQUESTS_MIN_DEFAULT: u64 = 20;

/// The most requests that are told apart, so that a product of two of them and of a percentage fits.
const COUNT_MAX: u64 = 1 << 53; // Full: more are as many.

/// The most thresholds of a rule.
pub const THRESHOLDS_MAX: usize = 10;

/// The most findings of one rule that are told at once.
// Full: those whose subjects come last in the order of texts are told when others are over.
pub const FINDINGS_MAX: usize = 100;

/// What a rule watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watch {
    /// How much of budgets was spent.
    Budget {
        /// Of which one; `None` means: of each.
        budget: Option<BudgetName>,
        /// In percent; empty means: its own thresholds.
        thresholds: Vec<u16>,
    },
    /// How many requests fail.
    Errors {
        /// For which model; `None` means: for each.
        model: Option<ModelName>,
        /// When.
        spike: Spike,
    },
    /// Keys that are to be seen to.
    Key(KeyAge),
    /// Edges that have not been heard of for so long, in milliseconds.
    Edge(u64),
}

/// When errors are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spike {
    /// In how much time, in milliseconds.
    pub window_ms: u64,
    /// Of how many requests at least.
    pub requests_min: u64,
    /// From which share on, in percent.
    pub error_percent: u32,
    /// At how many times the share of the time before, in percent; zero means: at any.
    pub times_percent: u32,
}

/// When a key is to be seen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyAge {
    /// When its secret is so old, in milliseconds.
    pub age_ms: Option<u64>,
    /// When nobody used it for so long, in milliseconds.
    pub unused_ms: Option<u64>,
    /// When its project's rotation says so.
    pub rotation_due: bool,
}

/// What is wrong with what is to be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidWatch {
    /// A window is no multiple of a quarter of an hour, or too long.
    Window,
    /// A number is out of its bounds.
    Between(u64, u64),
    /// A span is out of its bounds, which are given in seconds.
    Span(u64, u64),
    /// There is nothing to watch for.
    Nothing,
}

/// Requests of a time, and those of them that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Failures {
    /// How many.
    pub requests: u64,
    /// How many of them failed.
    pub failed: u64,
}

/// Something that is to be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What it is about.
    pub subject: String,
    /// What there is to say, in a sentence.
    pub summary: String,
}

/// The thresholds of a budget that were crossed in its present period.
pub fn crossed(name: &BudgetName, standing: &Standing, thresholds: &[u16]) -> Vec<Finding> {
    let spent = standing.most_spent();
    let crossed = thresholds
        .iter()
        .filter(|it| spent >= budget::part(standing.amount, **it));
    crossed
        .map(|percent| Finding {
            subject: subject(name, *percent, standing.span),
            summary: format!(
                "{percent}% of the budget {} is spent: ${} of ${}",
                name.budget,
                dollars(spent),
                dollars(standing.amount)
            ),
        })
        .collect()
}

/// One for each period: what fired in the last one is over in the next.
fn subject(name: &BudgetName, percent: u16, span: Span) -> String {
    let period = span.from_ms / 1_000;
    if period == 0 {
        format!("{name} at {percent}%")
    } else {
        format!("{name} at {percent}% since {period}")
    }
}

/// Millionths of a dollar as dollars and cents, rounded down.
fn dollars(micro: u64) -> String {
    format!("{}.{:02}", micro / 1_000_000, micro % 1_000_000 / 10_000)
}

// === impl Spike ===

impl Spike {
    /// Checks one. Zero in `window_ms` and `requests_min` means what is usual.
    pub fn check(self) -> Result<Self, (&'static str, InvalidWatch)> {
        let within = |field, it, from, to| {
            let bounds = (field, InvalidWatch::Between(from, to));
            (from..=to).contains(&it).then_some(it).ok_or(bounds)
        };
        let window_ms = match self.window_ms {
            0 => QUARTER_MS,
            it if it.is_multiple_of(QUARTER_MS) && it <= DAY_MS => it,
            _ => return Err(("window", InvalidWatch::Window)),
        };
        let requests_min = match self.requests_min {
            0 => REQUESTS_MIN_DEFAULT,
            it => within("min_requests", it, 1, 1_000_000_000)?,
        };
        within("error_percent", u64::from(self.error_percent), 1, 100)?;
        if self.times_percent != 0 {
            let times = u64::from(self.times_percent);
            within("times_before_percent", times, 100, 100_000)?;
        }
        Ok(Self {
            window_ms,
            requests_min,
            ..self
        })
    }

    /// What there is to say of a model, by what failed in the window and in the time before.
    pub fn found(&self, model: &ModelName, now: Failures, before: Failures) -> Option<Finding> {
        let many = now.requests >= self.requests_min
            && u128::from(now.failed) * 100
                >= u128::from(now.requests) * u128::from(self.error_percent);
        // now.failed / now.requests >= times / 100 * before.failed / before.requests, in whole numbers.
        let wide = |it: u64| u128::from(it.min(COUNT_MAX));
        let more = self.times_percent == 0
            || wide(now.failed) * wide(before.requests.max(1)) * 100
                >= wide(before.failed) * wide(now.requests) * u128::from(self.times_percent);
        (many && more).then(|| Finding {
            subject: model.to_string(),
            summary: format!(
                "{} of {} requests for the model {} failed in {} minutes",
                now.failed,
                now.requests,
                model.model,
                self.window_ms / MINUTE_MS
            ),
        })
    }
}

// === impl KeyAge ===

impl KeyAge {
    /// Checks one.
    pub fn check(self) -> Result<Self, (&'static str, InvalidWatch)> {
        for (field, it) in [("age", self.age_ms), ("unused", self.unused_ms)] {
            if let Some(ms) = it {
                span(ms, MINUTE_MS, SPAN_MAX_MS).map_err(|why| (field, why))?;
            }
        }
        if self == Self::default() {
            return Err(("age", InvalidWatch::Nothing));
        }
        Ok(self)
    }
}

/// Checks for how long an edge may be silent.
pub fn silence(ms: u64) -> Result<u64, InvalidWatch> {
    span(ms, SILENCE_MIN_MS, DAY_MS)
}

/// Checks after how long people are reminded.
pub fn remind_after(ms: u64) -> Result<u64, InvalidWatch> {
    span(ms, MINUTE_MS, SPAN_MAX_MS)
}

fn span(ms: u64, from: u64, to: u64) -> Result<u64, InvalidWatch> {
    let bounds = InvalidWatch::Span(from / 1_000, to / 1_000);
    (from..=to).contains(&ms).then_some(ms).ok_or(bounds)
}

// === impl InvalidWatch ===

impl fmt::Display for InvalidWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window => f.write_str("must be a multiple of 15 minutes, at most 24 hours"),
            Self::Between(from, to) => write!(f, "must be {from} to {to}"),
            Self::Span(from, to) => write!(f, "must be {from} to {to} seconds"),
            Self::Nothing => f.write_str("or unused or rotation_due must be set"),
        }
    }
}

impl std::error::Error for InvalidWatch {}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> BudgetName {
        BudgetName::parse("organizations/acme/budgets/team").unwrap()
    }

    fn standing(spent: u64, from_ms: u64) -> Standing {
        Standing {
            amount: 10_000_000,
            span: Span {
                before_ms: 0,
                from_ms,
                to_ms: from_ms + DAY_MS,
            },
            counted_from_ms: 0,
            now_ms: from_ms + 1,
            spent: vec![spent],
            together: false,
        }
    }

    #[test]
    fn each_threshold_that_is_crossed_is_one_alert_of_its_period() {
        let found = crossed(&budget(), &standing(8_000_000, DAY_MS), &[50, 80, 100]);
        let subjects: Vec<&str> = found.iter().map(|it| it.subject.as_str()).collect();
        assert_eq!(
            subjects,
            [
                "organizations/acme/budgets/team at 50% since 86400",
                "organizations/acme/budgets/team at 80% since 86400"
            ]
        );
        assert_eq!(
            found[1].summary,
            "80% of the budget team is spent: $8.00 of $10.00"
        );
        let next = crossed(&budget(), &standing(8_000_000, 2 * DAY_MS), &[50]);
        assert_ne!(next[0].subject, found[0].subject);
        assert_eq!(crossed(&budget(), &standing(4_999_999, 0), &[50]), []);
    }

    #[test]
    fn errors_are_a_spike_when_they_are_many_and_more_than_before() {
        let model = ModelName::parse("organizations/acme/models/chat").unwrap();
        let spike = Spike {
            window_ms: 0,
            requests_min: 10,
            error_percent: 20,
            times_percent: 300,
        };
        let spike = spike.check().unwrap();
        let of = |requests, failed| Failures { requests, failed };
        for (now, before, is_one) in [
            (of(9, 9), of(0, 0), false),
            (of(10, 1), of(0, 0), false),
            (of(10, 2), of(0, 0), true),
            (of(10, 2), of(100, 6), true),
            (of(10, 2), of(100, 7), false),
            (of(u64::MAX, u64::MAX), of(u64::MAX, u64::MAX), false),
        ] {
            assert_eq!(
                spike.found(&model, now, before).is_some(),
                is_one,
                "{now:?}"
            );
        }
    }

    #[test]
    fn what_is_watched_has_bounds() {
        let spike = Spike {
            window_ms: QUARTER_MS + 1,
            requests_min: 0,
            error_percent: 1,
            times_percent: 0,
        };
        assert_eq!(spike.check(), Err(("window", InvalidWatch::Window)));
        assert!(KeyAge::default().check().is_err());
        assert!(silence(4_999).is_err() && silence(5_000).is_ok());
    }
}
