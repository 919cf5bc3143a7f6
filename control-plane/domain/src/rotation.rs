//! How the secrets of a project's keys are replaced: when that is due, how long two work, how old one may grow.
//!
//! Knows spans in milliseconds and nothing of keys. What is absent is filled in here, so that every reader sees the
//! same numbers.

use crate::violation::Violations;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// How long two secrets work where nobody says.
pub const OVERLAP_DEFAULT_MS: u64 = DAY_MS;

/// The longest that two secrets may work.
pub const OVERLAP_MAX_MS: u64 = 90 * DAY_MS;

/// The longest span of a rule: ten years.
pub const SPAN_MAX_MS: u64 = 3_650 * DAY_MS;

/// What an operator says; `None` where they say nothing.
#[derive(Debug, Clone, Copy, Default)]
#[expect(missing_docs, reason = "each field is that of the rule it becomes")]
pub struct Given {
    pub period_ms: Option<u64>,
    pub overlap_ms: Option<u64>,
    pub warn_before_ms: Option<u64>,
    pub age_max_ms: Option<u64>,
}

/// The rule of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// After how long a secret is to be replaced; `None` means: never.
    pub period_ms: Option<u64>,
    /// How long the old one goes on working.
    pub overlap_ms: u64,
    /// How long ahead it is told.
    pub warn_before_ms: u64,
    /// How old a secret may be and still work; `None` means: as old as it likes.
    pub age_max_ms: Option<u64>,
}

/// Reads a rule; everything that is wrong with it is added to `violations`, below `field`.
pub fn read(field: &str, given: Given, violations: &mut Violations) -> Option<Rotation> {
    let mut fine = true;
    let mut refuse = |part: &str, why: &str| {
        violations.add(format!("{field}.{part}"), why);
        fine = false;
    };
    let Given {
        period_ms,
        age_max_ms,
        ..
    } = given;
    if period_ms.is_some_and(|it| !(HOUR_MS..=SPAN_MAX_MS).contains(&it)) {
        refuse("period", "must be an hour to 3,650 days");
    }
    // Where nothing is due, an age that is allowed is what there is to warn of.
    let cycle_ms = period_ms.or(age_max_ms).unwrap_or(OVERLAP_MAX_MS);
    let overlap_ms = given
        .overlap_ms
        .unwrap_or_else(|| OVERLAP_DEFAULT_MS.min(cycle_ms / 10));
    if overlap_ms > OVERLAP_MAX_MS || period_ms.is_some_and(|it| overlap_ms >= it) {
        refuse(
            "overlap",
            "must be at most 90 days and less than the period",
        );
    }
    let warn_before_ms = given.warn_before_ms.unwrap_or(cycle_ms / 10);
    if warn_before_ms > SPAN_MAX_MS || period_ms.is_some_and(|it| warn_before_ms >= it) {
        refuse("warn_before", "must be less than the period");
    }
    let least_ms = period_ms.unwrap_or(1_000);
    if age_max_ms.is_some_and(|it| !(least_ms..=SPAN_MAX_MS).contains(&it)) {
        refuse(
            "max_age",
            "must be a second to 3,650 days, and not less than the period",
        );
    }
    fine.then_some(Rotation {
        period_ms,
        overlap_ms,
        warn_before_ms,
        age_max_ms,
    })
}

/// How long the old secret works after a rotation that asks for `asked_ms`, in a project with this rule.
pub fn overlap_ms(asked_ms: Option<u64>, rule: Option<u64>) -> u64 {
    asked_ms.or(rule).unwrap_or(OVERLAP_DEFAULT_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(given: Given) -> Vec<String> {
        let mut violations = Violations::new();
        assert!(read("it", given, &mut violations).is_none() != violations.is_empty());
        let violations = violations.into_vec();
        violations.into_iter().map(|it| it.field).collect()
    }

    #[test]
    fn what_is_not_said_follows_from_the_period() {
        let given = Given {
            period_ms: Some(90 * DAY_MS),
            ..Given::default()
        };
        let rule = read("it", given, &mut Violations::new()).unwrap();
        assert_eq!(rule.overlap_ms, DAY_MS);
        assert_eq!(rule.warn_before_ms, 9 * DAY_MS);
        assert_eq!(rule.age_max_ms, None);
        let given = Given {
            period_ms: Some(HOUR_MS),
            ..Given::default()
        };
        let rule = read("it", given, &mut Violations::new()).unwrap();
        assert_eq!(rule.overlap_ms, HOUR_MS / 10);
    }

    #[test]
    fn a_rule_that_contradicts_itself_is_refused_by_its_parts() {
        let given = Given {
            period_ms: Some(DAY_MS),
            overlap_ms: Some(DAY_MS),
            warn_before_ms: Some(DAY_MS),
            age_max_ms: Some(DAY_MS - 1),
        };
        assert_eq!(
            fields(given),
            ["it.overlap", "it.warn_before", "it.max_age"]
        );
        let given = Given {
            period_ms: Some(HOUR_MS - 1),
            ..Given::default()
        };
        assert_eq!(fields(given), ["it.period"]);
    }

    #[test]
    fn who_asks_goes_before_the_rule_and_the_rule_before_the_default() {
        assert_eq!(overlap_ms(Some(0), Some(5)), 0);
        assert_eq!(overlap_ms(None, Some(5)), 5);
        assert_eq!(overlap_ms(None, None), OVERLAP_DEFAULT_MS);
    }
}
