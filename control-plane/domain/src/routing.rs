//! What must be true of how a version routes.

use policy::{
    adapt::{Adapt, Measure},
    hedge::Hedge,
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

/// When a second target is to be asked beside the first, in the numbers of the wire: after how many milliseconds, or at which percentile; and how many
/// providers the targets are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hedging {
    /// After so many milliseconds; `None` where that is not said.
    pub after_ms: Option<u64>,
    /// At this percentile; zero where that is not said.
    pub percentile: i32,
    /// How many providers.
    pub providers: usize,
}

/// The least and the most that a weight becomes where nobody says, in percents of itself.
const LOW: i32 = 50;
const HIGH: i32 = 200;

/// Checks the numbers of the wire: how targets are chosen, after which failures the next one is and is not asked, how weights follow, and when a second
/// target is asked.
pub fn check(
    balance: i32,
    (fallback_on, no_fallback_on): (&[i32], &[i32]),
    adapting: Option<Adapting>,
    hedging: Hedging,
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
    let hedge = hedge(hedging, &mut violations);
    violations.done()?;
    Ok(Routing {
        balance: balance.unwrap_or_default(),
        fallback_on,
        no_fallback_on,
        adapt,
        hedge,
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

fn hedge(asked: Hedging, violations: &mut Violations) -> Option<Hedge> {
    let after_ms = asked
        .after_ms
        .map(|it| u32::try_from(it).unwrap_or(u32::MAX));
    let percentile = u32::try_from(asked.percentile).unwrap_or(u32::MAX);
    let field = match after_ms {
        Some(_) => "model_version.hedge_after",
        None => "model_version.hedge_percentile",
    };
    let read = match after_ms {
        // Who says nothing at all says no zero.
        Some(0) => Hedge::new((u32::MAX, percentile)),
        after_ms => Hedge::new((after_ms.unwrap_or(0), percentile)),
    };
    let hedge = violations.take(field, read).flatten();
    if hedge.is_some() && asked.providers < 2 {
        let why = "needs targets of two providers: nobody is asked twice for the same";
        violations.add(field, why);
    }
    hedge
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
            let violations = check(balance, (on, off), None, Hedging::default())
                .unwrap_err()
                .into_vec();
            violations.into_iter().map(|it| it.field).collect()
        };
        assert_eq!(fields(9, &[], &[]), ["model_version.balance"]);
        assert_eq!(fields(0, &[6, 0], &[]), ["model_version.fallback_on[1]"]);
        assert_eq!(fields(0, &[6], &[6]), ["model_version.no_fallback_on"]);
        for number in 2..9 {
            let routing = check(number, (&[], &[]), None, Hedging::default()).unwrap();
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
        let checked = |balance, asked| check(balance, (&[], &[]), Some(asked), Hedging::default());
        let adapt = checked(0, asked).unwrap().adapt.unwrap();
        assert_eq!((adapt.by, adapt.percents()), (Measure::Latency, (50, 400)));
        let by_cost = Adapting { by: 3, ..asked };
        let adapt = checked(1, by_cost).unwrap().adapt.unwrap();
        assert_eq!(adapt.by, Measure::Cost);
        let fields = |balance, asked| -> Vec<String> {
            let violations = checked(balance, asked).unwrap_err().into_vec();
            violations.into_iter().map(|it| it.field).collect()
        };
        assert_eq!(fields(4, asked), ["model_version.adapt"]);
        let alone = Adapting {
            by: 4,
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

    #[test]
    fn a_second_target_is_asked_after_a_time_or_at_a_percentile_and_of_another_provider() {
        let checked = |after_ms, percentile, providers| {
            let hedging = Hedging {
                after_ms,
                percentile,
                providers,
            };
            check(0, (&[], &[]), None, hedging)
        };
        let hedge = |after_ms, percentile| checked(after_ms, percentile, 2).map(|it| it.hedge);
        assert_eq!(hedge(None, 0), Ok(None));
        assert_eq!(hedge(Some(200), 0), Ok(Some(Hedge::After(200))));
        assert_eq!(hedge(None, 95), Ok(Some(Hedge::Percentile(95))));
        for (after_ms, percentile, providers, field) in [
            (Some(0), 0, 2, "after"),
            (Some(u64::MAX), 0, 2, "after"),
            (Some(200), 95, 2, "after"),
            (Some(200), 0, 1, "after"),
            (None, -1, 2, "percentile"),
            (None, 100, 2, "percentile"),
            (None, 95, 1, "percentile"),
        ] {
            let violations = checked(after_ms, percentile, providers).unwrap_err();
            let fields = violations.into_vec().into_iter().map(|it| it.field);
            let expected = [format!("model_version.hedge_{field}")];
            assert_eq!(fields.collect::<Vec<_>>(), expected);
        }
    }
}
