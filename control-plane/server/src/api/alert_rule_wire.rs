//! Rules of alerts between the wire and the store, and what has fired as it is shown.

use domain::{
    alert::{self, KeyAge, Spike, THRESHOLDS_MAX, Watch},
    name::{AlertChannelName, AlertRuleName, BudgetName, ModelName, OrganizationName},
    segment::Slug,
    text,
    violation::Violations,
};
use proto::admin::{self, AlertState};
use store::{
    alert::Row as Fired,
    alert_rule::{New, Row, Terms},
    id,
};
use uuid::Uuid;

use crate::api::{desk, moment, span};

/// The most channels of a rule.
const CHANNELS_MAX: usize = 10; // Full: more are refused.

const ELSEWHERE: &str = "must be of the same organization";

/// Reads a request for a new rule.
pub(crate) fn new(asked: admin::CreateAlertRuleRequest) -> Result<New, Violations> {
    let given = desk::required(asked.alert_rule, "alert_rule")?;
    let mut violations = Violations::new();
    let parent = violations.take("parent", OrganizationName::parse(&asked.parent));
    let slug = violations.take("alert_rule_id", Slug::parse(&asked.alert_rule_id));
    let display_name = violations.take(
        "alert_rule.display_name",
        text::display_name(&given.display_name),
    );
    let Some(parent) = parent else {
        return Err(violations);
    };
    let channels = channels(&parent, &given.channels, &mut violations);
    let remind = given.remind_after.map(|it| {
        let ms = span::millis(it).map_err(|why| why.to_string())?;
        alert::remind_after(ms).map_err(|why| why.to_string())
    });
    let remind = violations.take("alert_rule.remind_after", remind.transpose());
    let watch = watch(&parent, given, &mut violations);
    let (Some(alert_rule), Some(display_name), Some(watch), Some(remind_after_ms), true) =
        (slug, display_name, watch, remind, violations.is_empty())
    else {
        return Err(violations);
    };
    Ok(New {
        id: id::draw(),
        name: AlertRuleName {
            organization: parent.organization,
            alert_rule,
        },
        terms: Terms {
            display_name,
            watch,
            channels,
            remind_after_ms,
        },
    })
}

fn channels(
    parent: &OrganizationName,
    given: &[String],
    violations: &mut Violations,
) -> Vec<AlertChannelName> {
    const FIELD: &str = "alert_rule.channels";
    if given.is_empty() || given.len() > CHANNELS_MAX {
        violations.add(FIELD, format!("must hold 1 to {CHANNELS_MAX}"));
    }
    let mut read = Vec::new();
    for (at, it) in given.iter().take(CHANNELS_MAX).enumerate() {
        let field = format!("{FIELD}[{at}]");
        match violations.take(&field, AlertChannelName::parse(it)) {
            Some(name) if name.parent() != *parent => violations.add(field, ELSEWHERE),
            Some(name) if read.contains(&name) => violations.add(field, "stands there twice"),
            Some(name) => read.push(name),
            None => {}
        }
    }
    read
}

fn watch(
    parent: &OrganizationName,
    given: admin::AlertRule,
    violations: &mut Violations,
) -> Option<Watch> {
    match (
        given.budget_threshold,
        given.error_spike,
        given.key_age,
        given.edge_stale,
    ) {
        (Some(it), None, None, None) => budget(parent, &it, violations),
        (None, Some(it), None, None) => errors(parent, &it, violations),
        (None, None, Some(it), None) => keys(&it, violations),
        (None, None, None, Some(it)) => edges(it, violations),
        _ => {
            let why =
                "must set exactly one of budget_threshold, error_spike, key_age and edge_stale";
            violations.add("alert_rule", why);
            None
        }
    }
}

fn budget(
    parent: &OrganizationName,
    given: &admin::AlertBudgetThreshold,
    violations: &mut Violations,
) -> Option<Watch> {
    const FIELD: &str = "alert_rule.budget_threshold";
    let mut budget = None;
    if !given.budget.is_empty() {
        let field = format!("{FIELD}.budget");
        let name = violations.take(&field, BudgetName::parse(&given.budget))?;
        if name.organization != parent.organization {
            violations.add(field, ELSEWHERE);
        }
        budget = Some(name);
    }
    if given.thresholds.len() > THRESHOLDS_MAX {
        let why = format!("must hold at most {THRESHOLDS_MAX}");
        violations.add(format!("{FIELD}.thresholds"), why);
    }
    let mut thresholds = Vec::new();
    for (at, it) in given.thresholds.iter().take(THRESHOLDS_MAX).enumerate() {
        if let Ok(percent @ 1..=1_000) = u16::try_from(*it) {
            thresholds.push(percent);
        } else {
            let field = format!("{FIELD}.thresholds[{at}]");
            violations.add(field, "must be 1 to 1,000 percent");
        }
    }
    thresholds.sort_unstable();
    thresholds.dedup();
    Some(Watch::Budget { budget, thresholds })
}

fn errors(
    parent: &OrganizationName,
    given: &admin::AlertErrorSpike,
    violations: &mut Violations,
) -> Option<Watch> {
    const FIELD: &str = "alert_rule.error_spike";
    let mut model = None;
    if !given.model.is_empty() {
        let field = format!("{FIELD}.model");
        let name = violations.take(&field, ModelName::parse(&given.model))?;
        if name.parent() != *parent {
            violations.add(field, ELSEWHERE);
        }
        model = Some(name);
    }
    let window = given.window.map(span::millis).transpose();
    let window_ms = violations.take(&format!("{FIELD}.window"), window)?;
    // What is negative is out of every bound.
    let spike = Spike {
        window_ms: window_ms.unwrap_or(0),
        requests_min: u64::try_from(given.min_requests).unwrap_or(u64::MAX),
        error_percent: u32::try_from(given.error_percent).unwrap_or(u32::MAX),
        times_percent: u32::try_from(given.times_before_percent).unwrap_or(u32::MAX),
    };
    match spike.check() {
        Ok(spike) => Some(Watch::Errors { model, spike }),
        Err((field, why)) => {
            violations.add(format!("{FIELD}.{field}"), why.to_string());
            None
        }
    }
}

fn keys(given: &admin::AlertKeyAge, violations: &mut Violations) -> Option<Watch> {
    const FIELD: &str = "alert_rule.key_age";
    let age = given.age.map(span::millis).transpose();
    let unused = given.unused.map(span::millis).transpose();
    let age = KeyAge {
        age_ms: violations.take(&format!("{FIELD}.age"), age)?,
        unused_ms: violations.take(&format!("{FIELD}.unused"), unused)?,
        rotation_due: given.rotation_due,
    };
    match age.check() {
        Ok(age) => Some(Watch::Key(age)),
        Err((field, why)) => {
            violations.add(format!("{FIELD}.{field}"), why.to_string());
            None
        }
    }
}

fn edges(given: admin::AlertEdgeStale, violations: &mut Violations) -> Option<Watch> {
    const FIELD: &str = "alert_rule.edge_stale.silent";
    let silent = given.silent.map(span::millis).transpose();
    let silent_ms = violations.take(FIELD, silent)?.unwrap_or(0);
    violations
        .take(FIELD, alert::silence(silent_ms))
        .map(Watch::Edge)
}

/// The rule as it is shown.
pub(crate) fn wire(row: Row) -> admin::AlertRule {
    let etag = row.etag();
    let shown = admin::AlertRule {
        name: row.name.to_string(),
        uid: Uuid::from_bytes(row.id).simple().to_string(),
        display_name: row.terms.display_name,
        etag,
        create_time: Some(moment::to_wire(row.created_at)),
        channels: row.terms.channels.iter().map(ToString::to_string).collect(),
        remind_after: row.terms.remind_after_ms.map(span::to_wire),
        ..Default::default()
    };
    match row.terms.watch {
        Watch::Budget { budget, thresholds } => admin::AlertRule {
            budget_threshold: Some(admin::AlertBudgetThreshold {
                budget: budget.map_or_else(String::new, |it| it.to_string()),
                thresholds: thresholds.into_iter().map(i32::from).collect(),
            }),
            ..shown
        },
        Watch::Errors { model, spike } => admin::AlertRule {
            error_spike: Some(admin::AlertErrorSpike {
                model: model.map_or_else(String::new, |it| it.to_string()),
                window: Some(span::to_wire(spike.window_ms)),
                min_requests: i64::try_from(spike.requests_min).unwrap_or(i64::MAX),
                error_percent: i32::try_from(spike.error_percent).unwrap_or(i32::MAX),
                times_before_percent: i32::try_from(spike.times_percent).unwrap_or(i32::MAX),
            }),
            ..shown
        },
        Watch::Key(age) => admin::AlertRule {
            key_age: Some(admin::AlertKeyAge {
                age: age.age_ms.map(span::to_wire),
                unused: age.unused_ms.map(span::to_wire),
                rotation_due: age.rotation_due,
            }),
            ..shown
        },
        Watch::Edge(silent_ms) => admin::AlertRule {
            edge_stale: Some(admin::AlertEdgeStale {
                silent: Some(span::to_wire(silent_ms)),
            }),
            ..shown
        },
    }
}

/// An alert of an organization as it is shown.
pub(crate) fn fired(parent: &OrganizationName, row: Fired) -> admin::Alert {
    let count = |it: i64| i32::try_from(it).unwrap_or(i32::MAX);
    let state = match row.resolved_at {
        None => AlertState::Firing,
        Some(_) => AlertState::Resolved,
    };
    admin::Alert {
        name: format!("{parent}/alerts/{}", row.text()),
        rule: format!("{parent}/alertRules/{}", row.rule),
        subject: row.subject,
        summary: row.summary,
        state: state.into(),
        fire_time: Some(moment::to_wire(row.fired_at)),
        resolve_time: row.resolved_at.map(moment::to_wire),
        delivered: count(row.delivered),
        waiting: count(row.waiting),
        given_up: count(row.given_up),
        last_delivery_time: row.delivered_at.map(moment::to_wire),
        last_error: row.error,
    }
}
