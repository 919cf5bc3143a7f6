//! What must be true of a limit.

use policy::{
    calendar::Period,
    limit::{
        Allowance, AtOnce, Member, Members, Mode, OnStoreLoss, Quota, REGIONS_MAX, Rate, UNITS_MAX,
    },
    region::Region,
    share,
};

use crate::{
    name::{KeyName, ModelName, ProviderName, ScopeName},
    region,
    segment::Slug,
    text,
    violation::Violations,
};

/// Over how long the amount of a limit is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A period of the calendar, after which a quota starts again.
    Each(Period),
    /// None: it is about requests that are under way at once.
    None,
}

/// What narrows a scope, and what each has a count of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Narrowing {
    /// Requests for this model only.
    pub model: Option<ModelName>,
    /// What this provider serves only.
    pub provider: Option<ProviderName>,
    /// Requests for this end user only.
    pub end_user: Option<String>,
    /// Of which each one has a count of its own.
    pub each: Members,
}

/// The most overrides of one limit. Full: the write is refused.
pub const OVERRIDES_MAX: usize = 200;

/// How a limit is held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// What happens to a request that does not fit.
    pub mode: Mode,
    /// What happens while the shared counts cannot be asked.
    pub on_store_loss: OnStoreLoss,
    /// Other numbers; the first that fits.
    pub overrides: Vec<Override>,
    /// The regions that hold it together; none means that each holds it by itself.
    pub regions: Vec<Region>,
}

/// Other numbers, for some or for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// For this key alone.
    pub key: Option<KeyName>,
    /// For this end user alone.
    pub end_user: Option<String>,
    /// The numbers, in the window of the limit.
    pub allowance: Allowance,
    /// When it ends, milliseconds since 1970.
    pub until_ms: Option<u64>,
}

/// Checks the numbers of a limit. A burst of zero means: a tenth of the amount, at least one. A quota has none, and neither
/// has what is under way at once.
pub fn numbers(
    amount: i64,
    window: Window,
    burst: i64,
    violations: &mut Violations,
) -> Option<Allowance> {
    numbers_at("limit", (amount, burst), window, violations)
}

/// The same for the numbers of whatever stands at this path.
pub fn numbers_at(
    path: &str,
    (amount, burst): (i64, i64),
    window: Window,
    violations: &mut Violations,
) -> Option<Allowance> {
    let (at_amount, at_burst) = (format!("{path}.amount"), format!("{path}.burst"));
    // Zero is refused by the numbers themselves, and so stands for every number that is not one.
    let amount = u64::try_from(amount).unwrap_or(0);
    let window_ms = match window {
        Window::Second => 1_000,
        Window::Minute => 60_000,
        Window::Hour => 3_600_000,
        Window::Each(period) => {
            let quota = violations.take(&at_amount, Quota::new(amount, period));
            if burst != 0 {
                violations.add(at_burst, "must be 0: a quota has no burst");
                return None;
            }
            return quota.map(Allowance::Quota);
        }
        Window::None => {
            let most = violations.take(&at_amount, AtOnce::new(amount));
            if burst != 0 {
                violations.add(
                    at_burst,
                    "must be 0: what is under way at once has no burst",
                );
                return None;
            }
            return most.map(Allowance::AtOnce);
        }
    };
    let burst = match u64::try_from(burst) {
        Ok(0) => Rate::default_burst(amount).min(UNITS_MAX),
        Ok(burst) => burst,
        Err(_) => 0,
    };
    // Each beside a number that is right, so that neither hides what is wrong with the other.
    violations.take(&at_amount, Rate::new(amount, window_ms, 1));
    violations.take(&at_burst, Rate::new(1, window_ms, burst));
    let rate = Rate::new(amount, window_ms, burst);
    rate.ok().map(Allowance::Rate)
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

/// Reads what narrows a scope: the names of a model and of a provider of the same organization, an end user as clients
/// name it, each of which may be empty, and of which each one is counted by itself.
pub fn narrowing(
    scope: &ScopeName,
    (model, provider, end_user): (&str, &str, &str),
    each: Members,
    violations: &mut Violations,
) -> Option<Narrowing> {
    let before = violations.is_empty();
    let ours = |organization: &Slug| organization == scope.organization();
    let foreign = || "must be in the same organization".to_owned();
    let model = (!model.is_empty()).then(|| {
        let name = ModelName::parse(model).map_err(|why| why.to_string())?;
        let ours = ours(&name.organization);
        ours.then_some(name).ok_or_else(foreign)
    });
    let provider = (!provider.is_empty()).then(|| {
        let name = ProviderName::parse(provider).map_err(|why| why.to_string())?;
        let ours = ours(&name.organization);
        ours.then_some(name).ok_or_else(foreign)
    });
    let model = model.and_then(|read| violations.take("limit.model", read));
    let provider = provider.and_then(|read| violations.take("limit.provider", read));
    let end_user = violations.take("limit.end_user", text::end_user(end_user));
    let narrowing = Narrowing {
        model,
        provider,
        end_user: end_user.filter(|name| !name.is_empty()),
        each,
    };
    for member in each.iter() {
        if let Err(why) = can_be_many(member, scope, &narrowing) {
            violations.add("limit.each", why);
        }
    }
    (before == violations.is_empty()).then_some(narrowing)
}

/// Reads whom an override at this path is for: the name of a key and an end user, each of which may be empty. They must be
/// members that the limit counts by themselves, because numbers of a count that others share cannot differ.
pub fn members(
    path: &str,
    (scope, each): (&ScopeName, Members),
    (key, end_user): (&str, &str),
    violations: &mut Violations,
) -> Option<(Option<KeyName>, Option<String>)> {
    let before = violations.is_empty();
    let (at_key, at_end_user) = (format!("{path}.key"), format!("{path}.end_user"));
    let key = (!key.is_empty()).then(|| {
        let name = KeyName::parse(key).map_err(|why| why.to_string())?;
        let ours = name.organization == *scope.organization();
        ours.then_some(name)
            .ok_or_else(|| "must be in the same organization".to_owned())
    });
    let key = key.and_then(|read| violations.take(&at_key, read));
    let end_user = violations.take(&at_end_user, text::end_user(end_user));
    let end_user = end_user.filter(|name| !name.is_empty());
    if key.is_some() && !each.has(Member::Key) {
        violations.add(at_key, "needs a limit that counts each key by itself");
    }
    if end_user.is_some() && !each.has(Member::EndUser) {
        violations.add(
            at_end_user,
            "needs a limit that counts each end user by itself",
        );
    }
    (before == violations.is_empty()).then_some((key, end_user))
}

/// Reads the regions that hold a limit together.
pub fn regions(texts: &[String], violations: &mut Violations) -> Vec<Region> {
    let field = "limit.regions";
    if texts.len() > REGIONS_MAX {
        violations.add(field, format!("must hold at most {REGIONS_MAX}"));
        return Vec::new();
    }
    region::list(texts, field, violations)
}

/// Checks that something is left of these numbers, which stand at this path, when so many regions hold them together, each of
/// which has a part that is never lent.
pub fn divisible(path: &str, allowance: &Allowance, regions: usize, violations: &mut Violations) {
    if regions == 0 {
        return;
    }
    let least = u64::from(share::WHOLE).div_ceil(u64::from(share::floor(regions).max(1)));
    if allowance.amount() < least {
        let why = format!("must be at least {least}, so that each of {regions} regions has some");
        violations.add(format!("{path}.amount"), why);
    }
    let each = u64::try_from(regions).unwrap_or(u64::MAX);
    if let Allowance::Rate(rate) = allowance
        && rate.burst() < each
    {
        let why = format!("must be at least {each}, so that each of {regions} regions has some");
        violations.add(format!("{path}.burst"), why);
    }
}

/// Whether a scope can hold more than one of these.
fn can_be_many(
    member: Member,
    scope: &ScopeName,
    narrowing: &Narrowing,
) -> Result<(), &'static str> {
    let many = match member {
        Member::Project => matches!(scope, ScopeName::Organization(_)),
        Member::Key => !matches!(scope, ScopeName::Key(_)),
        Member::EndUser => narrowing.end_user.is_none(),
        Member::Model => narrowing.model.is_none(),
        Member::Provider => narrowing.provider.is_none(),
    };
    if many {
        Ok(())
    } else {
        Err("names what the scope has only one of: leave it out")
    }
}

// === impl Window ===

impl Window {
    /// The window of these numbers; `None` when it is one that nobody can ask for.
    pub fn of(allowance: &Allowance) -> Option<Self> {
        match allowance {
            Allowance::Rate(rate) => match rate.window_ms() {
                1_000 => Some(Self::Second),
                60_000 => Some(Self::Minute),
                3_600_000 => Some(Self::Hour),
                _ => None,
            },
            Allowance::Quota(quota) => Some(Self::Each(quota.period())),
            Allowance::AtOnce(_) => Some(Self::None),
        }
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
        let rate = |amount, burst| Some(Allowance::Rate(Rate::new(amount, 1_000, burst).unwrap()));
        let second = Window::Second;
        assert_eq!(numbers(1_000, second, 0, &mut violations), rate(1_000, 100));
        assert_eq!(numbers(3, second, 0, &mut violations), rate(3, 1));
    }

    #[test]
    fn a_quota_may_be_large_and_has_no_burst() {
        let month = Window::Each(Period::Month);
        let mut violations = Violations::new();
        let numbers_of =
            |amount, burst, violations: &mut _| numbers(amount, month, burst, violations);
        assert!(numbers_of(1_000_000_000_000_000, 0, &mut violations).is_some());
        assert!(violations.is_empty());
        assert_eq!(numbers_of(1_000_000_000_000_001, 0, &mut violations), None);
        assert_eq!(numbers_of(5, 1, &mut violations), None);
        let found: Vec<_> = violations
            .into_vec()
            .into_iter()
            .map(|it| it.field)
            .collect();
        assert_eq!(found, ["limit.amount", "limit.burst"]);
    }

    #[test]
    fn what_is_under_way_at_once_is_a_number_without_a_burst() {
        let mut violations = Violations::new();
        let ten = Some(Allowance::AtOnce(AtOnce::new(10).unwrap()));
        assert_eq!(numbers(10, Window::None, 0, &mut violations), ten);
        assert!(violations.is_empty());
        assert_eq!(numbers(0, Window::None, 1, &mut violations), None);
        assert_eq!(numbers(1_000_001, Window::None, 0, &mut violations), None);
        let found: Vec<_> = violations
            .into_vec()
            .into_iter()
            .map(|it| it.field)
            .collect();
        assert_eq!(found, ["limit.amount", "limit.burst", "limit.amount"]);
    }

    #[test]
    fn a_scope_is_narrowed_within_its_organization_and_to_what_it_has() {
        let scope = ScopeName::parse("organizations/acme/projects/chat").unwrap();
        let read = |texts, each: &[Member]| {
            let each = each.iter().fold(Members::NONE, |all, it| all.with(*it));
            let mut violations = Violations::new();
            let read = narrowing(&scope, texts, each, &mut violations);
            let wrong: Vec<_> = violations
                .into_vec()
                .into_iter()
                .map(|it| it.field)
                .collect();
            assert_eq!(read.is_none(), !wrong.is_empty());
            wrong
        };
        let model = "organizations/acme/models/gpt-4o";
        assert!(read((model, "", ""), &[Member::Key, Member::EndUser]).is_empty());
        assert!(read(("", "organizations/acme/providers/main", "ann"), &[]).is_empty());
        assert_eq!(
            read(("organizations/evil/models/m", "", ""), &[]),
            ["limit.model"]
        );
        assert_eq!(read(("", "main", ""), &[]), ["limit.provider"]);
        assert_eq!(read(("", "", "a\nb"), &[]), ["limit.end_user"]);
        assert_eq!(read(("", "", ""), &[Member::Project]), ["limit.each"]);
        assert_eq!(
            read((model, "", "ann"), &[Member::Model, Member::EndUser]),
            ["limit.each"; 2]
        );
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
