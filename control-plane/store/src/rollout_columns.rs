//! Between the columns of a rollout and what they stand for.

use domain::{
    gate::{Evidence, Gate, Metric, NUMBERS},
    name::{ModelName, RolloutName, VersionName},
    rollout::{Plan, State, Step},
    segment::Slug,
};
use policy::{id::RolloutId, split::Sticky};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{column, error::StoreError};

/// A row as the database has it.
pub(crate) struct Columns {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) candidate: Uuid,
    pub(crate) stable: Uuid,
    pub(crate) candidate_name: String,
    pub(crate) stable_name: String,
    pub(crate) stickiness: i16,
    pub(crate) shares: Vec<i32>,
    pub(crate) bakes_ms: Vec<i64>,
    pub(crate) samples: Vec<i64>,
    pub(crate) approvals: Vec<bool>,
    pub(crate) metrics: Vec<i32>,
    pub(crate) tolerances: Vec<i32>,
    pub(crate) margins: Vec<i32>,
    pub(crate) state: i16,
    pub(crate) step: i32,
    pub(crate) step_started_at: OffsetDateTime,
    pub(crate) step_revision: i64,
    pub(crate) approved: bool,
    pub(crate) reason: String,
    pub(crate) forced_reason: String,
    pub(crate) candidate_requests: i64,
    pub(crate) stable_requests: i64,
    pub(crate) evidence: Vec<f64>,
    pub(crate) version: i64,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) updated_at: OffsetDateTime,
    pub(crate) ended_at: Option<OffsetDateTime>,
    pub(crate) revision: i64,
    pub(crate) now: OffsetDateTime,
}

/// The plan, column by column.
pub(crate) struct PlanColumns {
    pub(crate) stickiness: i16,
    pub(crate) shares: Vec<i32>,
    pub(crate) bakes_ms: Vec<i64>,
    pub(crate) samples: Vec<i64>,
    pub(crate) approvals: Vec<bool>,
    pub(crate) metrics: Vec<i32>,
    pub(crate) tolerances: Vec<i32>,
    pub(crate) margins: Vec<i32>,
}

/// The name of a rollout of this model.
pub(crate) fn rollout_name(parent: &ModelName, rollout: Slug) -> RolloutName {
    let ModelName {
        organization,
        model,
    } = parent.clone();
    RolloutName {
        organization,
        model,
        rollout,
    }
}

/// What is known of each gate, as numbers.
pub(crate) fn numbers(evidence: &[Evidence]) -> Vec<f64> {
    evidence.iter().flat_map(Evidence::numbers).collect()
}

// === impl PlanColumns ===

impl PlanColumns {
    pub(crate) fn of(plan: &Plan) -> Self {
        let (steps, gates) = (plan.steps.iter(), plan.gates.iter());
        Self {
            stickiness: plan.sticky as i16,
            shares: steps.clone().map(|it| it.basis_points.into()).collect(),
            bakes_ms: steps.clone().map(|it| column::number(it.bake_ms)).collect(),
            samples: steps
                .clone()
                .map(|it| column::number(it.sample_min))
                .collect(),
            approvals: steps.map(|it| it.needs_approval).collect(),
            metrics: gates.clone().map(|it| it.metric as i32).collect(),
            tolerances: gates.clone().map(|it| it.tolerance.into()).collect(),
            margins: gates.map(|it| it.margin.into()).collect(),
        }
    }

    /// The plan that stands there.
    pub(crate) fn plan(&self) -> Result<Plan, StoreError> {
        let sticky = u8::try_from(self.stickiness).ok();
        let sticky = sticky.and_then(Sticky::from_number);
        let share = |share: &i32| column::read(u16::try_from(*share), "rollout.shares");
        let rest = self.bakes_ms.iter().zip(&self.samples).zip(&self.approvals);
        let steps = self.shares.iter().zip(rest);
        let steps = steps.map(|(basis_points, ((bake_ms, sample_min), needs_approval))| {
            Ok(Step {
                basis_points: share(basis_points)?,
                bake_ms: column::count(*bake_ms),
                sample_min: column::count(*sample_min),
                needs_approval: *needs_approval,
            })
        });
        let part = |part: &i32| column::read(u16::try_from(*part), "rollout.margins");
        let gates = self.metrics.iter().zip(&self.tolerances).zip(&self.margins);
        let gates = gates.map(|((metric, tolerance), margin)| {
            Ok(Gate {
                metric: column::known(Metric::from_number(*metric), "rollout.metrics")?,
                tolerance: part(tolerance)?,
                margin: part(margin)?,
            })
        });
        Ok(Plan {
            steps: steps.collect::<Result<_, StoreError>>()?,
            gates: gates.collect::<Result<_, StoreError>>()?,
            sticky: column::known(sticky, "rollout.stickiness")?,
        })
    }
}

// === impl Columns ===

impl Columns {
    pub(crate) fn id(&self) -> RolloutId {
        RolloutId::from_bytes(self.id.into_bytes())
    }

    pub(crate) fn name(&self, parent: &ModelName) -> Result<RolloutName, StoreError> {
        let slug = column::read(Slug::parse(&self.name), "rollout.name")?;
        Ok(rollout_name(parent, slug))
    }

    pub(crate) fn version_named(parent: &ModelName, name: &str) -> Result<VersionName, StoreError> {
        let ModelName {
            organization,
            model,
        } = parent.clone();
        Ok(VersionName {
            organization,
            model,
            version: column::read(Slug::parse(name), "rollout.candidate_name")?,
        })
    }

    pub(crate) fn state(&self) -> Result<State, StoreError> {
        let state = u8::try_from(self.state).ok().and_then(State::from_number);
        column::known(state, "rollout.state")
    }

    pub(crate) fn plan(&self) -> Result<Plan, StoreError> {
        PlanColumns::plan(&PlanColumns {
            stickiness: self.stickiness,
            shares: self.shares.clone(),
            bakes_ms: self.bakes_ms.clone(),
            samples: self.samples.clone(),
            approvals: self.approvals.clone(),
            metrics: self.metrics.clone(),
            tolerances: self.tolerances.clone(),
            margins: self.margins.clone(),
        })
    }

    /// What is known of each gate of the plan; nothing yet where nothing is kept.
    pub(crate) fn evidence(&self, plan: &Plan) -> Vec<Evidence> {
        let kept = self.evidence.chunks(NUMBERS);
        let mut kept = kept.map(|it| Evidence::from_numbers(it).unwrap_or_default());
        let gates = plan.gates.iter();
        gates.map(|_| kept.next().unwrap_or_default()).collect()
    }
}
