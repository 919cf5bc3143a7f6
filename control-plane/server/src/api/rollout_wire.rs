//! Rollouts between the wire and the store.

use domain::{
    gate::{Evidence, Gate},
    name::{ModelName, VersionName},
    rollout::{self, Next, Plan, State},
    segment::Slug,
    text,
    violation::Violations,
};
use policy::{id::RolloutId, revision::Revision, split::Sticky};
use proto::admin;
use store::{
    id,
    rollout::{New, Row},
};

use crate::api::{desk, moment, span};

/// What is asked to be started.
pub(crate) fn new(asked: admin::StartRolloutRequest) -> Result<New, Violations> {
    let given = desk::required(asked.rollout, "rollout")?;
    let mut violations = Violations::new();
    let parent = violations.take("parent", ModelName::parse(&asked.parent));
    let slug = match asked.rollout_id.as_str() {
        "" => None,
        text => violations.take("rollout_id", Slug::parse(text)),
    };
    let candidate = VersionName::parse(&given.candidate_version);
    let candidate = violations.take("rollout.candidate_version", candidate);
    let foreign = |it: &VersionName| parent.as_ref().is_some_and(|parent| it.parent() != *parent);
    if candidate.as_ref().is_some_and(foreign) {
        let why = "must be a version of this model";
        violations.add("rollout.candidate_version", why);
    }
    let plan = plan((&given.steps, &given.gates), given.stickiness);
    let plan = plan.map_err(|others| violations.append(others)).ok();
    match (parent, candidate, plan, violations.is_empty()) {
        (Some(parent), Some(candidate), Some(plan), true) => Ok(New {
            id: RolloutId::from_bytes(id::draw()),
            parent,
            slug,
            candidate,
            plan,
            forced_reason: String::new(),
        }),
        _ => Err(violations),
    }
}

/// What is to happen in a rollout of these steps and gates.
pub(crate) fn plan(
    (steps, gates): (&[admin::RolloutStep], &[admin::RolloutGate]),
    stickiness: i32,
) -> Result<Plan, Violations> {
    let mut violations = Violations::new();
    let sticky = sticky(stickiness);
    if sticky.is_none() {
        violations.add("rollout.stickiness", "is not known");
    }
    let steps = steps.iter().map(|step| {
        let bake_ms = step.bake_time.map_or(Some(0), |it| span::millis(it).ok());
        (
            step.basis_points,
            bake_ms,
            step.sample_min,
            step.needs_approval,
        )
    });
    let gates = gates.iter().map(|gate| {
        (
            gate.metric,
            gate.tolerance_basis_points,
            gate.margin_basis_points,
        )
    });
    let (steps, gates): (Vec<_>, Vec<_>) = (steps.collect(), gates.collect());
    let plan = rollout::check(&steps, &gates, sticky.unwrap_or(Sticky::EndUser));
    let plan = plan.map_err(|others| violations.append(others)).ok();
    match (plan, violations.is_empty()) {
        (Some(plan), true) => Ok(plan),
        _ => Err(violations),
    }
}

/// What is asked to be started in spite of freezes.
pub(crate) fn forced(asked: admin::ForceStartRolloutRequest) -> Result<New, Violations> {
    let mut violations = Violations::new();
    let reason = why_forced(&asked.reason, &mut violations);
    let usual = admin::StartRolloutRequest {
        parent: asked.parent,
        rollout_id: asked.rollout_id,
        rollout: asked.rollout,
        ..Default::default()
    };
    let new = new(usual).map_err(|others| violations.append(others)).ok();
    match (new, reason) {
        (Some(new), Some(forced_reason)) => Ok(New {
            forced_reason,
            ..new
        }),
        _ => Err(violations),
    }
}

/// Why a rollout is to heed no freeze.
pub(crate) fn why_forced(text: &str, violations: &mut Violations) -> Option<String> {
    if text.trim().is_empty() {
        violations.add("reason", "is required: say why it heeds no freeze");
        return None;
    }
    violations.take("reason", text::display_name(text))
}

/// What keeps a client; none means: the end user.
pub(crate) fn sticky(number: i32) -> Option<Sticky> {
    match number {
        0 => Some(Sticky::EndUser),
        number => u8::try_from(number).ok().and_then(Sticky::from_number),
    }
}

/// The rollout as the wire has it.
pub(crate) fn wire(row: &Row, written: Revision) -> admin::Rollout {
    let gates = row.plan.gates.iter().copied();
    let harm_limit = row.plan.harm_limit();
    let evidence = gates.clone().zip(&row.evidence);
    let heeded = row.heeded();
    admin::Rollout {
        name: row.name.to_string(),
        uid: row.id.to_string(),
        candidate_version: row.candidate.to_string(),
        stable_version: row.stable.to_string(),
        steps: row.plan.steps.iter().map(step).collect(),
        gates: gates.map(gate).collect(),
        stickiness: i32::from(row.plan.sticky as u8),
        state: i32::from(row.state as u8),
        step: signed(row.step as u64 + 1).try_into().unwrap_or(i32::MAX),
        step_start_time: Some(moment::to_wire(row.step_started_at)),
        waits_for: waits_for(row),
        reason: row.reason.clone(),
        candidate_requests: signed(row.candidate_requests),
        stable_requests: signed(row.stable_requests),
        evidence: evidence
            .map(|(gate, it)| known(gate, it, harm_limit))
            .collect(),
        etag: row.etag(),
        create_time: Some(moment::to_wire(row.created_at)),
        update_time: Some(moment::to_wire(row.updated_at)),
        end_time: row.ended_at.map(moment::to_wire),
        revision: desk::latest(row.revision, written),
        frozen_until: heeded
            .and_then(|it| moment::from_millis(it.until_ms).ok())
            .map(moment::to_wire),
        freeze_reason: heeded.map_or_else(String::new, |it| it.reason.clone()),
        forced_reason: row.forced_reason.clone(),
    }
}

fn waits_for(row: &Row) -> String {
    if row.state.is_over() {
        return String::new();
    }
    match row.standing().next() {
        Next::Stay(waits) => waits,
        Next::Step(_) | Next::Promote | Next::RollBack(_) => "to be looked at".to_owned(),
    }
}

/// A step as the wire has it.
pub(crate) fn step(step: &rollout::Step) -> admin::RolloutStep {
    admin::RolloutStep {
        basis_points: step.basis_points.into(),
        bake_time: Some(span::to_wire(step.bake_ms)),
        sample_min: signed(step.sample_min),
        needs_approval: step.needs_approval,
    }
}

/// A gate as the wire has it.
pub(crate) fn gate(gate: Gate) -> admin::RolloutGate {
    admin::RolloutGate {
        metric: gate.metric as i32,
        tolerance_basis_points: gate.tolerance.into(),
        margin_basis_points: gate.margin.into(),
    }
}

fn known(gate: Gate, evidence: &Evidence, harm_limit: f64) -> admin::RolloutEvidence {
    admin::RolloutEvidence {
        metric: gate.metric as i32,
        candidate_mean: gate.metric.told(evidence.candidate.mean()),
        stable_mean: gate.metric.told(evidence.stable.mean()),
        candidate_samples: whole(evidence.candidate.count),
        stable_samples: whole(evidence.stable.count),
        harm: evidence.harm(),
        harm_limit,
        is_cleared: evidence.is_cleared(),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a count of requests that was made by counting"
)]
pub(crate) const fn whole(count: f64) -> i64 {
    count as i64
}

/// The word for a state, in metrics and logs.
pub(crate) const fn word(state: State) -> &'static str {
    match state {
        State::Running => "running",
        State::Paused => "paused",
        State::Promoted => "promoted",
        State::RolledBack => "rolled_back",
        State::Aborted => "aborted",
    }
}
