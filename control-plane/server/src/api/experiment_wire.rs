//! Experiments between the wire and the store.

use domain::{
    allocation::{self, Allocation},
    experiment::{self, METRICS, Plan},
    finding,
    name::{ExperimentName, ModelName, VersionName},
    segment::Slug,
    text,
    violation::Violations,
};
use policy::{id::RolloutId, revision::Revision, split::Sticky};
use proto::admin;
use store::{
    experiment::{New, Row, Weighed},
    id,
};

use crate::api::{desk, moment, rollout_wire, span};

/// Which experiment, in which state, and why it ends.
pub(crate) struct Which {
    /// Its name.
    pub(crate) name: ExperimentName,
    /// The state that its caller has seen; empty means any.
    pub(crate) etag: String,
    /// Why.
    pub(crate) reason: String,
    /// The version that is to become the stable one, where one is chosen.
    pub(crate) chosen: Option<VersionName>,
}

/// What is asked to be started.
pub(crate) fn new(asked: admin::StartExperimentRequest) -> Result<New, Violations> {
    let given = desk::required(asked.experiment, "experiment")?;
    let mut violations = Violations::new();
    let parent = violations.take("parent", ModelName::parse(&asked.parent));
    let slug = match asked.experiment_id.as_str() {
        "" => None,
        text => violations.take("experiment_id", Slug::parse(text)),
    };
    let mut others: Vec<VersionName> = Vec::with_capacity(given.arms.len());
    for (at, arm) in given.arms.iter().enumerate() {
        let field = format!("experiment.arms[{at}].version");
        let Some(version) = violations.take(&field, VersionName::parse(&arm.version)) else {
            continue;
        };
        let foreign = parent.as_ref().is_some_and(|it| version.parent() != *it);
        if foreign || others.contains(&version) {
            violations.add(
                field,
                "must be a version of this model, and of no other arm",
            );
        }
        others.push(version);
    }
    let sticky = rollout_wire::sticky(given.stickiness);
    if sticky.is_none() {
        violations.add("experiment.stickiness", "is not known");
    }
    let shares: Vec<i32> = given.arms.iter().map(|it| it.basis_points).collect();
    let guards = given.guards.iter();
    let guards: Vec<_> = guards
        .map(|it| (it.metric, it.tolerance_basis_points))
        .collect();
    let plan = experiment::check(&shares, &guards, sticky.unwrap_or(Sticky::EndUser));
    let mut plan = plan.map_err(|others| violations.append(others)).ok();
    if let (Some(asked), Some(plan)) = (given.allocation, &mut plan) {
        let follows = allocation(asked, plan);
        plan.allocation = follows.map_err(|others| violations.append(others)).ok();
    }
    match (parent, plan, violations.is_empty()) {
        (Some(parent), Some(plan), true) => Ok(New {
            id: RolloutId::from_bytes(id::draw()),
            parent,
            slug,
            others,
            plan,
        }),
        _ => Err(violations),
    }
}

/// How the shares of a plan are to follow what is known.
fn allocation(asked: admin::ExperimentAllocation, plan: &Plan) -> Result<Allocation, Violations> {
    let mut violations = Violations::new();
    if asked.method() != admin::ExperimentAllocationMethod::Thompson {
        violations.add("experiment.allocation.method", "is not known");
    }
    let field = "experiment.allocation.period";
    let period_ms = asked.period.map_or(Ok(0), span::millis);
    let asked = allocation::Asked {
        goal: asked.goal,
        floor: asked.floor_basis_points,
        step: asked.step_basis_points,
        period_ms: violations.take(field, period_ms).unwrap_or(0),
    };
    let shares: Vec<u16> = plan.all_shares().collect();
    let read = allocation::check(asked, &shares, &METRICS);
    let read = read.map_err(|others| violations.append(others)).ok();
    violations.done()?;
    read.ok_or_else(Violations::new)
}

/// Which one is to end; `chosen` is the version of an arm, where one is chosen.
pub(crate) fn which(
    (name, etag, reason): (&str, String, &str),
    chosen: Option<&str>,
) -> Result<Which, Violations> {
    let mut violations = Violations::new();
    let name = violations.take("name", ExperimentName::parse(name));
    let reason = violations.take("reason", text::display_name(reason));
    let chosen = chosen.map(|it| violations.take("version", VersionName::parse(it)));
    match (name, reason, violations.is_empty()) {
        (Some(name), Some(reason), true) => Ok(Which {
            name,
            etag,
            reason,
            chosen: chosen.flatten(),
        }),
        _ => Err(violations),
    }
}

/// The experiment as the wire has it.
pub(crate) fn wire(row: &Row, written: Revision) -> admin::Experiment {
    let names: Vec<String> = row
        .arms
        .iter()
        .map(|it| it.version.version.to_string())
        .collect();
    let chances = row.tally.chances(&row.plan).unwrap_or_default();
    admin::Experiment {
        name: row.name.to_string(),
        uid: row.id.to_string(),
        arms: (0..row.arms.len())
            .filter_map(|at| arm(row, at, &chances))
            .collect(),
        stickiness: i32::from(row.plan.sticky as u8),
        guards: row
            .plan
            .guards
            .iter()
            .map(|it| admin::ExperimentGuard {
                metric: it.metric as i32,
                tolerance_basis_points: it.tolerance.into(),
            })
            .collect(),
        state: i32::from(row.state as u8),
        reason: row.reason.clone(),
        findings: finding::findings(&row.plan, &row.tally, &names),
        share_mismatch: row.tally.proportions.is_mismatch(),
        etag: row.etag(),
        create_time: Some(moment::to_wire(row.created_at)),
        update_time: Some(moment::to_wire(row.updated_at)),
        end_time: row.ended_at.map(moment::to_wire),
        revision: desk::latest(row.revision, written),
        allocation: row.plan.allocation.map(follows),
        weights: row.weighed.iter().map(weights).collect(),
    }
}

fn follows(it: Allocation) -> admin::ExperimentAllocation {
    admin::ExperimentAllocation {
        method: admin::ExperimentAllocationMethod::Thompson.into(),
        goal: it.goal as i32,
        floor_basis_points: it.floor.into(),
        step_basis_points: it.step.into(),
        period: Some(span::to_wire(u64::from(it.period_s) * 1_000)),
    }
}

fn weights(it: &Weighed) -> admin::ExperimentWeights {
    admin::ExperimentWeights {
        start_time: Some(moment::to_wire(it.at)),
        basis_points: it.shares.clone(),
        chances: it.chances.clone(),
        reason: it.reason.clone(),
        revision: i64::try_from(it.revision.0).unwrap_or(i64::MAX),
    }
}

fn arm(row: &Row, at: usize, chances: &[f64]) -> Option<admin::ExperimentArm> {
    let arm = row.arms.get(at)?;
    let clients = row.tally.proportions.counts.get(at)?;
    Some(admin::ExperimentArm {
        version: arm.version.to_string(),
        basis_points: arm.share.into(),
        requests: rollout_wire::whole(*row.tally.requests.get(at)?),
        clients: rollout_wire::whole(*clients),
        measures: (0..METRICS.len())
            .filter_map(|metric| measure(row, at, metric))
            .collect(),
        chance: chances.get(at).copied(),
        out_reason: arm.out_reason.clone(),
    })
}

fn measure(row: &Row, arm: usize, at: usize) -> Option<admin::ExperimentMeasure> {
    let (metric, known) = (METRICS.get(at)?, row.tally.known.get(arm)?.get(at)?);
    let bounds = finding::of_arm(&row.tally, arm, at);
    let differs = finding::between(&row.tally, arm, at);
    Some(admin::ExperimentMeasure {
        metric: *metric as i32,
        samples: rollout_wire::whole(known.values.count),
        mean: metric.told(known.values.mean()),
        low: bounds.map(|it| it.low),
        high: bounds.map(|it| it.high),
        difference: differs.map(|it| it.about),
        difference_low: differs.map(|it| it.low),
        difference_high: differs.map(|it| it.high),
    })
}
