//! What must be true of how a version routes.

use policy::routing::{Balance, FailureClass, FailureClasses, Routing};

use crate::violation::Violations;

/// Checks the numbers of the wire: how targets are chosen, and after which failures the next one is and is not asked.
pub fn check(
    balance: i32,
    (fallback_on, no_fallback_on): (&[i32], &[i32]),
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
    violations.done()?;
    Ok(Routing {
        balance: balance.unwrap_or_default(),
        fallback_on,
        no_fallback_on,
    })
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
            let violations = check(balance, (on, off)).unwrap_err().into_vec();
            violations.into_iter().map(|it| it.field).collect()
        };
        assert_eq!(fields(9, &[], &[]), ["model_version.balance"]);
        assert_eq!(fields(0, &[6, 0], &[]), ["model_version.fallback_on[1]"]);
        assert_eq!(fields(0, &[6], &[6]), ["model_version.no_fallback_on"]);
        for number in 2..9 {
            let routing = check(number, (&[], &[])).unwrap();
            assert_eq!(balance_number(routing.balance), number);
        }
    }
}
