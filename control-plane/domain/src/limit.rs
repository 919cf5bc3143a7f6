//! What must be true of a limit.

use policy::limit::{Rate, UNITS_MAX};

use crate::{name::ScopeName, segment::Slug, violation::Violations};

/// Over how long the amount of a limit is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

/// Checks the numbers. A burst of zero means: a tenth of the amount, at least one.
pub fn numbers(
    amount: i64,
    window: Window,
    burst: i64,
    violations: &mut Violations,
) -> Option<Rate> {
    // Zero is refused by the rate itself, and so stands for every number that is not one.
    let amount = u64::try_from(amount).unwrap_or(0);
    let burst = match u64::try_from(burst) {
        Ok(0) => Rate::default_burst(amount).min(UNITS_MAX),
        Ok(burst) => burst,
        Err(_) => 0,
    };
    // Each beside a number that is right, so that neither hides what is wrong with the other.
    violations.take("limit.amount", Rate::new(amount, window.ms(), 1));
    violations.take("limit.burst", Rate::new(1, window.ms(), burst));
    Rate::new(amount, window.ms(), burst).ok()
}

/// Reads the scope of a limit of `organization`.
pub fn scope(organization: &Slug, text: &str) -> Result<ScopeName, String> {
    let scope = ScopeName::parse(text).map_err(|why| why.to_string())?;
    if scope.organization() == organization {
        Ok(scope)
    } else {
        Err("must be in the same organization".to_owned())
    }
}

// === impl Window ===

impl Window {
    /// Its length, in milliseconds.
    pub const fn ms(self) -> u64 {
        match self {
            Self::Second => 1_000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
        }
    }

    /// The window of this many milliseconds.
    pub fn from_ms(ms: u64) -> Option<Self> {
        [Self::Second, Self::Minute, Self::Hour]
            .into_iter()
            .find(|window| window.ms() == ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_checked_and_named() {
        for (amount, burst, wrong) in [
            (10, 1, None),
            (1_000_000_000, 1_000_000_000, None),
            (0, 1, Some("limit.amount")),
            (-1, 0, Some("limit.amount")),
            (1_000_000_001, 1, Some("limit.amount")),
            (10, -1, Some("limit.burst")),
            (10, 1_000_000_001, Some("limit.burst")),
        ] {
            let mut violations = Violations::new();
            numbers(amount, Window::Minute, burst, &mut violations);
            let found = violations.into_vec().first().map(|it| it.field.clone());
            assert_eq!(found.as_deref(), wrong, "{amount} {burst}");
        }
    }

    #[test]
    fn a_wrong_number_does_not_hide_another() {
        let mut violations = Violations::new();
        assert_eq!(numbers(0, Window::Minute, -1, &mut violations), None);
        let found: Vec<_> = violations
            .into_vec()
            .into_iter()
            .map(|it| it.field)
            .collect();
        assert_eq!(found, ["limit.amount", "limit.burst"]);
        let mut violations = Violations::new();
        assert_eq!(numbers(i64::MAX, Window::Minute, 0, &mut violations), None);
        assert_eq!(violations.into_vec().len(), 1);
    }

    #[test]
    fn no_burst_means_a_tenth_and_at_least_one() {
        let mut violations = Violations::new();
        let burst = |amount, violations: &mut _| {
            numbers(amount, Window::Second, 0, violations)
                .unwrap()
                .burst()
        };
        assert_eq!(burst(1_000, &mut violations), 100);
        assert_eq!(burst(3, &mut violations), 1);
    }

    #[test]
    fn a_scope_is_in_the_limits_own_organization() {
        let acme = Slug::parse("acme").unwrap();
        assert!(scope(&acme, "organizations/acme").is_ok());
        assert!(scope(&acme, "organizations/acme/projects/chat").is_ok());
        assert!(scope(&acme, "organizations/acme/projects/chat/keys/0aZ9bY8cX7dW").is_ok());
        assert!(scope(&acme, "organizations/evil").is_err());
        assert!(scope(&acme, "organizations/acme/models/chat").is_err());
        assert!(scope(&acme, "").is_err());
    }
}
