//! What is said of an experiment, and what is not said of what nobody knows.

use fastrand::Rng;
use policy::split::Sticky;

use super::*;
use crate::{
    experiment::{self, Draw, Plan},
    gate::{End, Outcome},
};

/// A plan of two arms, half each, with a guard on errors.
fn plan() -> Plan {
    experiment::check(&[5_000], &[(1, 0)], Sticky::Request).expect("it makes sense")
}

/// Requests of an arm that costs so much of the first one's cost, and of which this part fails.
fn seen(requests: u32, (cost, fails): (f64, f64), seed: u64) -> (Plan, Tally) {
    let (plan, mut rng) = (plan(), Rng::with_seed(seed));
    let mut tally = Tally::new(&plan);
    for _ in 0..requests {
        let arm = usize::from(rng.bool());
        let (cost, fails) = if arm == 1 { (cost, fails) } else { (1.0, 0.02) };
        let failed = rng.f64() < fails;
        let nano = (0.5 + rng.f64()) * cost * 1e6;
        let outcome = Outcome {
            is_candidates: false,
            end: if failed { End::Failed } else { End::Whole },
            finish: None,
            first_byte_us: 200_000 + rng.u64(..200_000),
            duration_us: 900_000,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "far below 2^53 and above zero"
            )]
            cost_nano: Some(nano as u64),
        };
        tally.take(&plan, judged(arm), &outcome);
    }
    (plan, tally)
}

const HALVES: [f64; 2] = [0.5, 0.5];

fn judged(arm: usize) -> Draw<'static> {
    Draw {
        arm,
        weights: &HALVES,
        is_judged: true,
    }
}

fn names() -> [String; 2] {
    ["v1".to_owned(), "v2".to_owned()]
}

#[test]
fn what_is_there_is_said_with_its_interval_and_what_is_not_known_is_not_said() {
    let (plan, tally) = seen(6_000, (0.8, 0.02), 3);
    let said = findings(&plan, &tally, &names());
    assert!(
        said[0].starts_with("of the error rate nothing can be said yet: that of v2 is between")
    );
    assert!(said[1].starts_with("of the time to the first byte nothing can be said yet"));
    assert!(said[2].starts_with("v2 costs 2"), "{said:?}");
    assert!(said[2].contains("% less than v1 (95 %: 1"), "{said:?}");
    assert_eq!(
        said[3],
        "of the feedback score nothing can be said yet: too few requests tell it"
    );
    let cost = between(&tally, 1, 2).expect("it is known");
    assert!(cost.low < -0.2 && cost.high > -0.2, "{cost:?}");
    let (_, little) = seen(60, (0.8, 0.02), 3);
    assert!(
        findings(&plan, &little, &names())
            .iter()
            .all(|it| it.contains("nothing can be said yet"))
    );
}

#[test]
fn no_difference_is_said_of_arms_that_do_not_differ_save_one_in_twenty() {
    let scale = std::env::var("SLUICE_TEST_SCALE").ok();
    let experiments = 100 * scale.and_then(|it| it.parse().ok()).unwrap_or(1);
    let mut wrong = 0;
    for seed in 0..experiments {
        let (plan, mut rng) = (plan(), Rng::with_seed(seed));
        let mut tally = Tally::new(&plan);
        let mut is_wrong = false;
        for turn in 0..2_000_u32 {
            // What both have alike comes and goes.
            let fails = if turn / 300 % 2 == 0 { 0.02 } else { 0.3 };
            let outcome = Outcome {
                is_candidates: false,
                end: if rng.f64() < fails {
                    End::Failed
                } else {
                    End::Whole
                },
                finish: None,
                first_byte_us: 100_000 + rng.u64(..900_000),
                duration_us: 900_000,
                cost_nano: Some(1_000 + rng.u64(..9_000)),
            };
            tally.take(&plan, judged(rng.usize(..2)), &outcome);
            is_wrong |= (0..3).any(|at| {
                let known = between(&tally, 1, at);
                known.is_some_and(|it| it.low > 0.0 || it.high < 0.0)
            });
        }
        wrong += u64::from(is_wrong);
    }
    println!(
        "arms that do not differ: {wrong} of {experiments} reports say of one of three metrics that they do"
    );
    // Each of three may be wrong in one of twenty.
    assert!(wrong * 20 <= 3 * experiments, "{wrong} of {experiments}");
}

#[test]
fn a_guard_names_the_arm_that_fails_and_all_is_kept_to_the_last_bit() {
    let (plan, fine) = seen(2_000, (1.0, 0.02), 5);
    assert_eq!(fine.violated(&plan), None);
    let (plan, broken) = seen(400, (1.0, 0.5), 5);
    assert_eq!(broken.violated(&plan), Some((1, 0)));
    assert_eq!(Tally::kept(&plan, &broken.numbers()), broken);
    assert_eq!(Tally::kept(&plan, &[]), Tally::new(&plan));
    // What was kept before shares could move lacks what was due.
    let numbers = broken.numbers();
    let mut before = Tally::kept(&plan, &numbers[..numbers.len() - 2]);
    assert!(
        before
            .proportions
            .due
            .iter()
            .all(|it| (it - 200.0).abs() < 1e-9)
    );
    before.proportions.due.clone_from(&broken.proportions.due);
    assert_eq!(before, broken);
    let arm = of_arm(&broken, 1, 0).expect("a rate is known");
    assert!(
        arm.low < 0.5 && arm.high > 0.5 && arm.high - arm.low < 0.3,
        "{arm:?}"
    );
}

#[test]
fn more_than_there_is_cannot_be_shared() {
    for shares in [&[][..], &[0], &[10_000], &[6_000, 4_000], &[1; 9]] {
        assert!(
            experiment::check(shares, &[], Sticky::Key).is_err(),
            "{shares:?}"
        );
    }
    assert!(experiment::check(&[3_000, 3_000], &[(1, 100), (4, 0)], Sticky::Key).is_ok());
    assert!(experiment::check(&[3_000], &[(1, 0), (1, 0)], Sticky::Key).is_err());
    let plan = experiment::check(&[2_500, 2_500], &[(1, 0)], Sticky::Key).expect("it makes sense");
    assert_eq!(plan.all_shares().collect::<Vec<_>>(), [5_000, 2_500, 2_500]);
    assert!((plan.harm_limit() - 40.0).abs() < 1e-9);
}
