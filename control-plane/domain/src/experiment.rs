//! Experiments: what an operator may ask of one, what is known of its arms, and when a guard stops it.
//!
//! The first arm is what the others are compared with. Requests of an arm and of the first one come in blocks, the smallest that hold both, as
//! before [gates](crate::gate), so that each difference is one of the same time. Of each client the first request alone is judged. Where shares
//! follow what is known, no block outlasts a period: so that the shares by which its requests were drawn hang on what came before it alone, and
//! all that is said holds as where they stay. Pure: its state is numbers that can be kept.

use policy::split::{ARMS_MAX, Sticky, WHOLE};

use crate::{
    allocation::{self, Allocation},
    belief::{self, Belief},
    gate::{Evidence, FALSE_ALARM, Gate, Metric, NUMBERS as EVIDENCE, Outcome, Sum},
    interval::{self, Interval},
    proportions::Proportions,
    violation::Violations,
};

/// What is told of each arm.
pub const METRICS: [Metric; 4] = [
    Metric::ErrorRate,
    Metric::FirstByteTime,
    Metric::Cost,
    Metric::FeedbackScore,
];

/// The most guards.
pub const GUARDS_MAX: usize = Metric::ALL.len();

/// The values of the first arm that a scale is taken from, and how many times their mean counts as one.
const SCALE_SAMPLES: f64 = 50.0;
const SCALE_MEANS: f64 = 4.0;

/// What is to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The shares of the arms behind the first one, hundredths of a percent; the first one gets the rest. An arm that is out has none.
    pub shares: Vec<u16>,
    /// What keeps a client with its arm.
    pub sticky: Sticky,
    /// What each arm is held to, beside the first one; each of another metric. Margins say nothing.
    pub guards: Vec<Gate>,
    /// How shares follow what is known; `None`: they stay.
    pub allocation: Option<Allocation>,
}

/// How a request was given to its arm.
#[derive(Debug, Clone, Copy)]
pub struct Draw<'a> {
    /// The arm, the first one 0.
    pub arm: usize,
    /// What part of all each arm got then.
    pub weights: &'a [f64],
    /// Whether it is judged: the first of its client, or of none that sticks.
    pub is_judged: bool,
}

/// Where an experiment stands. The numbers are those of the wire and of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Its arms get their shares.
    Running = 1,
    /// An operator ended it: the first arm gets all.
    Stopped = 2,
    /// An operator ended it and chose an arm, which is the stable version now.
    Concluded = 3,
    /// A guard ended it: the first arm gets all.
    Guarded = 4,
}

/// What is known of one metric of an arm.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Known {
    /// All its values.
    pub values: Sum,
    /// Of its judged scores: values as parts of `one`.
    pub score: Interval,
}

/// What is known of an arm beside the first one, in one metric.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Contrast {
    block: (Sum, Sum),
    /// Of half of one and the difference of scores, so that it goes from 0 to 1.
    pub difference: Interval,
    /// Of the scores of the first arm in the same blocks.
    pub base: Interval,
}

/// All that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// Requests that each arm has answered.
    pub requests: Vec<f64>,
    /// Of each arm, by [`METRICS`].
    pub known: Vec<[Known; METRICS.len()]>,
    /// Of each arm behind the first one, by [`METRICS`].
    pub contrasts: Vec<[Contrast; METRICS.len()]>,
    /// Of each arm behind the first one, by the guards of the plan.
    pub guards: Vec<Vec<Evidence>>,
    /// Whether the arms get the clients that they should.
    pub proportions: Proportions,
    /// Of each arm, what is known of the goal; empty where shares stay.
    pub beliefs: Vec<Belief>,
    scales: [Sum; METRICS.len()],
}

/// Checks what is to be tried: shares in hundredths of a percent, guards as numbers of metrics with a tolerance.
pub fn check(shares: &[i32], guards: &[(i32, i32)], sticky: Sticky) -> Result<Plan, Violations> {
    let mut violations = Violations::new();
    let read = shares.iter().map(|it| u16::try_from(*it).ok());
    let shares: Option<Vec<u16>> = read
        .map(|it| it.filter(|it| (1..WHOLE).contains(it)))
        .collect();
    let sum = |all: &Vec<u16>| all.iter().map(|it| u32::from(*it)).sum::<u32>();
    let shares = shares.filter(|all| (1..=ARMS_MAX).contains(&all.len()));
    let shares = shares.filter(|all| sum(all) < u32::from(WHOLE));
    if shares.is_none() {
        let why = format!(
            "must be 1 to {ARMS_MAX} beside the first one, each with a share of 1 or more, and leave the first one some of {WHOLE}"
        );
        violations.add("experiment.arms", why);
    }
    let mut read: Vec<Gate> = Vec::new();
    for (at, (metric, tolerance)) in guards.iter().enumerate() {
        let metric = Metric::from_number(*metric);
        let metric = metric.filter(|it| read.iter().all(|gate| gate.metric != *it));
        let tolerance = u16::try_from(*tolerance).ok().filter(|it| *it < WHOLE);
        match (metric, tolerance) {
            (Some(metric), Some(tolerance)) => read.push(Gate::guard(metric, tolerance)),
            _ => violations.add(
                format!("experiment.guards[{at}]"),
                format!(
                    "must have a metric that no other one has, and a tolerance of 0 to {}",
                    WHOLE - 1
                ),
            ),
        }
    }
    violations.done()?;
    Ok(Plan {
        shares: shares.unwrap_or_default(),
        sticky,
        guards: read,
        allocation: None,
    })
}

// === impl State ===

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Stopped, Self::Concluded, Self::Guarded];

    /// The one with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it as u8 == number)
    }
}

// === impl Plan ===

impl Plan {
    /// The share of each arm, the first one before all others.
    pub fn all_shares(&self) -> impl Iterator<Item = u16> {
        let others: u16 = self.shares.iter().sum();
        std::iter::once(WHOLE.saturating_sub(others)).chain(self.shares.iter().copied())
    }

    /// What part of all each arm gets.
    pub fn weights(&self) -> Vec<f64> {
        let shares = self.all_shares();
        shares.map(|it| f64::from(it) / f64::from(WHOLE)).collect()
    }

    /// Whether this arm is out of it.
    pub fn is_out(&self, arm: usize) -> bool {
        self.allocation.is_some() && self.all_shares().nth(arm) == Some(0)
    }

    /// The evidence of harm at which a guard stops it: so that of experiments of which nothing is wrong at most one in twenty is stopped, by
    /// all guards of all arms together.
    pub fn harm_limit(&self) -> f64 {
        let tries = self.shares.len() * self.guards.len().max(1);
        f64::from(u16::try_from(tries).unwrap_or(u16::MAX)) / FALSE_ALARM
    }
}

// === impl Tally ===

impl Tally {
    /// Nothing is known yet.
    pub fn new(plan: &Plan) -> Self {
        let arms = plan.shares.len() + 1;
        let believed = if plan.allocation.is_some() { arms } else { 0 };
        Self {
            requests: vec![0.0; arms],
            known: vec![Default::default(); arms],
            contrasts: vec![Default::default(); arms - 1],
            guards: vec![vec![Evidence::default(); plan.guards.len()]; arms - 1],
            proportions: Proportions::new(arms),
            beliefs: vec![Belief::default(); believed],
            scales: Default::default(),
        }
    }

    /// Takes one more request.
    pub fn take(&mut self, plan: &Plan, draw: Draw<'_>, outcome: &Outcome) {
        let Some(requests) = self.requests.get_mut(draw.arm) else {
            return;
        };
        *requests += 1.0;
        for (at, metric) in METRICS.into_iter().enumerate() {
            if let Some(value) = metric.value(outcome) {
                self.value(plan, (at, metric), draw, value);
            }
        }
        if draw.is_judged {
            self.proportions.take(draw.arm, draw.weights);
            self.guard(plan, draw.arm, |evidence, guard, is_others| {
                let outcome = Outcome {
                    is_candidates: is_others,
                    ..*outcome
                };
                evidence.take(guard, &outcome);
            });
        }
    }

    /// Takes what a client says of an answer, 0 to 1.
    pub fn score(&mut self, plan: &Plan, draw: Draw<'_>, score: f64) {
        let metrics = METRICS.into_iter().enumerate();
        for (at, metric) in metrics.filter(|it| it.1 == Metric::FeedbackScore) {
            self.value(plan, (at, metric), draw, 1.0 - score);
        }
        if draw.is_judged {
            self.guard(plan, draw.arm, |evidence, guard, is_others| {
                evidence.take_score(guard, score, is_others);
            });
        }
    }

    /// Begins a period, in which shares may be others: what has come of blocks that are not over is passed over.
    pub fn begin_period(&mut self) {
        for contrast in self.contrasts.iter_mut().flatten() {
            contrast.block = Default::default();
        }
        for evidence in self.guards.iter_mut().flatten() {
            evidence.forget_block();
        }
    }

    /// The chance of each arm to be the best; `None` where shares stay, and while too little is known.
    pub fn chances(&self, plan: &Plan) -> Option<Vec<f64>> {
        plan.allocation?;
        let beliefs = self.beliefs.iter().enumerate();
        let beliefs = beliefs.map(|(arm, it)| (!plan.is_out(arm)).then_some(*it));
        let beliefs: Vec<Option<Belief>> = beliefs.collect();
        let known = beliefs.iter().flatten();
        let is_enough = known.clone().all(|it| it.count >= allocation::SAMPLES_MIN);
        is_enough.then(|| belief::chances(&beliefs))
    }

    /// Whoever is compared with the first arm hears of that one's requests, too.
    fn guard(&mut self, plan: &Plan, arm: usize, each: impl Fn(&mut Evidence, Gate, bool)) {
        for (other, guards) in (1..).zip(&mut self.guards) {
            if arm == 0 || arm == other {
                for (evidence, guard) in guards.iter_mut().zip(&plan.guards) {
                    each(evidence, *guard, arm == other);
                }
            }
        }
    }

    fn value(&mut self, plan: &Plan, (at, metric): (usize, Metric), draw: Draw<'_>, value: f64) {
        let arm = draw.arm;
        let score = if draw.is_judged {
            self.scaled((at, metric), value, arm == 0)
        } else {
            None
        };
        let Some(known) = self.known.get_mut(arm).and_then(|it| it.get_mut(at)) else {
            return;
        };
        known.values.add(value);
        let Some(score) = score else { return };
        known.score.take(score);
        for (other, contrasts) in (1..).zip(&mut self.contrasts) {
            if (arm == 0 || arm == other)
                && let Some(contrast) = contrasts.get_mut(at)
            {
                contrast.take(score, arm == other);
            }
        }
        let is_goal = plan.allocation.is_some_and(|it| it.goal == metric);
        if let Some(belief) = self.beliefs.get_mut(arm).filter(|_| is_goal) {
            belief.take(score, draw.weights.get(arm).copied().unwrap_or(1.0));
        }
    }

    /// A value as a part of one; `None` while nobody knows what one is.
    fn scaled(&mut self, (at, metric): (usize, Metric), value: f64, is_first: bool) -> Option<f64> {
        if metric.is_rate() {
            return Some(value);
        }
        let scale = self.scales.get_mut(at)?;
        if scale.count < SCALE_SAMPLES {
            if is_first {
                scale.add(value);
            }
            return None;
        }
        let one = scale.mean() * SCALE_MEANS;
        (one > 0.0).then(|| (value / one).min(1.0))
    }

    /// What a score of one is in a metric; `None` while nobody knows.
    pub fn one(&self, at: usize) -> Option<f64> {
        let metric = METRICS.get(at)?;
        if metric.is_rate() {
            return Some(1.0);
        }
        let scale = self.scales.get(at)?;
        (scale.count >= SCALE_SAMPLES).then(|| scale.mean() * SCALE_MEANS)
    }

    /// How many clients are judged.
    pub fn clients(&self) -> f64 {
        self.proportions.counts.iter().sum()
    }

    /// The arm that a guard stops and that is not out already, counted from 0, and the guard's place in the plan.
    pub fn violated(&self, plan: &Plan) -> Option<(usize, usize)> {
        let limit = plan.harm_limit();
        (1..).zip(&self.guards).find_map(|(arm, guards)| {
            let at = guards.iter().position(|it| it.harm() >= limit)?;
            (!plan.is_out(arm)).then_some((arm, at))
        })
    }

    /// As numbers, to be kept.
    pub fn numbers(&self) -> Vec<f64> {
        let sum = |it: Sum| [it.count, it.sum];
        let mut numbers: Vec<f64> = self.requests.clone();
        numbers.extend(self.proportions.numbers());
        numbers.extend(self.scales.into_iter().flat_map(sum));
        for known in self.known.iter().flatten() {
            numbers.extend(sum(known.values));
            numbers.extend(known.score.numbers());
        }
        for it in self.contrasts.iter().flatten() {
            numbers.extend(sum(it.block.0));
            numbers.extend(sum(it.block.1));
            numbers.extend(it.difference.numbers());
            numbers.extend(it.base.numbers());
        }
        let guards = self.guards.iter().flatten();
        numbers.extend(guards.flat_map(Evidence::numbers));
        // What was not there at first comes last, so that what was kept before can be read.
        numbers.extend(&self.proportions.due);
        numbers.extend(self.beliefs.iter().flat_map(Belief::numbers));
        numbers
    }

    /// What was kept of a plan; nothing where nothing was, or too little.
    pub fn kept(plan: &Plan, numbers: &[f64]) -> Self {
        let (mut tally, mut numbers) = (Self::new(plan), numbers.iter().copied());
        if tally.restore(&mut numbers).is_none() {
            return Self::new(plan);
        }
        if tally.restore_draws(&mut numbers).is_none() {
            // Kept when shares always stayed.
            let all = tally.clients();
            tally.proportions.due = plan.weights().iter().map(|it| it * all).collect();
        }
        tally
    }

    fn restore_draws(&mut self, numbers: &mut impl Iterator<Item = f64>) -> Option<()> {
        for due in &mut self.proportions.due {
            *due = numbers.next()?;
        }
        for belief in &mut self.beliefs {
            let mut kept = [0.0; belief::NUMBERS];
            for place in &mut kept {
                *place = numbers.next()?;
            }
            *belief = Belief::from_numbers(kept);
        }
        Some(())
    }

    fn restore(&mut self, numbers: &mut impl Iterator<Item = f64>) -> Option<()> {
        for requests in &mut self.requests {
            *requests = numbers.next()?;
        }
        self.proportions.restore(numbers)?;
        for scale in &mut self.scales {
            *scale = sum(numbers)?;
        }
        for known in self.known.iter_mut().flatten() {
            (known.values, known.score) = (sum(numbers)?, interval(numbers)?);
        }
        for it in self.contrasts.iter_mut().flatten() {
            it.block = (sum(numbers)?, sum(numbers)?);
            (it.difference, it.base) = (interval(numbers)?, interval(numbers)?);
        }
        for evidence in self.guards.iter_mut().flatten() {
            let kept: Vec<f64> = numbers.by_ref().take(EVIDENCE).collect();
            *evidence = Evidence::from_numbers(&kept)?;
        }
        Some(())
    }
}

fn sum(numbers: &mut impl Iterator<Item = f64>) -> Option<Sum> {
    Some(Sum {
        count: numbers.next()?,
        sum: numbers.next()?,
    })
}

fn interval(numbers: &mut impl Iterator<Item = f64>) -> Option<Interval> {
    let mut kept = [0.0; interval::NUMBERS];
    for place in &mut kept {
        *place = numbers.next()?;
    }
    Some(Interval::from_numbers(kept))
}

// === impl Contrast ===

impl Contrast {
    fn take(&mut self, score: f64, is_others: bool) {
        let (first, other) = &mut self.block;
        if is_others {
            other.add(score);
        } else {
            first.add(score);
        }
        if first.count > 0.0 && other.count > 0.0 {
            let (first, other) = std::mem::take(&mut self.block);
            let (first, other) = (first.mean(), other.mean());
            self.difference.take(f64::midpoint(1.0, other - first));
            self.base.take(first);
        }
    }
}

#[cfg(test)]
#[path = "experiment_test.rs"]
mod tests;
