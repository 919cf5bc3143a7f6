//! Limits between the wire and the store: what is wanted, what changes, what is shown.

use std::mem;

use domain::{
    limit::{self, Window},
    name::{LimitName, OrganizationName},
    segment::Slug,
    text,
    violation::Violations,
};
use policy::{
    id::LimitId,
    limit::{Rate, Unit},
    revision::Revision,
};
use proto::admin::{self, LimitUnit, LimitWindow};
use store::{
    id,
    limit::{New, Row},
};

use crate::api::{
    desk,
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
    scope: String,
    unit: i32,
    display_name: Update<String>,
    amount: Update<i64>,
    window: Option<Window>,
    burst: Update<i64>,
}

const SCOPE: &str = "limit.scope";
const UNIT: &str = "limit.unit";
const WINDOW: &str = "limit.window";

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
    let unit = violations.take(UNIT, unit(given.unit));
    let window = violations.take(WINDOW, window(given.window));
    // Without a window the other numbers are still looked at, under any.
    let numbers = (given.amount, window.unwrap_or(Window::Hour), given.burst);
    let rate = limit::numbers(numbers.0, numbers.1, numbers.2, &mut violations);
    let (Some(parent), Some(limit), Some(display_name), Some(scope), Some(unit), Some(rate), true) = (
        parent,
        slug,
        display_name,
        scope,
        unit,
        rate,
        violations.is_empty(),
    ) else {
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
        unit,
        rate,
    })
}

/// The limit as it is shown.
pub(crate) fn wire(row: Row, written: Revision) -> admin::Limit {
    admin::Limit {
        name: row.name.to_string(),
        uid: row.id.to_string(),
        etag: row.etag(),
        create_time: Some(moment::to_wire(row.created_at)),
        update_time: Some(moment::to_wire(row.updated_at)),
        revision: desk::latest(row.revision, written),
        scope: row.scope.to_string(),
        unit: unit_shown(row.unit).into(),
        amount: units(row.rate.amount()),
        window: window_shown(row.rate).into(),
        burst: units(row.rate.burst()),
        display_name: row.display_name,
    }
}

/// At most 10^9, as every rate's numbers are.
fn units(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unit(number: i32) -> Result<Unit, &'static str> {
    match LimitUnit::try_from(number) {
        Ok(LimitUnit::Requests) => Ok(Unit::Requests),
        Ok(LimitUnit::Tokens) => Ok(Unit::Tokens),
        Ok(LimitUnit::Unspecified) => Err("is required"),
        Err(_) => Err("is not known"),
    }
}

const fn unit_shown(unit: Unit) -> LimitUnit {
    match unit {
        Unit::Requests => LimitUnit::Requests,
        Unit::Tokens => LimitUnit::Tokens,
    }
}

fn window(number: i32) -> Result<Window, &'static str> {
    match LimitWindow::try_from(number) {
        Ok(LimitWindow::Second) => Ok(Window::Second),
        Ok(LimitWindow::Minute) => Ok(Window::Minute),
        Ok(LimitWindow::Hour) => Ok(Window::Hour),
        Ok(LimitWindow::Unspecified) => Err("is required"),
        Err(_) => Err("is not known"),
    }
}

fn window_shown(rate: Rate) -> LimitWindow {
    match Window::from_ms(rate.window_ms()) {
        Some(Window::Second) => LimitWindow::Second,
        Some(Window::Minute) => LimitWindow::Minute,
        Some(Window::Hour) => LimitWindow::Hour,
        None => LimitWindow::Unspecified,
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
        ];
        let mut violations = Violations::new();
        let mask = Mask::read(asked.update_mask, &fields, &mut violations);
        let name = violations.take("limit.name", LimitName::parse(&given.name));
        let display_name = text::display_name(&given.display_name);
        let display_name = violations.take("limit.display_name", display_name);
        let chosen = mask.as_ref().map(|mask| mask.pick("window", given.window));
        let window = match chosen {
            Some(Update::Set(number)) => violations.take(WINDOW, window(number)),
            Some(Update::Kept) | None => None,
        };
        let (Some(mask), Some(name), Some(display_name), true) =
            (mask, name, display_name, violations.is_empty())
        else {
            return Err(violations);
        };
        Ok(Self {
            name,
            etag: given.etag,
            scope: given.scope,
            unit: given.unit,
            display_name: mask.pick("display_name", display_name),
            amount: mask.pick("amount", given.amount),
            window,
            burst: mask.pick("burst", given.burst),
        })
    }

    /// Makes the change, unless it would change what stays or the numbers are then no rate.
    pub(crate) fn apply(self, row: &mut Row) -> Result<(), Violations> {
        let mut violations = Violations::new();
        if !self.scope.is_empty() && self.scope != row.scope.to_string() {
            violations.add(SCOPE, "cannot change");
        }
        if ![0, unit_shown(row.unit).into()].contains(&self.unit) {
            violations.add(UNIT, "cannot change");
        }
        let amount = self.amount.or(units(row.rate.amount()));
        let burst = self.burst.or(units(row.rate.burst()));
        let rate = match self.window.or(Window::from_ms(row.rate.window_ms())) {
            Some(window) => limit::numbers(amount, window, burst, &mut violations),
            None => violations.take(WINDOW, Err("is not known; name another")),
        };
        let (Some(rate), true) = (rate, violations.is_empty()) else {
            return Err(violations);
        };
        row.rate = rate;
        row.display_name = self.display_name.or(mem::take(&mut row.display_name));
        Ok(())
    }
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
