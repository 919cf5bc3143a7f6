//! How the shares of an experiment's arms follow what is known: Thompson sampling, within bounds.
//!
//! Each arm's share goes towards the chance that it is the best, by steps of bounded size, and never below a floor, so that each goes on being
//! measured. Shares are whole percents. An arm with none is out, and stays so. Pure: knows nothing of what is measured or of clocks.

use policy::split::WHOLE;

use crate::{gate::Metric, violation::Violations};

/// What shares are whole numbers of: a percent.
pub const UNIT: u16 = 100;

/// What is meant where nothing is said.
const FLOOR: u16 = 500;
const STEP: u16 = 1_000;
const PERIOD_S: u32 = 600;

/// How long shares stay at least, and how long they may.
const PERIOD_MIN_S: u32 = 5;
const PERIOD_MAX_S: u32 = 86_400;

/// How far an arm must be from where it should be at least, so that shares change at all.
const CHANGE_MIN: f64 = 200.0;

/// How many values of each arm must be there before shares change.
pub const SAMPLES_MIN: f64 = 20.0;

/// How shares follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocation {
    /// What the best arm has least of.
    pub goal: Metric,
    /// What each arm keeps, hundredths of a percent.
    pub floor: u16,
    /// By how much a share changes at most at once, hundredths of a percent.
    pub step: u16,
    /// How long shares stay at least, seconds.
    pub period_s: u32,
}

/// The numbers of the wire; zero means: as usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// The number of a metric.
    pub goal: i32,
    /// As of [`Allocation`].
    pub floor: i32,
    /// As of [`Allocation`].
    pub step: i32,
    /// Milliseconds.
    pub period_ms: u64,
}

/// Checks how shares are to follow; `shares` are those to start with, the first arm's before all others, and `told` are the metrics that each arm
/// is measured by.
pub fn check(asked: Asked, shares: &[u16], told: &[Metric]) -> Result<Allocation, Violations> {
    let mut violations = Violations::new();
    let goal = match asked.goal {
        0 => Some(Metric::FeedbackScore),
        number => Metric::from_number(number).filter(|it| told.contains(it)),
    };
    if goal.is_none() {
        let why =
            "must be the error rate, the time to the first byte, the cost or the feedback score";
        violations.add("experiment.allocation.goal", why);
    }
    let percents = |number: i32, usual: u16| match number {
        0 => Some(usual),
        number => u16::try_from(number)
            .ok()
            .filter(|it| *it > 0 && it.is_multiple_of(UNIT)),
    };
    let floor = percents(asked.floor, FLOOR);
    let all = u32::try_from(shares.len()).unwrap_or(u32::MAX);
    let floor = floor.filter(|it| u32::from(*it).saturating_mul(all) <= u32::from(WHOLE));
    if floor.is_none() {
        let why = "must be a whole percent, and of all arms together at most 100 %";
        violations.add("experiment.allocation.floor_basis_points", why);
    }
    let step = percents(asked.step, STEP).filter(|it| *it <= WHOLE);
    if step.is_none() {
        let why = "must be a whole percent of 1 % to 100 %";
        violations.add("experiment.allocation.step_basis_points", why);
    }
    let period_s = match asked.period_ms {
        0 => Some(PERIOD_S),
        ms if ms.is_multiple_of(1_000) => u32::try_from(ms / 1_000).ok(),
        _ => None,
    };
    let period_s = period_s.filter(|it| (PERIOD_MIN_S..=PERIOD_MAX_S).contains(it));
    if period_s.is_none() {
        let why = "must be whole seconds, from 5 seconds to 1 day";
        violations.add("experiment.allocation.period", why);
    }
    let least = floor.unwrap_or(FLOOR);
    if shares
        .iter()
        .any(|it| *it < least || !it.is_multiple_of(UNIT))
    {
        let why = "must have shares of whole percents, of which none, the first one's neither, is below the floor";
        violations.add("experiment.arms", why);
    }
    violations.done()?;
    Ok(Allocation {
        goal: goal.unwrap_or(Metric::FeedbackScore),
        floor: least,
        step: step.unwrap_or(STEP),
        period_s: period_s.unwrap_or(PERIOD_S),
    })
}

/// The shares when this arm is out: the first one gets what it had, and nobody else's changes.
pub fn without(shares: &[u16], arm: usize) -> Vec<u16> {
    let mut shares = shares.to_vec();
    let freed = shares.get_mut(arm).map_or(0, std::mem::take);
    if let Some(first) = shares.first_mut() {
        *first += freed;
    }
    shares
}

// === impl Allocation ===

impl Allocation {
    /// The shares that follow these, by the chance of each arm to be the best.
    pub fn next(&self, shares: &[u16], chances: &[f64]) -> Vec<u16> {
        let in_it = shares.iter().filter(|it| **it > 0).count();
        let kept = f64::from(self.floor) * f64::from(u32::try_from(in_it).unwrap_or(u32::MAX));
        let free = (f64::from(WHOLE) - kept).max(0.0);
        let goes = shares.iter().zip(chances).map(|(share, chance)| {
            let aim = match share {
                0 => 0.0,
                _ => free.mul_add(*chance, f64::from(self.floor)),
            };
            (f64::from(*share), aim)
        });
        let goes: Vec<(f64, f64)> = goes.collect();
        let farthest = goes.iter().map(|(from, to)| (to - from).abs());
        let farthest = farthest.fold(0.0, f64::max);
        if farthest < CHANGE_MIN {
            return shares.to_vec();
        }
        let part = (f64::from(self.step) / farthest).min(1.0);
        let wanted = goes.iter().map(|(from, to)| part.mul_add(to - from, *from));
        rounded(&wanted.collect::<Vec<_>>())
    }
}

/// In whole percents, which add up to the whole as the wanted do: each is cut down, and those that lost most get one more.
fn rounded(wanted: &[f64]) -> Vec<u16> {
    let unit = f64::from(UNIT);
    let parts = wanted.iter().map(|it| it.max(0.0) / unit);
    let mut cut: Vec<(f64, u16)> = parts.map(|it| (it.fract(), whole(it))).collect();
    let given: u16 = cut.iter().map(|it| it.1).sum();
    let missing = usize::from((WHOLE / UNIT).saturating_sub(given));
    let mut order: Vec<usize> = (0..cut.len()).collect();
    let lost = |at: usize| cut.get(at).map_or(0.0, |it| it.0);
    order.sort_by(|one, other| lost(*other).total_cmp(&lost(*one)));
    for at in order.into_iter().take(missing) {
        if let Some((_, percents)) = cut.get_mut(at) {
            *percents += 1;
        }
    }
    cut.into_iter()
        .map(|(_, percents)| percents * UNIT)
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of percents, from 0 to 100"
)]
fn whole(percents: f64) -> u16 {
    percents.clamp(0.0, 100.0) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: [Metric; 2] = [Metric::ErrorRate, Metric::FeedbackScore];

    fn usual() -> Allocation {
        check(Asked::default(), &[5_000, 5_000], &TOLD).unwrap()
    }

    #[test]
    fn no_share_goes_farther_than_a_step_or_below_the_floor_and_all_add_up() {
        let mut rng = fastrand::Rng::with_seed(4);
        let allocation = usual();
        for _ in 0..200 {
            let arms = 2 + rng.usize(..8);
            let mut shares = vec![500; arms];
            shares[0] = WHOLE - 500 * u16::try_from(arms - 1).unwrap();
            for _ in 0..40 {
                let mut chances: Vec<f64> = (0..arms).map(|_| rng.f64().powi(8)).collect();
                let all: f64 = chances.iter().sum();
                for chance in &mut chances {
                    *chance /= all;
                }
                let next = allocation.next(&shares, &chances);
                assert_eq!(next.iter().sum::<u16>(), WHOLE, "{shares:?} {next:?}");
                for (before, after) in shares.iter().zip(&next) {
                    assert!(*after >= 500 && before.abs_diff(*after) <= 1_000);
                    assert_eq!(after % UNIT, 0);
                }
                shares = next;
            }
        }
    }

    #[test]
    fn shares_come_to_the_chances_and_stay_there_and_who_is_out_stays_out() {
        let allocation = usual();
        let mut shares = vec![5_000, 5_000];
        let mut seen = Vec::new();
        for _ in 0..6 {
            shares = allocation.next(&shares, &[0.01, 0.99]);
            seen.push(shares[1]);
        }
        assert_eq!(seen, [6_000, 7_000, 8_000, 9_000, 9_400, 9_400]);
        assert_eq!(
            allocation.next(&[5_000, 5_000], &[0.51, 0.49]),
            [5_000, 5_000]
        );
        let out = without(&[2_000, 5_000, 3_000], 1);
        assert_eq!(out, [7_000, 0, 3_000]);
        assert_eq!(allocation.next(&out, &[0.0, 0.0, 1.0]), [6_000, 0, 4_000]);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let fields = |asked, shares: &[u16]| -> Vec<String> {
            let violations = check(asked, shares, &TOLD).unwrap_err().into_vec();
            violations.into_iter().map(|it| it.field).collect()
        };
        let wrong = Asked {
            goal: 3,
            floor: 6_000,
            step: 150,
            period_ms: 1_000,
        };
        let all = ["goal", "floor_basis_points", "step_basis_points", "period"];
        let all: Vec<String> = all.map(|it| format!("experiment.allocation.{it}")).into();
        assert_eq!(fields(wrong, &[5_000, 5_000]), all);
        assert_eq!(fields(Asked::default(), &[9_600, 400]), ["experiment.arms"]);
        assert_eq!(
            fields(Asked::default(), &[6_050, 3_950]),
            ["experiment.arms"]
        );
        let said = Asked {
            goal: 1,
            floor: 300,
            step: 2_000,
            period_ms: 5_000,
        };
        let read = check(said, &[9_700, 300], &TOLD).unwrap();
        assert_eq!((read.floor, read.step, read.period_s), (300, 2_000, 5));
    }
}
