//! Rollouts: what an operator may ask of one, and what becomes of it next.
//!
//! Pure: what has come, how long a step has lasted and what is known of the gates goes in, and whether to stay, go on,
//! finish or take it back comes out, with the reason in words.

use policy::split::{Sticky, WHOLE};

use crate::{
    freeze::Frozen,
    gate::{Evidence, FALSE_ALARM, Gate, Metric},
    violation::Violations,
};

/// The most steps.
pub const STEPS_MAX: usize = 16;

/// The longest that a step may last at least, milliseconds: 90 days.
pub const BAKE_MS_MAX: u64 = 90 * 24 * 3_600_000;

/// The most requests that a step may need.
pub const SAMPLE_MAX: u64 = 1_000_000;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The candidate's share, hundredths of a percent.
    pub basis_points: u16,
    /// How long it lasts at least, milliseconds.
    pub bake_ms: u64,
    /// How many requests the candidate must have answered in it at least.
    pub sample_min: u64,
    /// Whether it is left only when somebody has approved.
    pub needs_approval: bool,
}

/// What is to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The steps, each with a larger share than the one before; never empty.
    pub steps: Vec<Step>,
    /// The gates, each of another metric.
    pub gates: Vec<Gate>,
    /// What keeps a client with its version.
    pub sticky: Sticky,
}

/// A step as an operator writes it: basis points, milliseconds (`None` where they make no sense), requests, approval.
pub type Asked = (i32, Option<u64>, i64, bool);

/// Where a rollout stands. The numbers are those of the wire and of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// It goes on by itself.
    Running = 1,
    /// It stays at its step.
    Paused = 2,
    /// The candidate is the stable version.
    Promoted = 3,
    /// A gate took it back.
    RolledBack = 4,
    /// An operator took it back.
    Aborted = 5,
}

/// What is known of a rollout that is under way.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// What is to happen.
    pub plan: &'a Plan,
    /// Whether it is paused.
    pub is_paused: bool,
    /// The step at which it stands, counted from 0.
    pub step: usize,
    /// For how long, milliseconds.
    pub step_age_ms: u64,
    /// Whether somebody has approved of leaving it.
    pub is_approved: bool,
    /// The freeze that is on and that it heeds, if any.
    pub frozen: Option<&'a Frozen>,
    /// How many requests the candidate has answered in it.
    pub candidate_requests: u64,
    /// What is known of each gate, in the order of the plan.
    pub evidence: &'a [Evidence],
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It stays where it is, and waits for this.
    Stay(String),
    /// It goes to this step, counted from 0.
    Step(usize),
    /// The candidate becomes the stable version.
    Promote,
    /// It is taken back, for this reason.
    RollBack(String),
}

/// Checks what is to happen. `gates` are numbers of metrics with a tolerance and a margin, which is zero where the usual one
/// is wanted.
pub fn check(
    steps: &[Asked],
    gates: &[(i32, i32, i32)],
    sticky: Sticky,
) -> Result<Plan, Violations> {
    let mut violations = Violations::new();
    let steps = check_steps(steps, &mut violations);
    let gates = check_gates(gates, &mut violations);
    violations.done()?;
    Ok(Plan {
        steps,
        gates,
        sticky,
    })
}

fn check_steps(asked: &[Asked], violations: &mut Violations) -> Vec<Step> {
    if !(1..=STEPS_MAX).contains(&asked.len()) {
        violations.add("rollout.steps", format!("must hold 1 to {STEPS_MAX}"));
        return Vec::new();
    }
    let mut steps: Vec<Step> = Vec::with_capacity(asked.len());
    for (at, (basis_points, bake_ms, sample_min, needs_approval)) in asked.iter().enumerate() {
        let before = steps.last().map_or(0, |step| step.basis_points);
        let share = u16::try_from(*basis_points).ok();
        let share = share.filter(|it| (1..=WHOLE).contains(it));
        if share.is_none_or(|it| it <= before) {
            let why = format!("must be 1 to {WHOLE}, and more than in the step before");
            violations.add(format!("rollout.steps[{at}].basis_points"), why);
        }
        let bake_ms = bake_ms.filter(|it| *it <= BAKE_MS_MAX);
        if bake_ms.is_none() {
            let field = format!("rollout.steps[{at}].bake_time");
            violations.add(field, "must be zero to 90 days");
        }
        let sample_min = u64::try_from(*sample_min).ok();
        let sample_min = sample_min.filter(|it| *it <= SAMPLE_MAX);
        if sample_min.is_none() {
            let field = format!("rollout.steps[{at}].sample_min");
            violations.add(field, format!("must be 0 to {SAMPLE_MAX}"));
        }
        steps.push(Step {
            basis_points: share.unwrap_or(before),
            bake_ms: bake_ms.unwrap_or(0),
            sample_min: sample_min.unwrap_or(0),
            needs_approval: *needs_approval,
        });
    }
    steps
}

fn check_gates(asked: &[(i32, i32, i32)], violations: &mut Violations) -> Vec<Gate> {
    if asked.len() > Metric::ALL.len() {
        let most = Metric::ALL.len();
        violations.add("rollout.gates", format!("must hold at most {most}"));
        return Vec::new();
    }
    let mut gates: Vec<Gate> = Vec::with_capacity(asked.len());
    for (at, (metric, tolerance, margin)) in asked.iter().enumerate() {
        let metric = Metric::from_number(*metric);
        let is_new = metric.is_some_and(|it| gates.iter().all(|gate| gate.metric != it));
        if !is_new {
            let field = format!("rollout.gates[{at}].metric");
            violations.add(field, "must be given, known, and of no other gate");
        }
        let tolerance = u16::try_from(*tolerance).ok().filter(|it| *it < WHOLE);
        if tolerance.is_none() {
            let field = format!("rollout.gates[{at}].tolerance_basis_points");
            violations.add(field, format!("must be 0 to {}", WHOLE - 1));
        }
        let usual = tolerance.zip(metric).map_or(WHOLE, |(tolerance, metric)| {
            tolerance.saturating_add(metric.margin()).min(WHOLE)
        });
        let margin = match *margin {
            0 => Some(usual),
            given => u16::try_from(given).ok(),
        };
        let margin = margin.filter(|it| *it <= WHOLE && Some(*it) > tolerance);
        if margin.is_none() && tolerance.is_some() {
            let field = format!("rollout.gates[{at}].margin_basis_points");
            let why = format!("must be more than the tolerance, and at most {WHOLE}");
            violations.add(field, why);
        }
        if let (Some(metric), Some(tolerance), Some(margin)) = (metric, tolerance, margin) {
            gates.push(Gate {
                metric,
                tolerance,
                margin,
            });
        }
    }
    gates
}

// === impl State ===

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Running,
        Self::Paused,
        Self::Promoted,
        Self::RolledBack,
        Self::Aborted,
    ];

    /// The one with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it as u8 == number)
    }

    /// Whether it has ended, for ever.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Promoted | Self::RolledBack | Self::Aborted)
    }
}

// === impl Plan ===

impl Plan {
    /// The evidence of harm at which a gate takes the rollout back: so that all gates in all steps together do it to at
    /// most one in twenty of which nothing is wrong.
    pub fn harm_limit(&self) -> f64 {
        let tries = self.steps.len() * self.gates.len().max(1);
        f64::from(u16::try_from(tries).unwrap_or(u16::MAX)) / FALSE_ALARM
    }

    /// The candidate's share in a step.
    pub fn share(&self, step: usize) -> u16 {
        self.steps.get(step).map_or(0, |it| it.basis_points)
    }
}

// === impl Standing ===

impl Standing<'_> {
    /// What becomes of it.
    pub fn next(&self) -> Next {
        let harm_limit = self.plan.harm_limit();
        let mut gates = self.plan.gates.iter().zip(self.evidence);
        if let Some((gate, evidence)) = gates.find(|(_, it)| it.harm() >= harm_limit) {
            return Next::RollBack(worse(gate.metric, evidence));
        }
        if self.is_paused {
            return Next::Stay("somebody to resume it".to_owned());
        }
        let waits = self.waits();
        if !waits.is_empty() {
            return Next::Stay(waits.join(", "));
        }
        let next = self.step + 1;
        if next < self.plan.steps.len() {
            Next::Step(next)
        } else {
            Next::Promote
        }
    }

    /// How long its step must still last, milliseconds.
    pub fn bake_left_ms(&self) -> u64 {
        let step = self.plan.steps.get(self.step);
        step.map_or(0, |it| it.bake_ms.saturating_sub(self.step_age_ms))
    }

    fn waits(&self) -> Vec<String> {
        let Some(step) = self.plan.steps.get(self.step) else {
            return Vec::new();
        };
        let mut waits = Vec::new();
        if let Some(frozen) = self.frozen {
            waits.push(format!("the end of a freeze {frozen}"));
        }
        match self.bake_left_ms() {
            0 => {}
            left => waits.push(format!("{} s more", left.div_ceil(1_000))),
        }
        match step.sample_min.saturating_sub(self.candidate_requests) {
            0 => {}
            left => waits.push(format!("{left} more requests of the candidate")),
        }
        // Where the candidate serves all there is nothing to compare it with.
        if step.basis_points < WHOLE {
            let gates = self.plan.gates.iter().zip(self.evidence);
            let open = gates.filter(|(_, evidence)| !evidence.is_cleared());
            waits.extend(open.map(|(gate, _)| format!("the {} to be cleared", gate.metric)));
        }
        if step.needs_approval && !self.is_approved {
            waits.push("approval".to_owned());
        }
        waits
    }
}

fn worse(metric: Metric, evidence: &Evidence) -> String {
    let (candidate, stable) = (evidence.candidate, evidence.stable);
    format!(
        "the {metric} is worse: {} in {:.0} requests of the candidate, {} in {:.0} of the stable version",
        metric.shown(candidate.mean()),
        candidate.count,
        metric.shown(stable.mean()),
        stable.count,
    )
}

#[cfg(test)]
#[path = "rollout_test.rs"]
mod tests;
