//! Budgets between the wire and the store: a budget is a limit on money over a day or longer, and what can be said of it is said
//! in the words of `limit_wire`.
//!
//! Owns the names of the fields. Knows nothing of how a budget is held.

use std::mem;

use domain::{
    limit::{self, Window},
    name::{BudgetName, LimitName},
    text,
    violation::Violations,
};
use policy::{
    calendar::Period,
    limit::{Allowance, Mode, OnStoreLoss, Unit},
    revision::Revision,
};
use proto::admin::{self, BudgetEnd, BudgetPeriod, LimitMode, LimitUnit, LimitWindow};
use store::limit::{New, Row};

use crate::api::{
    desk, limit_terms, limit_wire,
    mask::{Field, Mask, Update},
};

/// The most thresholds.
// Full: the request is refused.
const THRESHOLDS_MAX: usize = 10;

/// An update of a budget, checked as far as it can be without the budget.
#[derive(Debug)]
pub(crate) struct Change {
    /// Which limit.
    pub(crate) name: LimitName,
    /// The guard of the write.
    pub(crate) etag: String,
    display_name: Update<String>,
    micro_dollars: Update<i64>,
    period: Update<Window>,
    mode: Update<Mode>,
    on_store_loss: Update<OnStoreLoss>,
    thresholds: Update<Vec<u16>>,
}

/// How the fields of a limit are called here.
const CALLED: [(&str, &str); 6] = [
    ("limit_id", "budget_id"),
    ("limit.scope", "budget.owner"),
    ("limit.amount", "budget.micro_dollars"),
    ("limit.window", "budget.period"),
    ("limit.mode", "budget.at_end"),
    ("limit", "budget"),
];

/// The limit that a budget of this name is.
pub(crate) fn limit_name(name: BudgetName) -> LimitName {
    LimitName {
        organization: name.organization,
        limit: name.budget,
    }
}

/// Whether a limit is a budget.
pub(crate) fn is_budget(row: &Row) -> bool {
    row.unit == Unit::MicroDollars && matches!(row.allowance, Allowance::Quota(_))
}

/// Reads a request for a new budget.
pub(crate) fn new(asked: admin::CreateBudgetRequest) -> Result<New, Violations> {
    let given = desk::required(asked.budget, "budget")?;
    let mut violations = Violations::new();
    let thresholds = thresholds(&given.thresholds, &mut violations);
    let period = violations.take("budget.period", period(given.period));
    let end = violations.take("budget.at_end", end(given.at_end));
    let (Some(period), Some(end)) = (period, end) else {
        return Err(violations);
    };
    let limit = admin::Limit {
        display_name: given.display_name,
        scope: given.owner,
        unit: LimitUnit::MicroDollars.into(),
        amount: given.micro_dollars,
        window: period.into(),
        mode: end.into(),
        on_store_loss: given.on_store_loss,
        each: given.each,
        model: given.model,
        regions: given.regions,
        ..admin::Limit::default()
    };
    let asked = admin::CreateLimitRequest {
        parent: asked.parent,
        limit_id: asked.budget_id,
        limit: Some(limit),
        ..admin::CreateLimitRequest::default()
    };
    let new = limit_wire::new(asked).map_err(|others| violations.append(called(others)));
    match (new, thresholds, violations.is_empty()) {
        (Ok(new), Some(thresholds), true) => Ok(New { thresholds, ..new }),
        _ => Err(violations),
    }
}

/// The budget as it is shown.
pub(crate) fn wire(row: &Row, written: Revision) -> admin::Budget {
    let shown = limit_wire::wire(row, written);
    let name = &row.name;
    let period = match &row.allowance {
        Allowance::Quota(quota) => match quota.period() {
            Period::Day => BudgetPeriod::Day,
            Period::Week => BudgetPeriod::Week,
            Period::Month => BudgetPeriod::Month,
            Period::Lifetime => BudgetPeriod::Lifetime,
        },
        Allowance::Rate(_) | Allowance::AtOnce(_) => BudgetPeriod::Unspecified,
    };
    let at_end = match row.terms.mode {
        Mode::Hard => BudgetEnd::Refuse,
        Mode::Soft => BudgetEnd::Warn,
        Mode::Shadow => BudgetEnd::Watch,
        Mode::Strict => BudgetEnd::Hold,
    };
    admin::Budget {
        name: format!("{}/budgets/{}", name.parent(), name.limit),
        uid: shown.uid,
        display_name: shown.display_name,
        etag: shown.etag,
        create_time: shown.create_time,
        update_time: shown.update_time,
        revision: shown.revision,
        owner: shown.scope,
        micro_dollars: shown.amount,
        period: period.into(),
        thresholds: row.thresholds.iter().map(|it| i32::from(*it)).collect(),
        at_end: at_end.into(),
        on_store_loss: shown.on_store_loss,
        each: shown.each,
        model: shown.model,
        regions: shown.regions,
    }
}

fn period(number: i32) -> Result<LimitWindow, &'static str> {
    match BudgetPeriod::try_from(number) {
        Ok(BudgetPeriod::Day) => Ok(LimitWindow::Day),
        Ok(BudgetPeriod::Week) => Ok(LimitWindow::Week),
        Ok(BudgetPeriod::Month) => Ok(LimitWindow::Month),
        Ok(BudgetPeriod::Lifetime) => Ok(LimitWindow::Lifetime),
        Ok(BudgetPeriod::Unspecified) => Err("is required"),
        Err(_) => Err("is not known"),
    }
}

fn end(number: i32) -> Result<LimitMode, &'static str> {
    match BudgetEnd::try_from(number) {
        Ok(BudgetEnd::Unspecified | BudgetEnd::Refuse) => Ok(LimitMode::Hard),
        Ok(BudgetEnd::Warn) => Ok(LimitMode::Soft),
        Ok(BudgetEnd::Watch) => Ok(LimitMode::Shadow),
        Ok(BudgetEnd::Hold) => Ok(LimitMode::Strict),
        Err(_) => Err("is not known"),
    }
}

/// In their order, each once.
fn thresholds(given: &[i32], violations: &mut Violations) -> Option<Vec<u16>> {
    let before = violations.is_empty();
    if given.len() > THRESHOLDS_MAX {
        violations.add(
            "budget.thresholds",
            format!("must hold at most {THRESHOLDS_MAX}"),
        );
    }
    let mut read = Vec::new();
    for (place, percent) in given.iter().take(THRESHOLDS_MAX).enumerate() {
        match u16::try_from(*percent) {
            Ok(percent @ 1..=1_000) => read.push(percent),
            _ => violations.add(
                format!("budget.thresholds[{place}]"),
                "must be 1 to 1,000 percent",
            ),
        }
    }
    read.sort_unstable();
    read.dedup();
    (before == violations.is_empty()).then_some(read)
}

/// What is wrong with a limit, in the words of a budget.
fn called(violations: Violations) -> Violations {
    let mut renamed = Violations::new();
    for it in violations.into_vec() {
        let of = CALLED
            .iter()
            .find_map(|(limit, budget)| Some((it.field.strip_prefix(limit)?, *budget)));
        let field = of.map(|(rest, budget)| format!("{budget}{rest}"));
        renamed.add(field.unwrap_or(it.field), it.description);
    }
    renamed
}

// === impl Change ===

impl Change {
    /// Reads a request for an update.
    pub(crate) fn read(asked: admin::UpdateBudgetRequest) -> Result<Self, Violations> {
        let given = desk::required(asked.budget, "budget")?;
        let fields = [
            Field::changes("display_name", !given.display_name.is_empty()),
            Field::fixed("owner"),
            Field::changes("micro_dollars", given.micro_dollars != 0),
            Field::changes("period", given.period != 0),
            Field::changes("thresholds", !given.thresholds.is_empty()),
            Field::changes("at_end", given.at_end != 0),
            Field::changes("on_store_loss", given.on_store_loss != 0),
            Field::fixed("each"),
            Field::fixed("model"),
            Field::fixed("regions"),
        ];
        let mut violations = Violations::new();
        let mask = Mask::read(asked.update_mask, &fields, &mut violations);
        let name = violations.take("budget.name", BudgetName::parse(&given.name));
        let display_name = text::display_name(&given.display_name);
        let display_name = violations.take("budget.display_name", display_name);
        let period = match mask.as_ref().map(|mask| mask.pick("period", given.period)) {
            Some(Update::Set(number)) => violations
                .take("budget.period", window(number))
                .map_or(Update::Kept, Update::Set),
            Some(Update::Kept) | None => Update::Kept,
        };
        let mode = end(given.at_end).and_then(|mode| limit_terms::mode(mode.into()));
        let mode = violations.take("budget.at_end", mode);
        let loss = limit_terms::on_store_loss(given.on_store_loss);
        let loss = violations.take("budget.on_store_loss", loss);
        let thresholds = thresholds(&given.thresholds, &mut violations);
        let (Some(mask), Some(name), Some(display_name), Some(thresholds), true) =
            (mask, name, display_name, thresholds, violations.is_empty())
        else {
            return Err(violations);
        };
        Ok(Self {
            name: limit_name(name),
            etag: given.etag,
            display_name: mask.pick("display_name", display_name),
            micro_dollars: mask.pick("micro_dollars", given.micro_dollars),
            period,
            mode: mask.pick("at_end", mode.unwrap_or_default()),
            on_store_loss: mask.pick("on_store_loss", loss.unwrap_or_default()),
            thresholds: mask.pick("thresholds", thresholds),
        })
    }

    /// Makes the change, unless the numbers are then none of a budget.
    pub(crate) fn apply(self, row: &mut Row) -> Result<(), Violations> {
        let mut violations = Violations::new();
        let stands = Window::of(&row.allowance);
        let window = match self.period {
            Update::Set(window) => Some(window),
            Update::Kept => stands,
        };
        if !row.terms.regions.is_empty() && window != stands {
            let why = "cannot change where regions hold the budget together: make another";
            violations.add("budget.period", why);
        }
        let amount = i64::try_from(row.allowance.amount()).unwrap_or(i64::MAX);
        let amount = self.micro_dollars.or(amount);
        let mut numbers = Violations::new();
        let allowance = limit::numbers(amount, window.unwrap_or(Window::None), 0, &mut numbers);
        if let Some(allowance) = &allowance {
            limit_terms::divisible(allowance, &row.terms, &mut numbers);
        }
        violations.append(called(numbers));
        let (Some(allowance), true) = (allowance, violations.is_empty()) else {
            return Err(violations);
        };
        row.allowance = allowance;
        row.terms.mode = self.mode.or(row.terms.mode);
        row.terms.on_store_loss = self.on_store_loss.or(row.terms.on_store_loss);
        row.thresholds = self.thresholds.or(mem::take(&mut row.thresholds));
        row.display_name = self.display_name.or(mem::take(&mut row.display_name));
        Ok(())
    }
}

fn window(number: i32) -> Result<Window, &'static str> {
    Ok(Window::Each(match period(number)? {
        LimitWindow::Day => Period::Day,
        LimitWindow::Week => Period::Week,
        LimitWindow::Month => Period::Month,
        _ => Period::Lifetime,
    }))
}
