//! How a limit is divided: what moves, when, and what never does.

use super::*;

const PERIOD: u64 = 7;

fn region(millionths: u32, held: u32, asked: u64, settled: bool) -> Region {
    Region {
        standing: Standing {
            millionths,
            held,
            serial: 1,
            period: 0,
        },
        want: Want { asked, needed: 0 },
        settled,
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
fn a_share_of_a_quota_grows_where_it_is_used_and_never_becomes_less_in_its_period() {
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
