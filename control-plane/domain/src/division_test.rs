//! How a limit is divided: what moves, when, and what never does.

use super::*;

const PERIOD: u64 = 7;

fn region(millionths: u32, held: u32, asked: u64, settled: bool) -> Region {
    Region {
        standing: Standing {
            millionths,
            held,
            serial: 1,
            ..Standing::default()
        },
        want: Want { asked, needed: 0 },
        settled,
        ..Region::default()
    }
}

fn shares(regions: &[Region]) -> Vec<(u32, u32)> {
    let standing = |it: &Region| (it.standing.millionths, it.standing.held);
    regions.iter().map(standing).collect()
}

#[test]
fn a_share_of_a_rate_moves_to_demand_when_nobody_can_believe_in_it_any_longer() {
    let mut regions = [
        region(500_000, 500_000, 10, false),
        region(500_000, 500_000, 0, false),
    ];
    divide(Divided::Rate, &mut regions);
    assert_eq!(shares(&regions), [(500_000, 500_000), (100_000, 500_000)]);
    divide(Divided::Rate, &mut regions);
    assert_eq!(shares(&regions), [(500_000, 500_000), (100_000, 500_000)]);
    regions[1].settled = true;
    divide(Divided::Rate, &mut regions);
    assert_eq!(shares(&regions), [(900_000, 900_000), (100_000, 100_000)]);
    // And back at once, as far as the other still holds it.
    regions[0].want.asked = 0;
    regions[1].want.asked = 10;
    divide(Divided::Rate, &mut regions);
    assert_eq!(shares(&regions), [(100_000, 900_000), (100_000, 100_000)]);
    regions[0].want.asked = 10;
    divide(Divided::Rate, &mut regions);
    assert_eq!(regions[0].standing.millionths, 500_000);
}

#[test]
fn a_slot_that_is_under_way_is_never_given_away() {
    let slots = Divided::Slots { moves: true };
    let mut regions = [
        region(500_000, 500_000, 0, false),
        region(500_000, 500_000, 0, false),
    ];
    regions[0].want.needed = 600_000;
    divide(slots, &mut regions);
    assert_eq!(shares(&regions), [(500_000, 500_000), (100_000, 500_000)]);
    assert_eq!(regions[1].standing.back, None, "it may be believed still");
    // Nobody believes in the larger one any longer: it is asked how many are under way, and nothing moves until it says so.
    regions[1].settled = true;
    divide(slots, &mut regions);
    divide(slots, &mut regions);
    let asked = regions[1].standing.back.unwrap();
    assert_eq!((asked.units, asked.serial), (0, regions[1].standing.serial));
    assert_eq!(shares(&regions), [(500_000, 500_000), (100_000, 500_000)]);
    let gave = |serial, used| {
        let done = true;
        Some(Gave { serial, done, used })
    };
    regions[1].gave = gave(asked.serial - 1, 0);
    divide(slots, &mut regions);
    assert_eq!(regions[0].standing.millionths, 500_000);
    regions[1].gave = gave(asked.serial, 300_000);
    divide(slots, &mut regions);
    assert_eq!(shares(&regions), [(700_000, 700_000), (100_000, 300_000)]);
    // It is asked on until it fits, also by one that has seen nothing, and a word that comes late takes nothing back.
    regions[1].settled = false;
    regions[1].gave = gave(asked.serial, 500_000);
    divide(slots, &mut regions);
    assert_eq!(regions[1].standing.back, Some(asked));
    regions[1].gave = gave(asked.serial, 0);
    divide(slots, &mut regions);
    assert_eq!(shares(&regions), [(900_000, 900_000), (100_000, 100_000)]);
    divide(slots, &mut regions);
    assert_eq!(regions[1].standing.back, None);
    // Of what nobody wants any longer nothing stays but the floor, not even the last slot.
    regions[1].standing.set(110_000);
    divide(slots, &mut regions);
    assert_eq!(regions[1].standing.millionths, 100_000);
}

#[test]
fn slots_of_many_counts_stay_where_they_are() {
    let mut regions = [
        region(500_000, 500_000, 9, true),
        region(500_000, 500_000, 0, true),
    ];
    regions[0].want.needed = 900_000;
    divide(Divided::Slots { moves: false }, &mut regions);
    assert_eq!(shares(&regions), [(500_000, 500_000); 2]);
}

#[test]
fn a_share_of_a_quota_grows_where_it_is_used_and_never_becomes_less_by_itself() {
    let divided = Divided::Quota {
        period: PERIOD,
        amount: 1_000_000,
    };
    let mut regions = [Region::default(), Region::default()];
    divide(divided, &mut regions);
    assert_eq!(shares(&regions), [(100_000, 100_000); 2]);
    let mut last = 0;
    for used in (0..=1_000_000).step_by(20_000) {
        regions[0].want = Want {
            asked: 1,
            needed: used,
        };
        divide(divided, &mut regions);
        assert!(regions[0].standing.millionths >= last);
        last = regions[0].standing.millionths;
        assert!(unheld(&regions) <= 800_000);
    }
    assert_eq!(shares(&regions), [(900_000, 900_000), (100_000, 100_000)]);
    // One that waits for the last of it gets it; a request that is larger than the grant gets enough.
    let mut large = [Region::default(), Region::default()];
    divide(divided, &mut large);
    large[1].want.needed = 300_000;
    divide(divided, &mut large);
    assert!(large[1].standing.millionths >= 300_000);
}

#[test]
fn a_period_that_is_over_never_comes_back() {
    let divided = |period| Divided::Quota {
        period,
        amount: 1_000,
    };
    let mut regions = [Region::default(), Region::default()];
    divide(divided(PERIOD), &mut regions);
    regions[0].want.needed = 100_000;
    divide(divided(PERIOD), &mut regions);
    let lent = shares(&regions);
    assert!(lent[0].0 > 100_000);
    divide(divided(PERIOD - 1), &mut regions);
    assert_eq!(shares(&regions), lent);
    regions[0].want = Want::default();
    divide(divided(PERIOD + 1), &mut regions);
    assert_eq!(shares(&regions), [(100_000, 100_000); 2]);
}

#[test]
fn half_of_what_an_idle_region_does_not_use_comes_back_when_it_says_so() {
    const AMOUNT: u64 = 1_000;
    let divided = Divided::Quota {
        period: PERIOD,
        amount: AMOUNT,
    };
    let idle = Standing {
        millionths: 700_000,
        held: 700_000,
        serial: 5,
        period: PERIOD,
        ..Standing::default()
    };
    let short = Standing {
        millionths: 300_000,
        held: 300_000,
        ..idle
    };
    let region = |standing| Region {
        standing,
        may_give: true,
        ..Region::default()
    };
    let mut regions = [region(idle), region(short)];
    // Nobody is short.
    divide(divided, &mut regions);
    assert_eq!(regions[0].standing, idle);
    regions[1].want = Want {
        asked: 1,
        needed: 300_000,
    };
    // One that was asked lately is left alone.
    regions[0].may_give = false;
    divide(divided, &mut regions);
    assert_eq!(regions[0].standing, idle);
    regions[0].may_give = true;
    divide(divided, &mut regions);
    let back = regions[0].standing.back.unwrap();
    assert_eq!(
        (back.millionths, back.units, back.serial),
        (350_000, 350, 6)
    );
    assert_eq!(shares(&regions), [(700_000, 700_000), (300_000, 300_000)]);
    // An answer to another question is none.
    let gave = |serial, done, used| Some(Gave { serial, done, used });
    regions[0].gave = gave(5, true, 0);
    divide(divided, &mut regions);
    assert_eq!(regions[0].standing.back, Some(back));
    // There was no room: so much is used, and less is asked next.
    regions[0].gave = gave(6, false, 500_000);
    divide(divided, &mut regions);
    let less = regions[0].standing.back.unwrap();
    assert_eq!((less.millionths, less.units), (100_000, 100));
    assert_eq!(regions[0].standing.millionths, 700_000);
    // It is charged there: it is nobody's, and lent anew at once. The second word of it is none.
    regions[0].gave = gave(less.serial, true, 500_000);
    regions[0].may_give = false;
    divide(divided, &mut regions);
    divide(divided, &mut regions);
    assert_eq!(regions[0].standing.millionths, 600_000);
    assert_eq!(regions[0].standing.given, 100);
    assert!(regions[1].standing.millionths > 300_000);
    let held = |it: &Region| it.standing.held;
    assert!(regions.iter().map(held).sum::<u32>() <= WHOLE);
    // In the next period nothing is given.
    let next = Divided::Quota {
        period: PERIOD + 1,
        amount: AMOUNT,
    };
    divide(next, &mut regions);
    assert_eq!(
        (regions[0].standing.given, regions[0].standing.back),
        (0, None)
    );
}
