//! A simulated release: traffic of a service, its stable version and a candidate that is worse by so much in one thing.

use domain::{
    gate::{End, Evidence, Finish, Metric, Outcome},
    rollout::{Next, Plan, Standing},
};

/// The most requests of one release.
// Full: it counts as promoted, so that one which is never decided fails what is promised of bad ones.
const REQUESTS_MAX: u64 = 2_000_000;

/// How a release ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The candidate serves all.
    Promoted,
    /// It was taken back.
    TakenBack,
}

/// What came of a release.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Release {
    /// How it ended.
    pub(crate) ended: Ended,
    /// Requests from its start to its end.
    pub(crate) requests: u64,
    /// Those of them that reached the candidate.
    pub(crate) reached: u64,
}

/// Numbers drawn by chance, the same for the same seed: `SplitMix64`.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    /// From 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A long-tailed number around `median`: half of all lie within a factor of one and a half.
    fn around(&mut self, median: f64) -> f64 {
        let uniform: f64 = (0..12).map(|_| self.part()).sum::<f64>() - 6.0;
        median * (uniform * 0.6).exp()
    }
}

/// Runs a release of a candidate that is worse in this by so much: points of a rate, parts of a mean. The service fails one
/// request in a hundred, and ten times as often in one hour of ten; it is slower at times, for both alike.
pub(crate) fn release(plan: &Plan, worse: (Metric, f64), seed: u64) -> Release {
    let mut chance = Chance(seed);
    let (mut requests, mut reached) = (0, 0);
    let mut step = 0;
    let mut candidate_requests = 0;
    let mut evidence = vec![Evidence::default(); plan.gates.len()];
    loop {
        if requests >= REQUESTS_MAX {
            return Release {
                ended: Ended::Promoted,
                requests,
                reached,
            };
        }
        let incident = requests / 500 % 10 == 9;
        let share = f64::from(plan.share(step)) / 1e4;
        let is_candidates = chance.part() < share;
        let outcome = outcome(&mut chance, is_candidates, incident, worse);
        requests += 1;
        if is_candidates {
            reached += 1;
            candidate_requests += 1;
        }
        for (gate, evidence) in plan.gates.iter().zip(&mut evidence) {
            evidence.take(*gate, &outcome);
        }
        let standing = Standing {
            plan,
            is_paused: false,
            step,
            step_age_ms: 0,
            is_approved: false,
            candidate_requests,
            evidence: &evidence,
            frozen: None,
        };
        // Judged after every single request: the evidence must bear to be looked at.
        match standing.next() {
            Next::Stay(_) => {}
            Next::Step(next) => {
                step = next;
                candidate_requests = 0;
                evidence = vec![Evidence::default(); plan.gates.len()];
            }
            Next::Promote => {
                return Release {
                    ended: Ended::Promoted,
                    requests,
                    reached,
                };
            }
            Next::RollBack(_) => {
                return Release {
                    ended: Ended::TakenBack,
                    requests,
                    reached,
                };
            }
        }
    }
}

fn outcome(
    chance: &mut Chance,
    is_candidates: bool,
    incident: bool,
    (metric, effect): (Metric, f64),
) -> Outcome {
    let by = |of: Metric| {
        if is_candidates && of == metric {
            effect
        } else {
            0.0
        }
    };
    let base = if incident { 0.1 } else { 0.01 };
    let failed = chance.part() < base + by(Metric::ErrorRate);
    let (truncated, refused, miscalled) = (
        0.05 + by(Metric::TruncationRate),
        0.02 + by(Metric::RefusalRate),
        0.02 + by(Metric::ToolCallErrorRate),
    );
    let finish = match chance.part() {
        part if part < truncated => Finish::Truncated,
        part if part < truncated + refused => Finish::Refused,
        part if part < truncated + refused + miscalled => Finish::Miscalled,
        _ => Finish::Whole,
    };
    let slow = if incident { 2.0 } else { 1.0 };
    let first_byte = chance.around(400_000.0 * slow) * (1.0 + by(Metric::FirstByteTime));
    let total = chance.around(3_000_000.0 * slow) * (1.0 + by(Metric::TotalTime));
    let cost = chance.around(2_000_000.0) * (1.0 + by(Metric::Cost));
    Outcome {
        is_candidates,
        end: if failed { End::Failed } else { End::Whole },
        finish: Some(finish),
        first_byte_us: whole(first_byte),
        duration_us: whole(total),
        cost_nano: Some(whole(cost)),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number of a simulation"
)]
const fn whole(number: f64) -> u64 {
    number as u64
}

/// A percentile of what is sorted, between the ends of its 95 % confidence interval, by the ranks of a binomial.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks of a simulation"
)]
pub(crate) fn percentile(sorted: &[u64], part: f64) -> (u64, u64, u64) {
    let many = sorted.len() as f64;
    let around = 1.96 * (many * part * (1.0 - part)).sqrt();
    let at = |rank: f64| sorted[(rank.max(0.0) as usize).min(sorted.len() - 1)];
    let middle = many * part;
    (at(middle - around), at(middle), at(middle + around))
}

/// The 95 % confidence interval of a rate, after Wilson.
#[expect(clippy::cast_precision_loss, reason = "counts of a simulation")]
pub(crate) fn wilson(hits: usize, many: usize) -> (f64, f64) {
    let (hits, many, z) = (hits as f64, many as f64, 1.96_f64);
    let rate = hits / many;
    let center = rate + z * z / (2.0 * many);
    let spread = z * (rate * (1.0 - rate) / many + z * z / (4.0 * many * many)).sqrt();
    let whole = 1.0 + z * z / many;
    ((center - spread) / whole, (center + spread) / whole)
}
