//! Weights come to rest where their targets do as they weigh, and never leave their bounds.

use fastrand::Rng;

use super::*;
use crate::recent::Recent;

/// A target: how soon it answers when nothing is to do, how much slower with every request a second, and what part fails.
#[derive(Clone, Copy)]
struct World {
    base_ms: f64,
    per_request_ms: f64,
    fails: f64,
}

/// Sends fifty requests a second for so many seconds: the scales after every one of those.
fn run(worlds: &[World], adapt: Adapt, seconds: u64, seed: u64) -> Vec<Vec<f64>> {
    let (mut rng, mut now) = (Rng::with_seed(seed), Instant::now());
    let scales = Scales::default();
    let mut recent: Vec<Recent> = worlds.iter().map(|_| Recent::new(now)).collect();
    let mut load = vec![0.0; worlds.len()];
    let mut all = Vec::new();
    for turn in 0..seconds * 50 {
        now += Duration::from_millis(20);
        let told = || recent.iter().map(|it| it.recently(now)).collect();
        let of = scales.of([1; 16], adapt, now, told);
        let mut drawn = rng.f64() * of.iter().sum::<f64>();
        let at = of.iter().position(|it| {
            drawn -= it;
            drawn < 0.0
        });
        let at = at.unwrap_or(0);
        for (place, load) in load.iter_mut().enumerate() {
            // Requests a second, of the last second.
            *load += (if place == at { 50.0 } else { 0.0 } - *load) / 50.0;
        }
        let world = worlds[at];
        let ms = world.per_request_ms.mul_add(load[at], world.base_ms) * (0.5 + rng.f64());
        if rng.f64() < world.fails {
            recent[at].failed(false, Duration::from_millis(50), now);
        } else {
            recent[at].began(Duration::from_secs_f64(ms / 1e3), now);
        }
        if turn % 50 == 49 {
            all.push(of);
        }
    }
    all
}

fn adapt(by: Measure, low: u16, high: u16) -> Adapt {
    Adapt::new(by, low, high).unwrap()
}

/// The least and the most of a member.
fn range(seen: &[Vec<f64>], member: usize) -> (f64, f64) {
    let of = seen.iter().map(|it| it[member]);
    of.fold((f64::MAX, 0.0), |(low, high), it| {
        (low.min(it), high.max(it))
    })
}

#[test]
fn weights_come_to_rest_and_do_not_swing() {
    // Alone both would be as fast; the second slows down thrice as much with what it has to do.
    let worlds = [(50.0, 4.0), (50.0, 12.0)].map(|(base_ms, per_request_ms)| World {
        base_ms,
        per_request_ms,
        fails: 0.0,
    });
    for seed in 0..5 {
        let seen = run(&worlds, adapt(Measure::Latency, 20, 500), 900, seed);
        let rest = &seen[300..];
        let ratios: Vec<Vec<f64>> = rest.iter().map(|it| vec![it[0] / it[1]]).collect();
        let (low, high) = range(&ratios, 0);
        println!("after five minutes the first weight is {low:.2} to {high:.2} times the second");
        assert!(low > 1.1 && high < 3.5 && high / low < 1.6, "{low} {high}");
        let steps = seen.windows(2).map(|it| (it[1][0] / it[0][0]).ln().abs());
        assert!(steps.fold(0.0, f64::max) <= 2.0 * STEP + 1e-9);
    }
}

#[test]
fn bounds_are_never_passed_and_targets_that_do_alike_keep_their_weights() {
    let world = |fails| World {
        base_ms: 100.0,
        per_request_ms: 0.0,
        fails,
    };
    let adapt = adapt(Measure::Errors, 50, 150);
    let seen = run(&[world(0.0), world(0.4)], adapt, 300, 1);
    let (low, high) = (range(&seen, 1).0, range(&seen, 0).1);
    assert!(
        (low - 0.5).abs() < 1e-9 && (high - 1.5).abs() < 1e-9,
        "{low} {high}"
    );
    assert!(seen.iter().flatten().all(|it| (0.5..=1.5).contains(it)));
    let alike = run(&[world(0.05), world(0.05)], adapt, 900, 2);
    let last = &alike[300..];
    for member in 0..2 {
        let (low, high) = range(last, member);
        assert!(low > 0.8 && high < 1.25, "{low} {high}");
    }
}

#[test]
fn what_is_not_known_goes_back_to_one_by_small_steps() {
    let scales = Scales::default();
    let (adapt, mut now) = (adapt(Measure::Latency, 25, 400), Instant::now());
    let slow = |first_s| Recently {
        first_s: Some(first_s),
        failed: Some(0.0),
        cost_nano: None,
    };
    let of = |now, told: &[Recently]| scales.of([1; 16], adapt, now, || told.to_vec());
    let begins = of(now, &[slow(0.1), slow(1.0)]);
    assert!(begins.iter().all(|it| (it - 1.0).abs() < 1e-9));
    for _ in 0..200 {
        now += Duration::from_secs(1);
        of(now, &[slow(0.1), slow(1.0)]);
    }
    let far = of(now, &[]);
    assert!(far[0] > 3.0 && far[1] < 0.34, "{far:?}");
    let nothing = [Recently::default(); 2];
    now += Duration::from_hours(1);
    let before = of(now, &nothing);
    assert!(
        before[0] < far[0] && before[0] > 0.94 * far[0],
        "{before:?}"
    );
    for _ in 0..200 {
        now += Duration::from_secs(1);
        of(now, &nothing);
    }
    let back = of(now, &nothing);
    assert!(back.iter().all(|it| (it - 1.0).abs() < 1e-6), "{back:?}");
}

#[test]
fn by_cost_a_weight_goes_by_what_answers_cost_beside_the_others_and_no_farther_than_its_bounds() {
    let cost = |nano| Recently {
        cost_nano: nano,
        ..Recently::default()
    };
    let rests = |told: [Option<f64>; 3]| {
        let (scales, mut now) = (Scales::default(), Instant::now());
        let told = told.map(cost);
        let mut last = Vec::new();
        for _ in 0..600 {
            now += Duration::from_secs(1);
            let by_cost = adapt(Measure::Cost, 25, 400);
            last = scales.of([1; 16], by_cost, now, || told.to_vec());
        }
        last
    };
    let near = |told, expected: [f64; 3]| {
        let last = rests(told);
        let mut both = last.iter().zip(expected);
        assert!(
            both.all(|(one, other)| (one - other).abs() < 1e-6),
            "{last:?}"
        );
    };
    near([Some(100.0), Some(400.0), None], [2.0, 0.5, 1.0]);
    near([Some(1e9), Some(1e9), Some(1e9)], [1.0; 3]);
    // One that is free is worth the most that there is, and no more.
    near([Some(0.0), Some(1e6), Some(1e6)], [4.0, 0.25, 0.25]);
}

#[test]
fn groups_without_end_are_not_remembered_without_end() {
    let scales = Scales::default();
    let adapt = adapt(Measure::Latency, 50, 200);
    for number in 0..10_000_u128 {
        scales.of(number.to_be_bytes(), adapt, Instant::now(), Vec::new);
    }
    assert!(scales.groups.lock().unwrap().len() <= GROUPS_MAX);
}
