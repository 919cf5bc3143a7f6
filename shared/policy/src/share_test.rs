//! What is believed of a region's share, from when and until when.

use super::*;
use crate::calendar::Span;

const LIMIT: LimitId = LimitId::from_bytes([1; 16]);

fn regions(names: &[&str]) -> Vec<Region> {
    let region = |name: &&str| Region::try_from(*name).unwrap();
    names.iter().map(region).collect()
}

fn rate(amount: u64, burst: u64) -> Count {
    Count::Level(Measure::Rate(Rate::new(amount, 1_000, burst).unwrap()))
}

fn quota(amount: u64) -> Count {
    let span = Span {
        before_ms: 0,
        from_ms: 100_000,
        to_ms: 200_000,
    };
    Count::Level(Measure::Quota { amount, span })
}

fn told(lessee: &mut Lessee, at_ms: u64, millionths: u32, period: u64) {
    let number = lessee.ask(at_ms);
    let share = Share {
        millionths,
        period,
        given: 7,
    };
    assert!(lessee.told(number, TERM_MS, [(LIMIT, share)]));
}

fn believed(lessee: &Lessee, count: &Count, at_ms: u64, now_ms: u64) -> u32 {
    let of = regions(&["eu", "us"]);
    let leases = lessee.leases();
    leases.millionths((&LIMIT, &of), of.first(), count, (at_ms, now_ms))
}

#[test]
fn the_parts_of_all_regions_are_together_no_more_than_the_whole() {
    for (amount, regions) in [(100, 3), (16, 16), (100_007, 7), (11, 2)] {
        for count in [rate(amount, amount), quota(amount), Count::Slots(amount)] {
            let part = part(count, equal(regions), regions).unwrap();
            let all = part.amount() * regions as u64;
            assert!(all <= amount && all + 2 * regions as u64 > amount, "{all}");
        }
    }
    assert_eq!(part(quota(2), equal(3), 3), None);
    assert_eq!(part(rate(100, 1), equal(2), 2), None, "no burst is left");
}

#[test]
fn a_share_of_a_rate_is_believed_from_when_it_was_asked_for_and_not_from_when_it_came() {
    let mut lessee = Lessee::default();
    let count = rate(100, 10);
    assert_eq!(believed(&lessee, &count, 0, 0), floor(2));
    told(&mut lessee, 1_000, 700_000, 0);
    let end_ms = 1_000 + u64::from(TERM_MS);
    assert_eq!(believed(&lessee, &count, end_ms - 1, 0), 700_000);
    assert_eq!(believed(&lessee, &count, end_ms, 0), floor(2));
    // What comes twice, and what nobody asked for, is believed by nobody.
    assert!(!lessee.told(1, TERM_MS, []));
    assert!(!lessee.told(9, TERM_MS, []));
}

#[test]
fn a_share_of_a_quota_is_believed_in_its_period_and_not_at_its_very_end() {
    let mut lessee = Lessee::default();
    let count = quota(100);
    told(&mut lessee, 0, 700_000, 100_001);
    assert_eq!(believed(&lessee, &count, u64::MAX - 1, 150_000), 700_000);
    assert_eq!(believed(&lessee, &count, 0, 199_000), floor(2));
    let given = |now_ms| lessee.leases().given(&LIMIT, &count, (0, now_ms));
    assert_eq!((given(150_000), given(199_000)), (7, 0));
    told(&mut lessee, 0, 700_000, 200_001);
    assert_eq!(believed(&lessee, &count, 0, 150_000), floor(2));
}

#[test]
fn a_region_that_does_not_hold_the_limit_has_nothing_of_it() {
    let lessee = Lessee::default();
    let (of, elsewhere) = (regions(&["eu", "us"]), regions(&["ap"]));
    for here in [None, elsewhere.first()] {
        let found = lessee
            .leases()
            .millionths((&LIMIT, &of), here, &quota(10), (0, 150_000));
        assert_eq!(found, 0);
    }
}

#[test]
fn a_share_of_slots_is_believed_as_long_as_one_of_a_rate() {
    let mut lessee = Lessee::default();
    let slots = Count::Slots(10);
    assert_eq!(believed(&lessee, &slots, 0, 0), floor(2));
    told(&mut lessee, 1_000, 900_000, 0);
    let end_ms = 1_000 + u64::from(TERM_MS);
    assert_eq!(believed(&lessee, &slots, end_ms - 1, 0), 900_000);
    assert_eq!(believed(&lessee, &slots, end_ms, 0), floor(2));
}
