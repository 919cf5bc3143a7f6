//! By how much the weights of a version's targets are scaled now: each goes, in small steps, to where its target does beside the others.
//!
//! Shared by all cores. Knows groups by their ids and members by their places; what a member is and how it does is asked of whoever uses them, at
//! most once a second for each group, which nobody else waits for. A scale never leaves its bounds, and goes back to one as far as nothing is
//! known.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use policy::adapt::{Adapt, Measure};

use crate::recent::Recently;

/// How many groups are kept.
// Full: those that rest longest are forgotten, and begin anew.
const GROUPS_MAX: usize = 4_096;

/// How long scales stay at least.
const STAY: Duration = Duration::from_secs(1);

/// By how much a scale changes at most in a second, as a part of itself: so slow that what comes of it is known before it goes on.
const STEP: f64 = 0.01;

/// Of how many seconds steps are made up for at most.
const SECONDS_MAX: f64 = 5.0;

/// How much less weight a target gets for each part more that fails there than elsewhere.
const PER_FAILURE: f64 = 5.0;

/// The scales of every group.
#[derive(Debug, Default)]
pub struct Scales {
    // Held for one look or change, in which nothing waits.
    groups: Mutex<HashMap<[u8; 16], Group>>,
}

#[derive(Debug)]
struct Group {
    at: Instant,
    scales: Vec<f64>,
}

/// Says what this module measures.
pub(crate) fn describe() {
    metrics::describe_gauge!(
        "sluice_shaping_scaled",
        "Targets whose weight is a tenth or more off itself now, by whether it is less or more"
    );
}

/// How members do, relative to each other: what their scales should be, within no bounds.
fn aims(by: Measure, members: &[Recently]) -> Vec<f64> {
    let value = |it: &Recently| match by {
        // Relative to others is a difference of logarithms.
        Measure::Latency => it.first_s.filter(|it| *it > 0.0).map(f64::ln),
        Measure::Errors => it.failed.map(|it| PER_FAILURE * it),
        // What is free counts as next to nothing, so that it is compared at all.
        Measure::Cost => it.cost_nano.map(|it| it.max(1.0).ln()),
    };
    let values: Vec<Option<f64>> = members.iter().map(value).collect();
    let known = values.iter().flatten();
    let (count, sum) = known.fold((0.0, 0.0), |(count, sum), it| (count + 1.0, sum + it));
    let aim = |it: &Option<f64>| it.map_or(1.0, |it| (sum / count - it).exp());
    values.iter().map(aim).collect()
}

// === impl Scales ===

impl Scales {
    /// The scale of each member of a group now. How they do is asked where it is time to step on.
    pub fn of(
        &self,
        group: [u8; 16],
        adapt: Adapt,
        now: Instant,
        members: impl Fn() -> Vec<Recently>,
    ) -> Vec<f64> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if groups.len() >= GROUPS_MAX && !groups.contains_key(&group) {
            let oldest = groups.iter().min_by_key(|(_, it)| it.at);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                let gone = groups.remove(&oldest);
                tell(&gone.map(|it| it.scales).unwrap_or_default(), &[]);
            }
        }
        let known = groups.entry(group).or_insert_with(|| Group {
            at: now,
            scales: Vec::new(),
        });
        let passed = now.saturating_duration_since(known.at);
        if passed >= STAY || known.scales.is_empty() {
            known.at = now;
            let aims = aims(adapt.by, &members());
            known.scales.resize(aims.len(), 1.0);
            let most = STEP * passed.as_secs_f64().min(SECONDS_MAX);
            let before = known.scales.clone();
            for (scale, aim) in known.scales.iter_mut().zip(aims) {
                *scale = step(*scale, aim, (adapt, most));
            }
            tell(&before, &known.scales);
        }
        known.scales.clone()
    }
}

/// These scales are others now.
fn tell(before: &[f64], after: &[f64]) {
    let counted = |scales: &[f64]| {
        let less = scales.iter().filter(|it| **it <= 0.9).count();
        let more = scales.iter().filter(|it| **it >= 1.1).count();
        [less, more].map(|it| f64::from(u32::try_from(it).unwrap_or(u32::MAX)))
    };
    let changes = counted(after).into_iter().zip(counted(before));
    for (which, (after, before)) in ["less", "more"].into_iter().zip(changes) {
        if after.total_cmp(&before).is_ne() {
            metrics::gauge!("sluice_shaping_scaled", "weight" => which).increment(after - before);
        }
    }
}

/// One step from a scale to where it should be, within bounds.
fn step(scale: f64, aim: f64, (adapt, most): (Adapt, f64)) -> f64 {
    let (low, high) = adapt.bounds();
    let away = (aim.clamp(low, high) / scale).ln();
    (scale * away.clamp(-most, most).exp()).clamp(low, high)
}

#[cfg(test)]
#[path = "scales_test.rs"]
mod tests;
