//! The chances of arms are what chance would make of them.

use fastrand::Rng;

use super::*;

/// A belief after so many values of an arm with this share, of which this part is one.
fn seen(count: u32, part: f64, share: f64) -> Belief {
    let mut belief = Belief::default();
    for at in 0..count {
        let (before, after) = (f64::from(at) * part, f64::from(at + 1) * part);
        belief.take(after.floor() - before.floor(), share);
    }
    belief
}

/// How often each is the least of drawn means.
fn drawn(beliefs: &[Option<Belief>], rng: &mut Rng) -> Vec<f64> {
    let normals: Vec<Normal> = beliefs.iter().flatten().map(|it| it.normal(3.0)).collect();
    let mut won = vec![0.0; normals.len()];
    let mut standard = || {
        let (one, other) = (1.0 - rng.f64(), rng.f64());
        (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos()
    };
    for _ in 0..20_000 {
        let means = normals
            .iter()
            .map(|it| standard().mul_add(it.deviation, it.mean));
        let means: Vec<f64> = means.collect();
        let least = (0..means.len()).min_by(|one, other| means[*one].total_cmp(&means[*other]));
        won[least.expect("there are some")] += 1.0 / 20_000.0;
    }
    won
}

#[test]
fn chances_are_what_drawing_would_give_and_add_up_to_one() {
    let mut rng = Rng::with_seed(1);
    let beliefs = [
        seen(200, 0.30, 0.5),
        seen(100, 0.25, 0.3),
        seen(60, 0.40, 0.2),
    ];
    let beliefs = beliefs.map(Some);
    let (said, drawn) = (chances(&beliefs), drawn(&beliefs, &mut rng));
    for (said, drawn) in said.iter().zip(&drawn) {
        assert!((said - drawn).abs() < 0.015, "{said} {drawn}");
    }
    assert!((said.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    let alike = chances(&[Some(seen(50, 0.2, 0.5)); 2]);
    assert!((alike[0] - 0.5).abs() < 1e-9);
    // Who is out of it has none.
    let out = chances(&[Some(seen(50, 0.9, 0.5)), None, Some(seen(50, 0.1, 0.5))]);
    assert!(out[1] < 1e-9 && out[2] > 0.999_99, "{out:?}");
    assert_eq!(chances(&[]), Vec::<f64>::new());
}

#[test]
fn a_time_that_is_bad_for_all_says_nothing_of_an_arm_that_had_more_of_it() {
    // Half each in a good time, nine tenths for the second in a bad one: 20 and 60 of a hundred of both.
    let mut both = [Belief::default(); 2];
    for (part, shares) in [(0.2, [0.5, 0.5]), (0.6, [0.1, 0.9])] {
        for (belief, share) in both.iter_mut().zip(shares) {
            let count = f64::from(4_000) * share;
            for at in 0..4_000_u32 {
                if f64::from(at) < count {
                    let (before, after) = (f64::from(at) * part, f64::from(at + 1) * part);
                    belief.take(after.floor() - before.floor(), share);
                }
            }
        }
    }
    let chances = chances(&both.map(Some));
    assert!((0.3..0.7).contains(&chances[0]), "{chances:?}");
}

#[test]
fn it_is_kept_to_the_last_bit() {
    let belief = seen(40, 0.3, 0.25);
    assert_eq!(Belief::from_numbers(belief.numbers()), belief);
}
