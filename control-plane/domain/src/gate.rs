//! Gates: whether a candidate is worse than the stable version, by evidence that may be looked at after every request.
//!
//! Each gate compares one score, from 0 to 1, of the requests of both. Requests come in blocks, the smallest that hold both
//! versions, so that each block compares what came at the same time. Two fortunes are wagered on each block: one that grows
//! where the candidate is worse than the tolerance and on average never does where it is not, and one that grows where it
//! is no worse than the margin and on average never does where it is. A fortune that cannot grow on average reaches
//! twenty times its start at most once in twenty tries, however often it is looked at; so one that does is evidence.
//! How much of a fortune is staked is mixed over several shares. `docs/releases.md` says it at length. Pure: it knows
//! nothing of rollouts, and its state is numbers that can be kept.

use std::fmt;

use policy::split::WHOLE;

/// How often, of rollouts of which nothing is wrong, one may be taken back; shared by all gates and steps.
pub const FALSE_ALARM: f64 = 0.05;

/// How often, of candidates that are worse than the margin, one may be said not to be.
pub const FALSE_CLEARANCE: f64 = 0.05;

/// The shares of a fortune that are staked, of the most that cannot ruin it.
const STAKES: [f64; 5] = [0.95, 0.5, 0.25, 0.1, 0.03];

/// The values of the stable version that a scale is taken from; they are wagered on by nobody.
const SCALE_SAMPLES: f64 = 50.0;

/// How many times the stable version's mean is a score of 1. What is more counts as much.
const SCALE_MEANS: f64 = 4.0;

/// The logarithm of the largest fortune.
// Full: it grows no further, and has said what it can.
const LOG_MAX: f64 = 600.0;

/// How many numbers an [`Evidence`] is kept in.
pub const NUMBERS: usize = 12 + 2 * STAKES.len();

/// What is compared. The numbers are those of the wire and of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Metric {
    /// Requests that failed.
    ErrorRate = 1,
    /// From arrival to the first byte, seconds.
    FirstByteTime = 2,
    /// From arrival to the end, seconds.
    TotalTime = 3,
    /// What a request cost, dollars.
    Cost = 4,
    /// Answers that ended because no more tokens were allowed.
    TruncationRate = 5,
    /// Answers that were refused or filtered.
    RefusalRate = 6,
    /// What clients said of answers, taken from one: so that more is worse.
    FeedbackScore = 7,
    /// Answers that call a tool with what is no JSON object.
    ToolCallErrorRate = 8,
}

/// What a candidate is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// What is compared.
    pub metric: Metric,
    /// How much worse it may be, hundredths of a percent: points of a rate, or a part of the stable version's mean.
    pub tolerance: u16,
    /// How much worse it must be shown not to be; more than the tolerance.
    pub margin: u16,
}

/// How a request ended, as far as gates ask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Whether the candidate served it, and not the stable version.
    pub is_candidates: bool,
    /// How it ended.
    pub end: End,
    /// Why its answer ended; `None` where that is not known.
    pub finish: Option<Finish>,
    /// From arrival to the first byte, microseconds; zero when none came.
    pub first_byte_us: u64,
    /// From arrival to the end, microseconds.
    pub duration_us: u64,
    /// What it cost, nano-dollars; `None` where that is not known.
    pub cost_nano: Option<u64>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It was whole.
    Whole,
    /// No more tokens were allowed.
    Truncated,
    /// It was refused or filtered.
    Refused,
    /// It calls a tool with what is no JSON object.
    Miscalled,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The whole answer went to the client.
    Whole,
    /// The client left before that, and so nobody knows.
    ClientGone,
    /// The provider failed, answered with an error, or was cut.
    Failed,
}

/// A count of values, and their sum.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sum {
    /// How many.
    pub count: f64,
    /// What they add up to.
    pub sum: f64,
}

/// What is known of one gate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Evidence {
    /// All values of the candidate.
    pub candidate: Sum,
    /// All values of the stable version.
    pub stable: Sum,
    scale: Sum,
    block_candidate: Sum,
    block_stable: Sum,
    harm_peak: f64,
    clear_peak: f64,
    harm: [f64; STAKES.len()],
    clear: [f64; STAKES.len()],
}

// === impl Metric ===

impl Metric {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ErrorRate,
        Self::FirstByteTime,
        Self::TotalTime,
        Self::Cost,
        Self::TruncationRate,
        Self::RefusalRate,
        Self::FeedbackScore,
        Self::ToolCallErrorRate,
    ];

    /// The one with this number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it as i32 == number)
    }

    /// Its name, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ErrorRate => "error rate",
            Self::FirstByteTime => "time to the first byte",
            Self::TotalTime => "total time",
            Self::Cost => "cost",
            Self::TruncationRate => "truncation rate",
            Self::RefusalRate => "refusal rate",
            Self::FeedbackScore => "feedback score",
            Self::ToolCallErrorRate => "tool call error rate",
        }
    }

    /// Whether it goes from 0 to 1, so that points are compared and no ratios.
    pub const fn is_rate(self) -> bool {
        matches!(
            self,
            Self::ErrorRate
                | Self::TruncationRate
                | Self::RefusalRate
                | Self::FeedbackScore
                | Self::ToolCallErrorRate
        )
    }

    /// A mean of its values as it is told: of feedback the score itself.
    pub fn told(self, mean: f64) -> f64 {
        match self {
            Self::FeedbackScore => 1.0 - mean,
            _ => mean,
        }
    }

    /// By how much more than the tolerance the candidate must be shown not to be worse, where nobody says.
    pub const fn margin(self) -> u16 {
        match self {
            Self::ErrorRate => 200,
            Self::TruncationRate
            | Self::RefusalRate
            | Self::FeedbackScore
            | Self::ToolCallErrorRate => 500,
            Self::FirstByteTime | Self::TotalTime | Self::Cost => 2_500,
        }
    }

    /// The value of a request; `None` where it has none. What its client says of it comes later, apart.
    pub fn value(self, of: &Outcome) -> Option<f64> {
        let whole = of.end == End::Whole;
        match self {
            Self::ErrorRate if of.end == End::ClientGone => None,
            Self::ErrorRate => Some(f64::from(u8::from(!whole))),
            Self::FirstByteTime if of.first_byte_us == 0 => None,
            Self::FirstByteTime => whole.then(|| scaled(of.first_byte_us, 1e6)),
            Self::TotalTime => whole.then(|| scaled(of.duration_us, 1e6)),
            Self::Cost => of.cost_nano.filter(|_| whole).map(|nano| scaled(nano, 1e9)),
            Self::TruncationRate => ended(whole, of.finish, Finish::Truncated),
            Self::RefusalRate => ended(whole, of.finish, Finish::Refused),
            Self::ToolCallErrorRate => ended(whole, of.finish, Finish::Miscalled),
            Self::FeedbackScore => None,
        }
    }

    /// A mean of its values, as people read it.
    pub fn shown(self, mean: f64) -> String {
        match self {
            Self::ErrorRate
            | Self::TruncationRate
            | Self::RefusalRate
            | Self::ToolCallErrorRate => {
                format!("{:.2} %", mean * 100.0)
            }
            Self::FirstByteTime | Self::TotalTime => format!("{:.0} ms", mean * 1e3),
            Self::Cost => format!("${mean:.6}"),
            Self::FeedbackScore => format!("{:.2}", self.told(mean)),
        }
    }
}

/// Whether a whole answer ended so; `None` where it is not known why it ended.
fn ended(whole: bool, why: Option<Finish>, so: Finish) -> Option<f64> {
    why.filter(|_| whole)
        .map(|it| f64::from(u8::from(it == so)))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "no time or cost of a request needs more than 53 bits"
)]
fn scaled(value: u64, whole: f64) -> f64 {
    value as f64 / whole
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

// === impl Gate ===

impl Gate {
    /// A gate that nothing is promoted through, and that only ever stops: its margin is the usual one and says nothing.
    pub fn guard(metric: Metric, tolerance: u16) -> Self {
        Self {
            metric,
            tolerance,
            margin: tolerance.saturating_add(metric.margin()).min(WHOLE),
        }
    }
}

// === impl Sum ===

impl Sum {
    /// Adds one.
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
    }

    /// Their mean; zero where there are none.
    pub fn mean(&self) -> f64 {
        if self.count > 0.0 {
            self.sum / self.count
        } else {
            0.0
        }
    }
}

// === impl Evidence ===

impl Evidence {
    /// Takes one more request.
    pub fn take(&mut self, gate: Gate, outcome: &Outcome) {
        if let Some(value) = gate.metric.value(outcome) {
            self.take_value(gate, value, outcome.is_candidates);
        }
    }

    /// Takes what a client says of an answer, a score from 0 to 1, where that is what the gate compares.
    pub fn take_score(&mut self, gate: Gate, score: f64, is_candidates: bool) {
        if gate.metric == Metric::FeedbackScore {
            self.take_value(gate, 1.0 - score, is_candidates);
        }
    }

    fn take_value(&mut self, gate: Gate, value: f64, is_candidates: bool) {
        let all = if is_candidates {
            &mut self.candidate
        } else {
            &mut self.stable
        };
        all.add(value);
        let Some(score) = self.score(gate.metric, value, is_candidates) else {
            return;
        };
        let block = if is_candidates {
            &mut self.block_candidate
        } else {
            &mut self.block_stable
        };
        block.add(score);
        if self.block_candidate.count > 0.0 && self.block_stable.count > 0.0 {
            self.wager(gate);
        }
    }

    /// The score of a value; `None` while there is no scale yet.
    fn score(&mut self, metric: Metric, value: f64, is_candidates: bool) -> Option<f64> {
        if metric.is_rate() {
            return Some(value);
        }
        if self.scale.count < SCALE_SAMPLES {
            if !is_candidates {
                self.scale.add(value);
            }
            return None;
        }
        let one = self.scale.mean() * SCALE_MEANS;
        Some(if one > 0.0 {
            (value / one).min(1.0)
        } else {
            f64::from(u8::from(value > 0.0))
        })
    }

    /// Passes over what has come of a block that is not over: of the next one nothing hangs on it.
    pub(crate) fn forget_block(&mut self) {
        self.block_candidate = Sum::default();
        self.block_stable = Sum::default();
    }

    /// Wagers on the block, which is over.
    fn wager(&mut self, gate: Gate) {
        let candidate = std::mem::take(&mut self.block_candidate).mean();
        let stable = std::mem::take(&mut self.block_stable).mean();
        let (tolerance, margin) = (part(gate.tolerance), part(gate.margin));
        let (worse, better, most_lost) = if gate.metric.is_rate() {
            let worse = candidate - stable - tolerance;
            let better = stable + margin - candidate;
            (worse, better, 1.0 - margin)
        } else {
            let worse = candidate - (1.0 + tolerance) * stable;
            let better = (1.0 + margin) * stable - candidate;
            (worse, better, 1.0)
        };
        grow(&mut self.harm, worse / (1.0 + tolerance));
        grow(&mut self.clear, better / most_lost.max(f64::EPSILON));
        self.harm_peak = self.harm_peak.max(fortune(&self.harm));
        self.clear_peak = self.clear_peak.max(fortune(&self.clear));
    }

    /// How strong the evidence is, at its strongest, that the candidate is worse than the tolerance.
    pub const fn harm(&self) -> f64 {
        self.harm_peak
    }

    /// Whether the candidate is shown to be no worse than the margin.
    pub fn is_cleared(&self) -> bool {
        self.clear_peak >= 1.0 / FALSE_CLEARANCE
    }

    /// As numbers, to be kept.
    pub fn numbers(&self) -> [f64; NUMBERS] {
        let mut numbers = [0.0; NUMBERS];
        let sums = [
            self.candidate,
            self.stable,
            self.scale,
            self.block_candidate,
            self.block_stable,
        ];
        let sums = sums.into_iter().flat_map(|it| [it.count, it.sum]);
        let all = sums
            .chain([self.harm_peak, self.clear_peak])
            .chain(self.harm)
            .chain(self.clear);
        for (place, number) in numbers.iter_mut().zip(all) {
            *place = number;
        }
        numbers
    }

    /// What was kept; `None` where there are too few numbers.
    pub fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let mut left = numbers.iter().copied();
        let mut next = || left.next();
        let mut sum = || {
            Some(Sum {
                count: next()?,
                sum: next()?,
            })
        };
        let [candidate, stable, scale] = [sum()?, sum()?, sum()?];
        let [block_candidate, block_stable] = [sum()?, sum()?];
        let (harm_peak, clear_peak) = (next()?, next()?);
        let (mut harm, mut clear) = ([0.0; STAKES.len()], [0.0; STAKES.len()]);
        for place in harm.iter_mut().chain(&mut clear) {
            *place = next()?;
        }
        Some(Self {
            candidate,
            stable,
            scale,
            block_candidate,
            block_stable,
            harm_peak,
            clear_peak,
            harm,
            clear,
        })
    }
}

fn part(basis_points: u16) -> f64 {
    f64::from(basis_points) / 1e4
}

/// What each part of a fortune becomes, of which at most all is lost where `by` is −1. Kept as logarithms.
fn grow(logarithms: &mut [f64; STAKES.len()], by: f64) {
    for (logarithm, stake) in logarithms.iter_mut().zip(STAKES) {
        *logarithm = (*logarithm + (stake * by.max(-1.0)).ln_1p()).min(LOG_MAX);
    }
}

/// The fortune whose parts have these logarithms.
fn fortune(logarithms: &[f64; STAKES.len()]) -> f64 {
    let sum: f64 = logarithms.iter().map(|it| it.exp()).sum();
    sum / f64::from(u8::try_from(STAKES.len()).unwrap_or(u8::MAX))
}

#[cfg(test)]
#[path = "gate_test.rs"]
mod tests;
