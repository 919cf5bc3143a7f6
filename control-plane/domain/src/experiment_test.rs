//! Shares that follow what is known: less is lost than by fixed ones, no arm starves, and all that is said of it stays true.

use fastrand::Rng;

use super::*;
use crate::{
    allocation::{Asked, without},
    finding,
    gate::End,
};

/// Clients that come, and how content those of each arm are.
#[derive(Clone, Copy)]
struct World {
    /// Of each arm, the part of clients that are content.
    content: &'static [f64],
    /// Taken from that, of all arms alike, in every other of these spans of clients.
    gloom: (f64, u32),
    clients: u32,
    /// How many come in one period.
    in_period: u32,
}

/// What became of it.
struct Run {
    plan: Plan,
    tally: Tally,
    /// How many clients fewer were content than of the best arm.
    regret: f64,
    /// The smallest share that any arm had at any time.
    least: u16,
    /// Whether a difference of scores was said at any look.
    is_said: bool,
    shares: Vec<Vec<u16>>,
}

const USUAL: World = World {
    content: &[0.6, 0.7, 0.6],
    gloom: (0.0, 1),
    clients: 6_000,
    in_period: 100,
};

fn plan(arms: usize, follows: bool) -> Plan {
    let share = i32::from(WHOLE) / i32::try_from(arms).expect("there are few") / 100 * 100;
    let mut plan =
        check(&vec![share; arms - 1], &[(7, 0)], Sticky::Request).expect("it makes sense");
    if follows {
        let shares: Vec<u16> = plan.all_shares().collect();
        plan.allocation = allocation::check(Asked::default(), &shares, &METRICS).ok();
    }
    plan
}

fn run(world: World, follows: bool, seed: u64) -> Run {
    run_kept(world, plan(world.content.len(), follows), seed, false)
}

/// Runs it; one that is kept is written down and read again after every client.
fn run_kept(world: World, mut plan: Plan, seed: u64, is_kept: bool) -> Run {
    let mut rng = Rng::with_seed(seed);
    let best = world.content.iter().copied().fold(0.0, f64::max);
    let (mut tally, mut regret, mut is_said) = (Tally::new(&plan), 0.0, false);
    let mut shares = vec![plan.all_shares().collect::<Vec<_>>()];
    for turn in 1..=world.clients {
        let weights = plan.weights();
        let mut drawn = rng.f64();
        let arm = weights.iter().position(|it| {
            drawn -= it;
            drawn < 0.0
        });
        let arm = arm.unwrap_or(0);
        let gloom = f64::from(turn / world.gloom.1 % 2) * world.gloom.0;
        regret += best - world.content[arm];
        let draw = Draw {
            arm,
            weights: &weights,
            is_judged: true,
        };
        tally.take(&plan, draw, &whole());
        let is_content = rng.f64() < world.content[arm] - gloom;
        tally.score(&plan, draw, f64::from(u8::from(is_content)));
        is_said |= (1..weights.len()).any(|arm| {
            let known = finding::between(&tally, arm, METRICS.len() - 1);
            known.is_some_and(|it| it.low > 0.0 || it.high < 0.0)
        });
        if let Some(allocation) = plan.allocation.filter(|_| turn % world.in_period == 0) {
            tally.begin_period();
            if let Some(chances) = tally.chances(&plan) {
                let now: Vec<u16> = plan.all_shares().collect();
                plan.shares = allocation.next(&now, &chances).split_off(1);
            }
            shares.push(plan.all_shares().collect());
        }
        if is_kept {
            tally = Tally::kept(&plan, &tally.numbers());
        }
    }
    Run {
        least: shares.iter().flatten().copied().min().unwrap_or(0),
        plan,
        tally,
        regret,
        is_said,
        shares,
    }
}

fn whole() -> Outcome {
    Outcome {
        is_candidates: false,
        end: End::Whole,
        finish: None,
        first_byte_us: 0,
        duration_us: 0,
        cost_nano: None,
    }
}

fn scale() -> u64 {
    let scale = std::env::var("SLUICE_TEST_SCALE").ok();
    scale.and_then(|it| it.parse().ok()).unwrap_or(1)
}

fn mean(all: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = all.fold((0.0, 0.0), |(count, sum), it| (count + 1.0, sum + it));
    sum / count
}

#[test]
fn less_is_lost_than_by_fixed_shares_and_no_arm_ever_has_less_than_the_floor() {
    let runs = 30 * scale();
    let regret = |follows: bool| {
        let all = (0..runs).map(|seed| run(USUAL, follows, seed));
        let all: Vec<Run> = all.collect();
        assert!(all.iter().all(|it| it.least >= 500));
        let best = all.iter().filter(|it| it.plan.shares[0] >= 8_000).count();
        (mean(all.iter().map(|it| it.regret)), best)
    };
    let ((fixed, _), (followed, best)) = (regret(false), regret(true));
    println!(
        "three arms, 60, 70 and 60 of a hundred content, 6,000 clients: {fixed:.0} fewer content than of the best arm by fixed shares, {followed:.0} by shares that follow; in {best} of {runs} the best has 80 % or more at the end"
    );
    assert!(followed < 0.6 * fixed, "{followed} {fixed}");
    assert!(best as u64 * 10 >= 9 * runs, "{best}");
}

#[test]
fn of_arms_that_do_not_differ_none_starves_and_none_is_said_to_differ() {
    let runs = 60 * scale();
    let world = World {
        content: &[0.6, 0.6],
        // What all have alike comes and goes.
        gloom: (0.4, 700),
        ..USUAL
    };
    let all: Vec<Run> = (0..runs).map(|seed| run(world, true, seed)).collect();
    let least = all.iter().map(|it| it.least).min().unwrap_or(0);
    let got = all
        .iter()
        .map(|it| it.tally.requests.iter().copied().fold(f64::MAX, f64::min));
    let fewest = got.clone().fold(f64::MAX, f64::min);
    let second = mean(all.iter().map(|it| f64::from(it.plan.shares[0]))) / 100.0;
    let said = all.iter().filter(|it| it.is_said).count() as u64;
    let mismatched = all
        .iter()
        .filter(|it| it.tally.proportions.is_mismatch())
        .count() as u64;
    let guarded = all
        .iter()
        .filter(|it| it.tally.violated(&it.plan).is_some())
        .count() as u64;
    println!(
        "two arms that do not differ, while 40 of a hundred fewer are content at times: of 6,000 clients the one with fewer gets {:.0} at the mean and {fewest:.0} at least; smallest share {} %; the second has {second:.0} % at the end at the mean; of {runs} experiments {said} say that they differ, {guarded} are guarded, {mismatched} mismatch",
        mean(got),
        least / 100,
    );
    assert!(least >= 500 && fewest >= 300.0, "{least} {fewest}");
    assert!((35.0..65.0).contains(&second), "{second}");
    assert!(
        said * 20 <= runs && guarded * 20 <= runs,
        "{said} {guarded}"
    );
    assert!(mismatched * 100 <= runs, "{mismatched}");
}

#[test]
fn what_is_kept_and_read_again_goes_on_as_if_nothing_had_been() {
    let world = World {
        clients: 1_500,
        ..USUAL
    };
    let through = run_kept(world, plan(3, true), 5, false);
    let again = run_kept(world, plan(3, true), 5, true);
    assert_eq!(through.shares, again.shares);
    assert_eq!(through.tally, again.tally);
    assert!(through.shares.windows(2).any(|it| it[0] != it[1]));
}

#[test]
fn an_arm_that_is_out_gets_nothing_and_the_others_go_on() {
    let mut plan = plan(3, true);
    let shares: Vec<u16> = plan.all_shares().collect();
    plan.shares = without(&shares, 1).split_off(1);
    assert!(plan.is_out(1) && !plan.is_out(0) && !plan.is_out(2));
    let world = World {
        content: &[0.6, 0.9, 0.7],
        ..USUAL
    };
    let run = run_kept(world, plan, 3, false);
    assert!(run.tally.requests[1] < 0.5);
    assert!(
        run.plan.is_out(1) && run.plan.shares[1] >= 8_000,
        "{:?}",
        run.plan
    );
    assert!(!run.tally.proportions.is_mismatch());
    let names = ["v1", "v2", "v3"].map(str::to_owned);
    let said = finding::findings(&run.plan, &run.tally, &names);
    assert!(said[0].contains("v2 is out, v3 "), "{said:?}");
}
