//! How a limit is held, between the wire and the store: its mode, its loss of the store, its overrides.
//!
//! Knows nothing of what the limit counts.

use domain::{
    limit::{self, OVERRIDES_MAX, Override, Terms, Window},
    name::ScopeName,
    violation::Violations,
};
use policy::limit::{Allowance, Members, Mode, OnStoreLoss};
use proto::admin::{LimitMode, LimitOnStoreLoss, LimitOverride};

use crate::api::moment;

/// What a request that does not fit meets.
pub(crate) fn mode(number: i32) -> Result<Mode, &'static str> {
    match LimitMode::try_from(number) {
        Ok(LimitMode::Unspecified | LimitMode::Hard) => Ok(Mode::Hard),
        Ok(LimitMode::Soft) => Ok(Mode::Soft),
        Ok(LimitMode::Shadow) => Ok(Mode::Shadow),
        Ok(LimitMode::Strict) => Ok(Mode::Strict),
        Err(_) => Err("is not known"),
    }
}

/// The mode as it is shown.
pub(crate) const fn mode_shown(mode: Mode) -> LimitMode {
    match mode {
        Mode::Hard => LimitMode::Hard,
        Mode::Soft => LimitMode::Soft,
        Mode::Shadow => LimitMode::Shadow,
        Mode::Strict => LimitMode::Strict,
    }
}

/// What happens while the store is away.
pub(crate) fn on_store_loss(number: i32) -> Result<OnStoreLoss, &'static str> {
    match LimitOnStoreLoss::try_from(number) {
        Ok(LimitOnStoreLoss::Unspecified | LimitOnStoreLoss::LocalShare) => {
            Ok(OnStoreLoss::LocalShare)
        }
        Ok(LimitOnStoreLoss::Deny) => Ok(OnStoreLoss::Deny),
        Ok(LimitOnStoreLoss::Allow) => Ok(OnStoreLoss::Allow),
        Err(_) => Err("is not known"),
    }
}

/// The same as it is shown.
pub(crate) const fn on_store_loss_shown(loss: OnStoreLoss) -> LimitOnStoreLoss {
    match loss {
        OnStoreLoss::LocalShare => LimitOnStoreLoss::LocalShare,
        OnStoreLoss::Deny => LimitOnStoreLoss::Deny,
        OnStoreLoss::Allow => LimitOnStoreLoss::Allow,
    }
}

/// Reads the overrides of a limit over this scope, in this window.
pub(crate) fn overrides(
    given: &[LimitOverride],
    of: (&ScopeName, Members),
    window: Window,
    violations: &mut Violations,
) -> Option<Vec<Override>> {
    if given.len() > OVERRIDES_MAX {
        violations.add("limit.overrides", format!("has more than {OVERRIDES_MAX}"));
        return None;
    }
    let mut overrides = Vec::with_capacity(given.len());
    for (place, it) in given.iter().enumerate() {
        let path = format!("limit.overrides[{place}]");
        let members = limit::members(&path, of, (&it.key, &it.end_user), violations);
        let numbers = limit::numbers_at(&path, (it.amount, it.burst), window, violations);
        let until = it.expire_time.as_ref().map(moment::millis).transpose();
        let until = violations.take(&format!("{path}.expire_time"), until);
        if let (Some((key, end_user)), Some(allowance), Some(until_ms)) = (members, numbers, until)
        {
            overrides.push(Override {
                key,
                end_user,
                allowance,
                until_ms,
            });
        }
    }
    (overrides.len() == given.len()).then_some(overrides)
}

/// Checks that each region has some of the numbers, where regions hold the limit together, and of those of its overrides.
pub(crate) fn divisible(allowance: &Allowance, terms: &Terms, violations: &mut Violations) {
    let regions = terms.regions.len();
    limit::divisible("limit", allowance, regions, violations);
    for (place, it) in terms.overrides.iter().enumerate() {
        let path = format!("limit.overrides[{place}]");
        limit::divisible(&path, &it.allowance, regions, violations);
    }
}

/// The override as it is shown.
pub(crate) fn override_shown(it: &Override) -> LimitOverride {
    let units = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let burst = match &it.allowance {
        Allowance::Rate(rate) => units(rate.burst()),
        Allowance::Quota(_) | Allowance::AtOnce(_) => 0,
    };
    let until = it.until_ms.and_then(|ms| moment::from_millis(ms).ok());
    LimitOverride {
        key: it.key.as_ref().map(ToString::to_string).unwrap_or_default(),
        end_user: it.end_user.clone().unwrap_or_default(),
        amount: units(it.allowance.amount()),
        burst,
        expire_time: until.map(moment::to_wire),
    }
}

#[cfg(test)]
mod tests {
    use policy::limit::Member;

    use super::*;

    fn wrong(given: &[LimitOverride], each: Members) -> Vec<String> {
        let scope = ScopeName::parse("organizations/acme").unwrap();
        let mut violations = Violations::new();
        let read = overrides(given, (&scope, each), Window::Minute, &mut violations);
        assert_eq!(read.is_some(), violations.is_empty());
        let wrong = violations.into_vec().into_iter();
        wrong.map(|it| it.field).collect()
    }

    #[test]
    fn an_override_is_of_members_that_are_counted_by_themselves() {
        let key = "organizations/acme/projects/chat/keys/0aZ9bY8cX7dW".to_owned();
        let of_key = LimitOverride {
            key,
            amount: 5,
            ..Default::default()
        };
        let of_all = LimitOverride {
            amount: 5,
            ..Default::default()
        };
        let of_nothing = LimitOverride {
            end_user: "ann".to_owned(),
            burst: -1,
            ..Default::default()
        };
        let each_key = Members::NONE.with(Member::Key);
        assert!(wrong(&[of_key.clone(), of_all.clone()], each_key).is_empty());
        assert_eq!(
            wrong(&[of_all.clone(), of_key], Members::NONE),
            ["limit.overrides[1].key"]
        );
        let found = wrong(&[of_nothing], each_key);
        assert_eq!(
            found,
            ["end_user", "amount", "burst"].map(|field| format!("limit.overrides[0].{field}"))
        );
        let many = vec![of_all; OVERRIDES_MAX + 1];
        assert_eq!(wrong(&many, each_key), ["limit.overrides"]);
    }
}
