//! What a bucket must do, to the unit.

use policy::limit::WINDOW_MS_MAX;

use super::*;

fn rate(amount: u64, window_ms: u64, burst: u64) -> Measure {
    Measure::Rate(Rate::new(amount, window_ms, burst).unwrap())
}

fn day(amount: u64, number: u64) -> Measure {
    let from_ms = number * DAY_MS;
    let span = Span {
        before_ms: from_ms - DAY_MS,
        from_ms,
        to_ms: from_ms + DAY_MS,
    };
    Measure::Quota { amount, span }
}

const DAY_MS: u64 = 86_400_000;

#[test]
fn every_intermediate_fits_a_double() {
    let missing = u128::from(2 * UNITS_MAX) * u128::from(WINDOW_MS_MAX);
    assert!(missing + u128::from(UNITS_MAX) < 1 << 53);
}

#[test]
fn refilling_in_many_steps_equals_refilling_in_one() {
    let rate = rate(7, 1_000, 100);
    let start = Bucket::full(&rate, 0).changed(&rate, -100);
    let mut stepped = start;
    for now_ms in 1..=9_999 {
        stepped = stepped.refilled(&rate, now_ms);
    }
    assert_eq!(stepped, start.refilled(&rate, 9_999));
    assert_eq!((stepped.level, stepped.rem), (69, 993));
}

#[test]
fn the_wait_is_exact_to_the_millisecond() {
    let rate = rate(7, 1_000, 100);
    let bucket = Bucket::full(&rate, 0).changed(&rate, -150);
    let wait_ms = bucket.wait_ms(&rate, 20, 0);
    assert_eq!(wait_ms, 10_000);
    assert_ne!(
        bucket
            .refilled(&rate, wait_ms - 1)
            .wait_ms(&rate, 20, wait_ms - 1),
        0
    );
    assert_eq!(
        bucket.refilled(&rate, wait_ms).wait_ms(&rate, 20, wait_ms),
        0
    );
}

#[test]
fn a_request_larger_than_the_burst_is_admitted_from_a_full_bucket_only() {
    let rate = rate(10, 1_000, 10);
    let full = Bucket::full(&rate, 0);
    assert_eq!(full.wait_ms(&rate, 1_000, 0), 0);
    assert_eq!(full.changed(&rate, -1).wait_ms(&rate, 1_000, 0), 100);
    assert_eq!(full.changed(&rate, -1_000).wait_ms(&rate, 1, 0), 99_100);
}

#[test]
fn a_clock_that_steps_back_never_refills_and_never_resets() {
    let rate = rate(10, 1_000, 10);
    let bucket = Bucket::full(&rate, 5_000).changed(&rate, -10);
    let back = bucket.refilled(&rate, 4_500);
    assert_eq!(back.level, 0);
    assert_eq!(
        back.refilled(&rate, 5_000).level,
        0,
        "half a second was counted twice"
    );
    assert_eq!(back.wait_ms(&rate, 1, 4_500), 600);
    let far_back = bucket.refilled(&rate, 1_000);
    assert_eq!(far_back.level, 0);
    assert_eq!(
        far_back.refilled(&rate, 1_100).level,
        1,
        "a far step closed the limit"
    );
}

#[test]
fn what_is_lent_keeps_its_place_in_the_bucket() {
    let rate = rate(10, 1_000, 100);
    let bucket = Bucket::full(&rate, 0);
    assert_eq!(bucket.lendable(20, 1_000), 40, "half of what is left");
    assert_eq!(bucket.lendable(200, 10), 0);
    let bucket = bucket.changed(&rate, -20).lending(40);
    assert_eq!(bucket.level, 40);
    let later = bucket.refilled(&rate, 60_000);
    assert_eq!(later.level, 60, "the loan could be spent on top");
    assert_eq!(later.changed(&rate, 500).level, 60);
    let ended = later.loan_ended(40);
    assert_eq!((ended.level, ended.refilled(&rate, 61_000).level), (60, 70));
    assert_eq!(ended.loan_ended(40).lent, 0);
}

#[test]
fn a_new_rate_keeps_the_level_and_clamps_it_to_the_new_burst() {
    let (wide, narrow) = (rate(10, 1_000, 100), rate(10, 500, 40));
    let bucket = Bucket::full(&wide, 0).changed(&wide, -30);
    assert_eq!(bucket.refilled(&narrow, 0).level, 40);
    assert_eq!(bucket.refilled(&rate(10, 500, 90), 0).level, 70);
}

#[test]
fn debt_has_a_floor_and_the_deepest_debt_is_kept_until_repaid() {
    let rate = rate(1, WINDOW_MS_MAX, UNITS_MAX);
    let mut bucket = Bucket::full(&rate, 0);
    for _ in 0..3 {
        bucket = bucket.changed(&rate, -units(UNITS_MAX));
    }
    assert_eq!(bucket.level, -units(UNITS_MAX));
    let full_ms = bucket.keep_until_ms(&rate) - KEEP_MS;
    assert_eq!(full_ms, 2 * UNITS_MAX * WINDOW_MS_MAX);
    assert_eq!(
        bucket.refilled(&rate, full_ms),
        Bucket::full(&rate, full_ms)
    );
    assert_ne!(bucket.refilled(&rate, full_ms - 1).level, units(UNITS_MAX));
}

#[test]
fn a_quota_never_refills_and_starts_again_at_its_boundary() {
    let today = day(100, 10);
    let mut bucket = Bucket::full(&today, 10 * DAY_MS + 5);
    bucket = bucket.changed(&today, -100);
    let late_ms = 11 * DAY_MS - 1;
    assert_eq!(bucket.refilled(&today, late_ms).level(), 0);
    assert_eq!(bucket.wait_ms(&today, 1, late_ms), 1);
    // Whoever asks may not have heard of the new day yet, or be ahead of it: the keeper's clock decides.
    for asked_as in [today, day(100, 11)] {
        assert_eq!(bucket.refilled(&asked_as, late_ms).level(), 0);
        assert_eq!(bucket.refilled(&asked_as, late_ms + 1).level(), 100);
    }
    assert_eq!(
        bucket.wait_ms(&today, 101, 10 * DAY_MS),
        DAY_MS,
        "more than there is"
    );
}

#[test]
fn a_clock_that_steps_back_does_not_start_a_quota_again() {
    let bucket = Bucket::full(&day(100, 10), 10 * DAY_MS).changed(&day(100, 10), -60);
    let back = bucket.refilled(&day(100, 9), 10 * DAY_MS - 1);
    assert_eq!(
        (back.level(), back.at_ms),
        (40, 10 * DAY_MS),
        "a short step is waited for"
    );
    let far = bucket.refilled(&day(100, 5), 5 * DAY_MS);
    assert_eq!(
        (far.level(), far.at_ms),
        (40, 5 * DAY_MS),
        "a long one is followed"
    );
    // A settlement that comes days late knows an old day, and must not take the new one back.
    let late = bucket.refilled(&day(100, 7), 10 * DAY_MS + 9);
    assert_eq!((late.level(), late.at_ms), (40, 10 * DAY_MS));
}

#[test]
fn what_was_used_of_a_quota_stays_used_when_its_amount_changes() {
    let bucket = Bucket::full(&day(100, 10), 10 * DAY_MS).changed(&day(100, 10), -60);
    assert_eq!(bucket.refilled(&day(150, 10), 10 * DAY_MS).level(), 90);
    assert_eq!(bucket.refilled(&day(50, 10), 10 * DAY_MS).level(), -10);
    let lent = bucket.lending(20).refilled(&day(100, 11), 11 * DAY_MS);
    assert_eq!(
        lent.level(),
        80,
        "what is lent keeps its place over the boundary"
    );
}
