//! What the rounds come to: for each way of asking the least that it cost, the ratio, and the bars that were
//! missed.
//!
//! A busy neighbour mostly adds, so that the least of several rounds is nearest to what something costs; the
//! median stands beside it. Knows numbers; knows nothing of how they are shown.

use std::time::Duration;

use crate::{
    installation::Target,
    plan::Plan,
    rounds::{Measured, Memory, Phase, Round},
};

/// The most that a request may cost, as a multiple of the bare proxy's.
pub const REQUEST_MAX: f64 = 2.0;
/// The most that a chunk of a stream may cost, as a multiple of the bare proxy's.
pub const CHUNK_MAX: f64 = 1.5;
/// The most that a translated chunk may cost, as a multiple of one that Sluice passes in its own dialect.
pub const ACROSS_MAX: f64 = 2.0;
/// The most that a plain client may wait longer than it waits for the provider itself. Nagle's algorithm and a
/// delayed acknowledgement make it 40 ms.
pub const STALL_MAX: Duration = Duration::from_millis(20);

/// What one target cost in one phase, in microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// The least of the rounds.
    pub least: f64,
    /// Their median.
    pub median: f64,
    /// The most.
    pub most: f64,
}

/// A quantity that rounds are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// The target's own CPU time for each request or chunk.
    Cpu,
    /// Redis's.
    RedisCpu,
    /// That of the control plane and Postgres.
    LedgerCpu,
    /// The median time of an answer.
    Wait,
}

/// One quantity for each target.
pub fn figure(measured: &Measured, phase: Phase, target: Target, of: Quantity) -> Option<Figure> {
    let rounds = measured
        .rounds
        .iter()
        .filter(|it| it.phase == phase && it.target == target);
    let mut all: Vec<f64> = rounds.map(|round| micros(value(round, of))).collect();
    all.sort_by(f64::total_cmp);
    let (least, most) = (*all.first()?, *all.last()?);
    Some(Figure {
        least,
        median: all[all.len() / 2],
        most,
    })
}

/// How many times the bare proxy's least Sluice's is.
pub fn ratio(measured: &Measured, phase: Phase) -> Option<f64> {
    let least = |target| Some(figure(measured, phase, target, Quantity::Cpu)?.least);
    Some(least(Target::Sluice)? / least(Target::Bare)?)
}

/// How many times the least of a request that is neither accounted nor measured is that of one that is.
pub fn accounted(measured: &Measured) -> Option<f64> {
    let least = |target| Some(figure(measured, Phase::Requests, target, Quantity::Cpu)?.least);
    Some(least(Target::Sluice)? / least(Target::Off)?)
}

/// How many times the least of a chunk that passes the least of a translated one is.
pub fn across(measured: &Measured) -> Option<f64> {
    let least = |phase| Some(figure(measured, phase, Target::Sluice, Quantity::Cpu)?.least);
    Some(least(Phase::Across)? / least(Phase::Streams)?)
}

/// How much longer the median answer takes than the provider's own, in microseconds, by the least of each.
pub fn added(measured: &Measured, phase: Phase, target: Target) -> Option<f64> {
    let least = |target| Some(figure(measured, phase, target, Quantity::Wait)?.least);
    Some(least(target)? - least(Target::Direct)?)
}

/// The most CPU time that others used in a round of this phase, as part of one core.
pub fn others(measured: &Measured, phase: Phase) -> f64 {
    let rounds = measured.rounds.iter().filter(|round| round.phase == phase);
    let parts =
        rounds.map(|round| round.spent.others.as_secs_f64() / round.spent.elapsed.as_secs_f64());
    parts.fold(0.0, f64::max)
}

/// How many answers a second the best round gave.
pub fn pace(measured: &Measured, phase: Phase, target: Target) -> f64 {
    let rounds = measured
        .rounds
        .iter()
        .filter(|it| it.phase == phase && it.target == target);
    rounds
        .map(|round| f64::from(round.units) / round.elapsed.as_secs_f64())
        .fold(0.0, f64::max)
}

/// The bars that were missed, in words.
pub fn missed(measured: &Measured, plan: &Plan) -> Vec<String> {
    let mut missed = Vec::new();
    let bars = [
        (Phase::Requests, REQUEST_MAX, "a request"),
        (Phase::Streams, CHUNK_MAX, "a chunk"),
    ];
    for (phase, most, what) in bars.into_iter().filter(|_| plan.bars) {
        let ratio = ratio(measured, phase).unwrap_or(f64::INFINITY);
        if ratio.is_nan() || ratio > most {
            missed.push(format!(
                "{what} costs {ratio:.2} times the bare proxy's; the bar is {most:.1}"
            ));
        }
    }
    let across = across(measured).unwrap_or(f64::INFINITY);
    if plan.bars && (across.is_nan() || across > ACROSS_MAX) {
        missed.push(format!(
            "a translated chunk costs {across:.2} times one that passes; the bar is {ACROSS_MAX:.1}"
        ));
    }
    let stall = added(measured, Phase::Alone, Target::Sluice).unwrap_or(f64::INFINITY);
    if stall >= micros(STALL_MAX) {
        missed.push(format!(
            "a plain client waits {stall:.0} µs longer; the bar is {STALL_MAX:?}"
        ));
    }
    missed
}

fn value(round: &Round, of: Quantity) -> Duration {
    let each = |all: Duration| all / round.units.max(1);
    match of {
        Quantity::Cpu => each(round.spent.target),
        Quantity::RedisCpu => each(round.spent.redis),
        Quantity::LedgerCpu => each(round.spent.ledger),
        Quantity::Wait => round.p50,
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

// === impl Memory ===

impl Memory {
    /// What one silent stream takes, in KiB.
    pub fn each_kib(&self) -> f64 {
        f64::from(self.silent_kib.saturating_sub(self.warm_kib)) / f64::from(self.streams.max(1))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::procfs::Spent;

    fn round(phase: Phase, target: Target, cpu_us: u64, p50_us: u64) -> Round {
        Round {
            phase,
            target,
            units: 1_000,
            spent: Spent {
                target: Duration::from_micros(cpu_us * 1_000),
                ..Spent::default()
            },
            elapsed: Duration::from_secs(1),
            p50: Duration::from_micros(p50_us),
            p99: Duration::from_micros(p50_us),
        }
    }

    /// Rounds in which Sluice costs and stalls so much.
    fn measured(request_us: u64, chunk_us: u64, stall_us: u64) -> Measured {
        let mut rounds = vec![
            round(Phase::Alone, Target::Direct, 0, 100),
            round(Phase::Alone, Target::Sluice, 9, stall_us),
        ];
        for slower in [30, 0, 7] {
            rounds.push(round(Phase::Requests, Target::Bare, 20 + slower, 1));
            rounds.push(round(
                Phase::Requests,
                Target::Sluice,
                request_us + slower,
                1,
            ));
            rounds.push(round(Phase::Streams, Target::Bare, 30 + slower, 1));
            rounds.push(round(Phase::Streams, Target::Sluice, chunk_us + slower, 1));
            let translated = 2 * chunk_us.min(45) + slower;
            rounds.push(round(Phase::Across, Target::Sluice, translated, 1));
        }
        Measured {
            rounds,
            ..Measured::default()
        }
    }

    #[test]
    fn a_bar_is_missed_by_the_least_of_the_rounds_and_only_by_it() {
        let plan = Plan::full(NonZeroUsize::MIN);
        assert!(missed(&measured(40, 45, 300), &plan).is_empty());
        assert_eq!(missed(&measured(41, 45, 300), &plan).len(), 1);
        assert_eq!(missed(&measured(41, 46, 300), &plan).len(), 2);
        assert_eq!(missed(&measured(41, 46, 40_100), &plan).len(), 3);
        assert_eq!(missed(&Measured::default(), &plan).len(), 4);
        let mut dear = measured(40, 45, 300);
        for round in &mut dear.rounds {
            if round.phase == Phase::Across {
                round.spent.target *= 2;
            }
        }
        assert_eq!(missed(&dear, &plan).len(), 1);
    }

    #[test]
    fn debug_builds_are_asked_for_no_bar_but_the_stall() {
        let plan = Plan::short(NonZeroUsize::MIN);
        assert!(missed(&measured(400, 400, 300), &plan).is_empty());
        assert_eq!(missed(&measured(400, 400, 40_100), &plan).len(), 1);
    }

    #[test]
    fn figures_are_the_least_the_median_and_the_most() {
        let it = measured(40, 45, 300);
        let figure = figure(&it, Phase::Requests, Target::Sluice, Quantity::Cpu).unwrap();
        assert!((figure.least - 40.0).abs() < 1e-6 && (figure.median - 47.0).abs() < 1e-6);
        assert!((figure.most - 70.0).abs() < 1e-6);
    }
}
