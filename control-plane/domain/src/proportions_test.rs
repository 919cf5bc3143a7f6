//! A mismatch of shares is seen, and seldom where there is none.

use fastrand::Rng;

use super::*;

/// How many of so many experiments are said to mismatch, whose first arm gets this share where it should get half.
fn mismatches(share: f64, experiments: u64) -> usize {
    let said = (0..experiments).filter(|seed| {
        let mut rng = Rng::with_seed(*seed);
        let mut proportions = Proportions::new(vec![0.5, 0.5]);
        for _ in 0..4_000 {
            proportions.take(usize::from(rng.f64() >= share));
        }
        proportions.is_mismatch()
    });
    said.count()
}

#[test]
fn a_mismatch_is_seen_and_seldom_where_there_is_none() {
    assert!(mismatches(0.5, 500) <= 5);
    assert!(mismatches(0.45, 100) >= 95);
}

#[test]
fn what_was_counted_is_kept() {
    let mut proportions = Proportions::new(vec![0.2, 0.8]);
    for at in 0..100 {
        proportions.take(at % 2);
    }
    let mut again = Proportions::new(vec![0.2, 0.8]);
    let numbers: Vec<f64> = proportions.numbers().collect();
    assert_eq!(again.restore(&mut numbers.into_iter()), Some(()));
    assert_eq!(again, proportions);
    assert!(proportions.is_mismatch());
}
