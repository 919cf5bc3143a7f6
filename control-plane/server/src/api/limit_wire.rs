//! Limits between the wire and the store: what is wanted, what changes, what is shown.

use std::mem;

use domain::{
    limit::{self, Narrowing, Terms, Window},
    name::{LimitName, OrganizationName, ScopeName},
    segment::Slug,
    text,
    violation::Violations,
};
use policy::{
    calendar::Period,
    id::LimitId,
    limit::{Allowance, Member, Members, Mode, OnStoreLoss, Unit},
    revision::Revision,
};
use proto::admin::{self, LimitMember, LimitOverride, LimitUnit, LimitWindow};
use store::{
    id,
    limit::{New, Row},
};

use crate::api::{
    desk, limit_terms,
    mask::{Field, Mask, Update},
    moment,
};

/// An update of a limit, checked as far as it can be without the limit.
#[derive(Debug)]
pub(crate) struct Change {
    /// Which limit.
    pub(crate) name: LimitName,
    /// The guard of the write.
    pub(crate) etag: String,
    fixed: admin::Limit,
    display_name: Update<String>,
    amount: Update<i64>,
    window: Option<Window>,
    burst: Update<i64>,
    mode: Update<Mode>,
    on_store_loss: Update<OnStoreLoss>,
    overrides: Update<Vec<LimitOverride>>,
}

const SCOPE: &str = "limit.scope";
const UNIT: &str = "limit.unit";
const WINDOW: &str = "limit.window";
const NO_WINDOW: &str = "must be left out: what is under way at once has no window";
const MODE: &str = "limit.mode";
const LOSS: &str = "limit.on_store_loss";

/// Reads a request for a new limit.
pub(crate) fn new(asked: admin::CreateLimitRequest) -> Result<New, Violations> {
    let given = desk::required(asked.limit, "limit")?;
    let mut violations = Violations::new();
    let parent = violations.take("parent", OrganizationName::parse(&asked.parent));
    let slug = violations.take("limit_id", Slug::parse(&asked.limit_id));
    let display_name = text::display_name(&given.display_name);
    let display_name = violations.take("limit.display_name", display_name);
    let scope = parent
        .as_ref()
        .map(|it| limit::scope(&it.organization, &given.scope));
    let scope = scope.and_then(|read| violations.take(SCOPE, read));
    let narrowing = scope
        .as_ref()
        .and_then(|scope| narrowing(scope, &given, &mut violations));
    let unit = violations.take(UNIT, unit(given.unit));
    let window = violations.take(WINDOW, window(given.window, unit));
    // Without a window the other numbers are still looked at, under any.
    let numbers = (given.amount, window.unwrap_or(Window::Hour), given.burst);
    let allowance = limit::numbers(numbers.0, numbers.1, numbers.2, &mut violations);
    let of = scope.as_ref().zip(narrowing.as_ref());
    let of = of.map(|(scope, narrowing)| (scope, narrowing.each));
    let terms = terms(&given, of, window, &mut violations);
    if let (Some(allowance), Some(terms)) = (&allowance, &terms) {
        limit_terms::divisible(allowance, terms, &mut violations);
    }
    let (Some(parent), Some(limit), Some(display_name), true) =
        (parent, slug, display_name, violations.is_empty())
    else {
        return Err(violations);
    };
    let (Some(scope), Some(narrowing), Some(unit), Some(allowance), Some(terms)) =
        (scope, narrowing, unit, allowance, terms)
    else {
        return Err(violations);
    };
    let name = LimitName {
        organization: parent.organization,
        limit,
    };
    let id = LimitId::from_bytes(id::draw());
    Ok(New {
        id,
        name,
        display_name,
        scope,
        narrowing,
        unit,
        allowance,
        terms,
        thresholds: Vec::new(),
    })
}

/// The limit as it is shown.
pub(crate) fn wire(row: &Row, written: Revision) -> admin::Limit {
    let burst = match &row.allowance {
        Allowance::Rate(rate) => rate.burst(),
        Allowance::Quota(_) | Allowance::AtOnce(_) => 0,
    };
    admin::Limit {
        name: row.name.to_string(),
        uid: row.id.to_string(),
        etag: row.etag(),
        create_time: Some(moment::to_wire(row.created_at)),
        update_time: Some(moment::to_wire(row.updated_at)),
        revision: desk::latest(row.revision, written),
        unit: unit_shown(row.unit).into(),
        amount: units(row.allowance.amount()),
        window: window_shown(&row.allowance).into(),
        burst: units(burst),
        mode: limit_terms::mode_shown(row.terms.mode).into(),
        on_store_loss: limit_terms::on_store_loss_shown(row.terms.on_store_loss).into(),
        overrides: row
            .terms
            .overrides
            .iter()
            .map(limit_terms::override_shown)
            .collect(),
        ..fixed(row)
    }
}

/// The fields that never change.
fn fixed(row: &Row) -> admin::Limit {
    let narrowing = &row.narrowing;
    let text = |name: Option<String>| name.unwrap_or_default();
    admin::Limit {
        display_name: row.display_name.clone(),
        scope: row.scope.to_string(),
        model: text(narrowing.model.as_ref().map(ToString::to_string)),
        provider: text(narrowing.provider.as_ref().map(ToString::to_string)),
        end_user: text(narrowing.end_user.clone()),
        each: narrowing
            .each
            .iter()
            .map(|it| member_shown(it).into())
            .collect(),
        regions: row.terms.regions.iter().map(ToString::to_string).collect(),
        ..Default::default()
    }
}

/// At most 10^15, as every limit's numbers are.
fn units(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn narrowing(
    scope: &ScopeName,
    given: &admin::Limit,
    violations: &mut Violations,
) -> Option<Narrowing> {
    let mut each = Members::NONE;
    for (place, number) in given.each.iter().enumerate() {
        let field = format!("limit.each[{place}]");
        if let Some(member) = violations.take(&field, member(*number)) {
            each = each.with(member);
        }
    }
    let texts = (
        given.model.as_str(),
        given.provider.as_str(),
        given.end_user.as_str(),
    );
    limit::narrowing(scope, texts, each, violations)
}

fn terms(
    given: &admin::Limit,
    of: Option<(&ScopeName, Members)>,
    window: Option<Window>,
    violations: &mut Violations,
) -> Option<Terms> {
    let mode = violations.take(MODE, limit_terms::mode(given.mode));
    let loss = limit_terms::on_store_loss(given.on_store_loss);
    let loss = violations.take(LOSS, loss);
    let regions = limit::regions(&given.regions, violations);
    let (of, window) = of.zip(window)?;
    let overrides = limit_terms::overrides(&given.overrides, of, window, violations);
    Some(Terms {
        mode: mode?,
        on_store_loss: loss?,
        overrides: overrides?,
        regions,
    })
}

fn member(number: i32) -> Result<Member, &'static str> {
    match LimitMember::try_from(number) {
        Ok(LimitMember::Project) => Ok(Member::Project),
        Ok(LimitMember::Key) => Ok(Member::Key),
        Ok(LimitMember::EndUser) => Ok(Member::EndUser),
        Ok(LimitMember::Model) => Ok(Member::Model),
        Ok(LimitMember::Provider) => Ok(Member::Provider),
        Ok(LimitMember::Unspecified) | Err(_) => Err("is not known"),
    }
}

const fn member_shown(member: Member) -> LimitMember {
    match member {
        Member::Project => LimitMember::Project,
        Member::Key => LimitMember::Key,
        Member::EndUser => LimitMember::EndUser,
        Member::Model => LimitMember::Model,
        Member::Provider => LimitMember::Provider,
    }
}

fn unit(number: i32) -> Result<Unit, &'static str> {
    match LimitUnit::try_from(number) {
        Ok(LimitUnit::Requests) => Ok(Unit::Requests),
        Ok(LimitUnit::Tokens) => Ok(Unit::Tokens),
        Ok(LimitUnit::InputTokens) => Ok(Unit::InputTokens),
        Ok(LimitUnit::OutputTokens) => Ok(Unit::OutputTokens),
        Ok(LimitUnit::ConcurrentRequests) => Ok(Unit::ConcurrentRequests),
        Ok(LimitUnit::MicroDollars) => Ok(Unit::MicroDollars),
        Ok(LimitUnit::Unspecified) => Err("is required"),
        Err(_) => Err("is not known"),
    }
}

const fn unit_shown(unit: Unit) -> LimitUnit {
    match unit {
        Unit::Requests => LimitUnit::Requests,
        Unit::Tokens => LimitUnit::Tokens,
        Unit::InputTokens => LimitUnit::InputTokens,
        Unit::OutputTokens => LimitUnit::OutputTokens,
        Unit::ConcurrentRequests => LimitUnit::ConcurrentRequests,
        Unit::MicroDollars => LimitUnit::MicroDollars,
    }
}

/// Reads a window of a limit in this unit.
fn window(number: i32, unit: Option<Unit>) -> Result<Window, &'static str> {
    let has_none = unit == Some(Unit::ConcurrentRequests);
    match LimitWindow::try_from(number) {
        Ok(LimitWindow::Unspecified) if has_none => Ok(Window::None),
        Ok(_) if has_none => Err(NO_WINDOW),
        Ok(LimitWindow::Second) => Ok(Window::Second),
        Ok(LimitWindow::Minute) => Ok(Window::Minute),
        Ok(LimitWindow::Hour) => Ok(Window::Hour),
        Ok(LimitWindow::Day) => Ok(Window::Each(Period::Day)),
        Ok(LimitWindow::Week) => Ok(Window::Each(Period::Week)),
        Ok(LimitWindow::Month) => Ok(Window::Each(Period::Month)),
        Ok(LimitWindow::Lifetime) => Ok(Window::Each(Period::Lifetime)),
        Ok(LimitWindow::Unspecified) => Err("is required"),
        Err(_) => Err("is not known"),
    }
}

fn window_shown(allowance: &Allowance) -> LimitWindow {
    match Window::of(allowance) {
        Some(Window::Second) => LimitWindow::Second,
        Some(Window::Minute) => LimitWindow::Minute,
        Some(Window::Hour) => LimitWindow::Hour,
        Some(Window::Each(Period::Day)) => LimitWindow::Day,
        Some(Window::Each(Period::Week)) => LimitWindow::Week,
        Some(Window::Each(Period::Month)) => LimitWindow::Month,
        Some(Window::Each(Period::Lifetime)) => LimitWindow::Lifetime,
        Some(Window::None) | None => LimitWindow::Unspecified,
    }
}

// === impl Change ===

impl Change {
    /// Reads a request for an update.
    pub(crate) fn read(asked: admin::UpdateLimitRequest) -> Result<Self, Violations> {
        let given = desk::required(asked.limit, "limit")?;
        let fields = [
            Field::changes("display_name", !given.display_name.is_empty()),
            Field::fixed("scope"),
            Field::fixed("unit"),
            Field::changes("amount", given.amount != 0),
            Field::changes("window", given.window != 0),
            Field::changes("burst", given.burst != 0),
            Field::fixed("model"),
            Field::fixed("provider"),
            Field::fixed("end_user"),
            Field::fixed("each"),
            Field::fixed("regions"),
            Field::changes("mode", given.mode != 0),
            Field::changes("on_store_loss", given.on_store_loss != 0),
            Field::changes("overrides", !given.overrides.is_empty()),
        ];
        let mut violations = Violations::new();
        let mask = Mask::read(asked.update_mask, &fields, &mut violations);
        let name = violations.take("limit.name", LimitName::parse(&given.name));
        let display_name = text::display_name(&given.display_name);
        let display_name = violations.take("limit.display_name", display_name);
        let chosen = mask.as_ref().map(|mask| mask.pick("window", given.window));
        let window = match chosen {
            Some(Update::Set(number)) => {
                violations.take(WINDOW, window(number, unit(given.unit).ok()))
            }
            Some(Update::Kept) | None => None,
        };
        let mode = violations.take(MODE, limit_terms::mode(given.mode));
        let loss = limit_terms::on_store_loss(given.on_store_loss);
        let loss = violations.take(LOSS, loss);
        let (Some(mask), Some(name), Some(display_name), true) =
            (mask, name, display_name, violations.is_empty())
        else {
            return Err(violations);
        };
        Ok(Self {
            mode: mask.pick("mode", mode.unwrap_or_default()),
            on_store_loss: mask.pick("on_store_loss", loss.unwrap_or_default()),
            overrides: mask.pick("overrides", given.overrides.clone()),
            name,
            display_name: mask.pick("display_name", display_name),
            amount: mask.pick("amount", given.amount),
            window,
            burst: mask.pick("burst", given.burst),
            etag: given.etag.clone(),
            fixed: given,
        })
    }

    /// Makes the change, unless it would change what stays or the numbers are then no rate.
    pub(crate) fn apply(self, row: &mut Row) -> Result<(), Violations> {
        let mut violations = Violations::new();
        let (given, stands) = (&self.fixed, fixed(row));
        for (field, given, stands) in [
            (SCOPE, &given.scope, &stands.scope),
            ("limit.model", &given.model, &stands.model),
            ("limit.provider", &given.provider, &stands.provider),
            ("limit.end_user", &given.end_user, &stands.end_user),
        ] {
            if !given.is_empty() && given != stands {
                violations.add(field, "cannot change");
            }
        }
        if ![0, unit_shown(row.unit).into()].contains(&given.unit) {
            violations.add(UNIT, "cannot change");
        }
        if !given.each.is_empty() && given.each != stands.each {
            violations.add("limit.each", "cannot change");
        }
        if !given.regions.is_empty() && given.regions != stands.regions {
            violations.add("limit.regions", "cannot change");
        }
        let amount = self.amount.or(units(row.allowance.amount()));
        let window = self.window.or(Window::of(&row.allowance));
        let has_none = row.unit == Unit::ConcurrentRequests;
        if has_none != (window == Some(Window::None)) {
            let why = if has_none { NO_WINDOW } else { "is required" };
            violations.add(WINDOW, why);
        }
        if !row.terms.regions.is_empty() && window != Window::of(&row.allowance) {
            let why = "cannot change where regions hold the limit together: make another limit";
            violations.add(WINDOW, why);
        }
        // A quota has no burst, and a rate that was one begins with the usual.
        let burst = match (&row.allowance, window) {
            (Allowance::Rate(rate), Some(Window::Second | Window::Minute | Window::Hour)) => {
                units(rate.burst())
            }
            _ => 0,
        };
        let burst = self.burst.or(burst);
        let allowance = match window {
            Some(window) => limit::numbers(amount, window, burst, &mut violations),
            None => violations.take(WINDOW, Err("is not known; name another")),
        };
        // Those that stay are judged again, because the window may have changed.
        let stands = row.terms.overrides.iter().map(limit_terms::override_shown);
        let overrides = match self.overrides {
            Update::Set(given) => given,
            Update::Kept => stands.map(|it| in_window(it, window)).collect(),
        };
        let of = (&row.scope, row.narrowing.each);
        let read = |window| limit_terms::overrides(&overrides, of, window, &mut violations);
        let overrides = window.and_then(read);
        let (Some(allowance), Some(overrides), true) =
            (allowance, overrides, violations.is_empty())
        else {
            return Err(violations);
        };
        row.allowance = allowance;
        row.terms.overrides = overrides;
        limit_terms::divisible(&row.allowance, &row.terms, &mut violations);
        if !violations.is_empty() {
            return Err(violations);
        }
        row.terms.mode = self.mode.or(row.terms.mode);
        row.terms.on_store_loss = self.on_store_loss.or(row.terms.on_store_loss);
        row.display_name = self.display_name.or(mem::take(&mut row.display_name));
        Ok(())
    }
}

/// An override as it stands, in a window that may be another: a quota has no burst, nor has what is under way at once.
fn in_window(mut it: LimitOverride, window: Option<Window>) -> LimitOverride {
    if matches!(window, Some(Window::Each(_) | Window::None)) {
        it.burst = 0;
    }
    it
}

#[cfg(test)]
mod tests {
    use prost_types::FieldMask;

    use super::*;

    fn fields(violations: Violations) -> Vec<String> {
        violations
            .into_vec()
            .into_iter()
            .map(|it| it.field)
            .collect()
    }

    #[test]
    fn everything_that_is_wrong_with_a_new_limit_is_told_at_once() {
        let asked = admin::CreateLimitRequest {
            parent: "organizations/acme".into(),
            limit_id: "Rpm".into(),
            limit: Some(admin::Limit {
                scope: "organizations/evil".into(),
                unit: 9,
                ..Default::default()
            }),
            ..Default::default()
        };
        let found = fields(new(asked).unwrap_err());
        assert_eq!(found, ["limit_id", SCOPE, UNIT, WINDOW, "limit.amount"]);
    }

    #[test]
    fn what_is_under_way_at_once_has_no_window() {
        let asked = |window: LimitWindow| admin::CreateLimitRequest {
            parent: "organizations/acme".into(),
            limit_id: "slots".into(),
            limit: Some(admin::Limit {
                scope: "organizations/acme".into(),
                unit: LimitUnit::ConcurrentRequests.into(),
                window: window.into(),
                amount: 10,
                ..Default::default()
            }),
            ..Default::default()
        };
        let made = new(asked(LimitWindow::Unspecified)).unwrap();
        assert!(matches!(made.allowance, Allowance::AtOnce(most) if most.most() == 10));
        assert_eq!(window_shown(&made.allowance), LimitWindow::Unspecified);
        let refused = fields(new(asked(LimitWindow::Minute)).unwrap_err());
        assert_eq!(refused, [WINDOW]);
    }

    #[test]
    fn an_update_names_what_cannot_change_and_changes_only_what_it_names() {
        let asked = |paths: &[&str]| admin::UpdateLimitRequest {
            limit: Some(admin::Limit {
                name: "organizations/acme/limits/rpm".into(),
                amount: 7,
                burst: 3,
                ..Default::default()
            }),
            update_mask: Some(FieldMask {
                paths: paths.iter().map(ToString::to_string).collect(),
            }),
            ..Default::default()
        };
        let change = Change::read(asked(&["burst"])).unwrap();
        assert_eq!(
            (change.amount, change.burst),
            (Update::Kept, Update::Set(3))
        );
        let change = Change::read(asked(&[])).unwrap();
        assert_eq!(
            (change.amount, change.burst, change.display_name),
            (Update::Set(7), Update::Set(3), Update::Kept)
        );
        // All that can change, the window included, which is not given.
        assert_eq!(fields(Change::read(asked(&["*"])).unwrap_err()), [WINDOW]);
        let refused = Change::read(asked(&["scope", "unit", "size"])).unwrap_err();
        assert_eq!(fields(refused), ["update_mask"; 3]);
    }
}
