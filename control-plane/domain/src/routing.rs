//! What must be true of how a version routes.

use policy::{
    adapt::{Adapt, Measure},
    routing::{Balance, FailureClass, FailureClasses, Routing},
};

use crate::violation::Violations;

/// How weights are to follow, in the numbers of the wire: what, and the least and the most in percents; zeros mean: half and twice. And how many
/// targets have a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adapting {
    /// What.
    pub by: i32,
    /// The least.
    pub low: i32,
    /// The most.
    pub high: i32,
    /// How many targets have a weight.
    pub weighed: usize,
}

/// The least and the most that a weight becomes where nobody says, in percents of itself.
const LOW: i32 = 50;
const HIGH: i32 = 200;

/// Checks the numbers of the wire: how targets are chosen, after which failures the next one is and is not asked, and how weights follow.
pub fn check(
    balance: i32,
    (fallback_on, no_fallback_on): (&[i32], &[i32]),
    adapting: Option<Adapting>,
) -> Result<Routing, Violations> {
    let mut violations = Violations::new();
    // On the wire of operators nothing said is zero, and by weight is one.
    let number = u32::try_from(balance).map(|it| it.saturating_sub(1));
    let balance = number.ok().and_then(Balance::from_number);
    if balance.is_none() {
        violations.add("model_version.balance", "is not known");
    }
    let mut classes = |field: &str, numbers: &[i32]| -> FailureClasses {
        let all = numbers.iter().enumerate().filter_map(|(at, number)| {
            let number = u32::try_from(*number).ok();
            let class = number.and_then(FailureClass::from_number);
            if class.is_none() {
                violations.add(format!("model_version.{field}[{at}]"), "is not known");
            }
            class
        });
        all.collect()
    };
    let fallback_on = classes("fallback_on", fallback_on);
    let no_fallback_on = classes("no_fallback_on", no_fallback_on);
    if fallback_on.bits() & no_fallback_on.bits() != 0 {
        let why = "must hold none that stands in `fallback_on`";
        violations.add("model_version.no_fallback_on", why);
    }
    let adapt = adapting.and_then(|it| adapt(it, balance, &mut violations));
    violations.done()?;
    Ok(Routing {
        balance: balance.unwrap_or_default(),
        fallback_on,
        no_fallback_on,
        adapt,
    })
}

fn adapt(asked: Adapting, balance: Option<Balance>, violations: &mut Violations) -> Option<Adapt> {
    if asked.weighed < 2 || balance.is_some_and(|it| it != Balance::Weighted) {
        let why = "needs two targets with a weight at least, of a version that chooses by weight";
        violations.add("model_version.adapt", why);
    }
    let by = u32::try_from(asked.by).ok().and_then(Measure::from_number);
    if by.is_none() {
        violations.add("model_version.adapt.by", "is not known");
    }
    let said = |percents: i32, usual: i32| if percents == 0 { usual } else { percents };
    let read = |percents: i32| u16::try_from(percents).unwrap_or(u16::MAX);
    let (low, high) = (said(asked.low, LOW), said(asked.high, HIGH));
    let adapt = Adapt::new(by.unwrap_or(Measure::Latency), read(low), read(high));
    violations.take("model_version.adapt.low_percent", adapt)
}

/// The number of the wire for how targets are chosen.
pub const fn balance_number(balance: Balance) -> i32 {
    match balance {
        Balance::Weighted => 0,
        other => other as i32 + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_or_stands_in_both_lists_is_named() {
        let fields = |balance, on: &[i32], off: &[i32]| -> Vec<String> {
            let violations = check(balance, (on, off), None).unwrap_err().into_vec();
            violations.into_iter().map(|it| it.field).collect()
        };
        assert_eq!(fields(9, &[], &[]), ["model_version.balance"]);
        assert_eq!(fields(0, &[6, 0], &[]), ["model_version.fallback_on[1]"]);
        assert_eq!(fields(0, &[6], &[6]), ["model_version.no_fallback_on"]);
        for number in 2..9 {
            let routing = check(number, (&[], &[]), None).unwrap();
            assert_eq!(balance_number(routing.balance), number);
        }
    }

    #[test]
    fn weights_follow_within_bounds_where_there_are_some() {
        let asked = Adapting {
            by: 1,
            low: 0,
            high: 400,
            weighed: 2,
        };
        let checked = |balance, asked| check(balance, (&[], &[]), Some(asked));
        let adapt = checked(0, asked).unwrap().adapt.unwrap();
        assert_eq!((adapt.by, adapt.percents()), (Measure::Latency, (50, 400)));
        let fields = |balance, asked| -> Vec<String> {
            let violations = checked(balance, asked).unwrap_err().into_vec();
            violations.into_iter().map(|it| it.field).collect()
        };
        assert_eq!(fields(4, asked), ["model_version.adapt"]);
        let alone = Adapting {
            by: 3,
            low: -1,
            weighed: 1,
            ..asked
        };
        let all = ["adapt", "adapt.by", "adapt.low_percent"];
        assert_eq!(
            fields(0, alone),
            all.map(|it| format!("model_version.{it}"))
        );
    }
}
