//! Loans against a keeper that counts: what is admitted, what comes back, and that no interval holds more than it may.

use policy::{id::ShelfId, limit::Rate};

use super::*;
use crate::process::Process;

const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);
const TERM_MS: u64 = 1_000;

/// Some edges, each with its own purses, and the counters that all of them share.
struct World {
    keeper: Process,
    escrows: Vec<Escrow>,
    start: Instant,
    now_ms: u64,
    ids: u64,
    asked: u64,
}

fn line(limit: u8, rate: (u64, u64, u64), amount: i64) -> Line {
    Line {
        counter: CounterId::from_bytes([limit; 16]),
        shelf: Shelf {
            id: ShelfId::from_bytes([limit; 16]),
            is_one_of_many: false,
        },
        measure: Measure::Rate(Rate::new(rate.0, rate.1, rate.2).unwrap()),
        soft: false,
        amount,
        counted_from_ms: 0,
        given: 0,
    }
}

impl World {
    fn of(edges: usize, term_ms: u64) -> Self {
        Self {
            keeper: Process::new(),
            escrows: (0..edges).map(|_| Escrow::new(term_ms)).collect(),
            start: Instant::now(),
            now_ms: 1_000_000,
            ids: 0,
            asked: 0,
        }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.now_ms)
    }

    /// One request, which uses `overuse` more than it asks; whether it is admitted, and by a loan.
    fn request(&mut self, edge: usize, lines: &[Line], overuse: i64) -> Option<bool> {
        self.ids += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.ids.to_be_bytes());
        let request = Request {
            organization: ORGANIZATION,
            id,
        };
        let now = self.now();
        let (purse, said) = self.escrows[edge].spend(&request, lines, now);
        let ahead = match said {
            Said::Reserved(Reserved::Granted { .. }) => {
                let over = lines.iter().map(|line| (*line, overuse));
                self.escrows[edge].settle(purse, over);
                return Some(true);
            }
            Said::Reserved(_) => return None,
            Said::Ask(ahead) => ahead,
        };
        self.asked += 1;
        let wanted = Wanted {
            lines,
            ahead: ahead.as_ref(),
            claims: None,
            bequest: &[],
        };
        let reply = self.keeper.reserve(&request, wanted, 30_000, self.now_ms);
        let before =
            self.escrows[edge].asked((purse, ORGANIZATION), wanted, Some(&reply.value), now);
        if let Some(before) = before {
            self.keeper.settle(&before, self.now_ms);
        }
        let granted = matches!(reply.value, Reserved::Granted { .. });
        if granted {
            let used = lines.iter().map(|line| Line {
                amount: line.amount + overuse,
                ..*line
            });
            let settlement = Settlement {
                request,
                lines: used.collect(),
                charge_if_absent: false,
                bequest: None,
            };
            self.keeper.settle(&settlement, self.now_ms);
        }
        granted.then_some(false)
    }

    fn sweep(&mut self, all: bool) {
        let now = self.now();
        for escrow in &self.escrows {
            for settlement in escrow.sweep(now, all) {
                self.keeper.settle(&settlement, self.now_ms);
            }
        }
    }

    fn level(&mut self, of: Line) -> i64 {
        self.ids += 1;
        let mut id = [255; 16];
        id[..8].copy_from_slice(&self.ids.to_be_bytes());
        let request = Request {
            organization: ORGANIZATION,
            id,
        };
        let probe = Line { amount: 0, ..of };
        let reply = self
            .keeper
            .reserve(&request, Wanted::now(&[probe]), 1, self.now_ms);
        match reply.value {
            Reserved::Granted { remaining, .. } | Reserved::Denied { remaining, .. } => {
                remaining[0]
            }
            Reserved::Unknown { .. } | Reserved::Lacking { .. } => {
                panic!("the keeper can always tell")
            }
        }
    }
}

#[test]
fn a_loan_of_which_nobody_heard_comes_back_also_where_that_overtakes_the_asking() {
    for overtakes in [false, true] {
        let mut world = World::of(1, TERM_MS);
        let lines = [line(1, (1, 3_600_000, 1_000), 1)];
        for _ in 0..5 {
            assert_eq!(world.request(0, &lines, 0), Some(false));
        }
        let (organization, id) = (ORGANIZATION, [7; 16]);
        let request = Request { organization, id };
        let now = world.now();
        let (purse, said) = world.escrows[0].spend(&request, &lines, now);
        let Said::Ask(Some(ahead)) = said else {
            panic!("five are a pace: {said:?}")
        };
        let wanted = Wanted {
            lines: &lines,
            ahead: Some(&ahead),
            claims: None,
            bequest: &[],
        };
        let back = world.escrows[0].asked((purse, organization), wanted, None, now);
        let back = back.expect("it is given back");
        if overtakes {
            world.keeper.settle(&back, world.now_ms);
        }
        let at_ms = world.now_ms;
        let reply = world.keeper.reserve(&request, wanted, 30_000, at_ms);
        let Reserved::Granted { lent, .. } = reply.value else {
            panic!("there is room")
        };
        assert_eq!(lent.is_empty(), overtakes, "{lent:?}");
        if !overtakes {
            world.keeper.settle(&back, world.now_ms);
        }
        world.now_ms += 10 * TERM_MS;
        assert_eq!(world.level(lines[0]), 1_000 - 6, "six were used");
    }
}

#[test]
fn a_busy_key_asks_once_for_many_requests_and_what_is_unused_comes_back() {
    let mut world = World::of(1, TERM_MS);
    let lines = [
        line(1, (3_600, 3_600_000, 1_000_000), 1),
        line(2, (3_600, 3_600_000, 1_000_000), 100),
    ];
    for _ in 0..3_000 {
        world.now_ms += 1;
        assert!(world.request(0, &lines, 0).is_some());
    }
    assert!(world.asked * 20 <= 3_000, "{} of 3,000 asked", world.asked);
    world.sweep(true);
    let refilled = 3;
    let spent = 1_000_000 - world.level(lines[1]);
    assert!((300_000 - refilled..=300_000).contains(&spent), "{spent}");
}

#[test]
fn what_requests_used_more_or_less_than_they_reserved_is_charged_to_the_unit() {
    for overuse in [-60, 250] {
        let mut world = World::of(2, TERM_MS);
        let one = [line(1, (1, 3_600_000, 10_000_000), 100)];
        for place in 0..4_000 {
            world.now_ms += 1;
            world.request(place % 2, &one, overuse);
            if place % 100 == 0 {
                world.sweep(false);
            }
        }
        world.sweep(true);
        assert_eq!(10_000_000 - world.level(one[0]), 4_000 * (100 + overuse));
    }
}

#[test]
fn what_was_used_beyond_a_loan_is_charged_also_where_its_settlement_comes_too_late() {
    let mut world = World::of(1, TERM_MS);
    let one = [line(1, (1, 3_600_000, 1_000_000), 1)];
    let mut requests = 1;
    while world.request(0, &one, 0) != Some(true) {
        (requests, world.now_ms) = (requests + 1, world.now_ms + 1);
    }
    let overuse = 50_000;
    assert_eq!(world.request(0, &one, overuse), Some(true), "by the loan");
    world.now_ms += TERM_MS;
    let sent = world.escrows[0].sweep(world.now(), false);
    world.now_ms += 10 * TERM_MS;
    world.level(one[0]);
    for settlement in sent {
        world.keeper.settle(&settlement, world.now_ms);
    }
    let used = requests + 1 + overuse;
    assert_eq!(1_000_000 - world.level(one[0]), used, "its use was lost");
}

/// What was admitted, when and how much, how many by loan, and the rate.
struct Flood {
    admitted: Vec<(u64, i64)>,
    by_loan: u32,
    rate: (u64, u64, u64),
}

/// Four edges at very different paces.
fn flood(seed: u64, term_ms: u64) -> Flood {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut world = World::of(4, term_ms);
    let (amount, window_ms) = (random.u64(2_000..50_000), 10_000);
    let burst = random.u64(amount / 20..amount / 2);
    let (mut admitted, mut by_loan) = (Vec::new(), 0);
    for turn in 0..20_000 {
        world.now_ms += u64::from(random.u32(0..4) == 0);
        if turn % 5_000 == 4_999 {
            // Long enough for loans to end unused, and for the bucket to fill behind them.
            world.now_ms += random.u64(0..3_000);
        }
        let edge = random.choice([0, 0, 0, 0, 1, 1, 2, 3]).unwrap();
        let units = random.i64(1..=i64::try_from(burst / 40).unwrap().max(1));
        let sweeps = random.u32(0..60) == 0;
        let one = line(1, (amount, window_ms, burst), units);
        if let Some(loan) = world.request(edge, &[one], 0) {
            admitted.push((world.now_ms, units));
            by_loan += u32::from(loan);
        }
        if sweeps {
            world.sweep(false);
        }
    }
    Flood {
        admitted,
        by_loan,
        rate: (amount, window_ms, burst),
    }
}

#[test]
fn edges_that_borrow_never_admit_more_than_the_bound_in_any_interval_and_use_nearly_all() {
    for seed in 0..40 {
        let Flood {
            admitted,
            by_loan,
            rate,
        } = flood(seed, TERM_MS);
        assert_bound(&admitted, rate);
        assert!(by_loan > 0, "seed {seed}: nothing was borrowed");
        let sum = |admitted: &[(u64, i64)]| admitted.iter().map(|(_, units)| units).sum::<i64>();
        let asking = flood(seed, 0).admitted;
        let (with, without) = (sum(&admitted), sum(&asking));
        assert!(
            with * 100 >= without * 97,
            "seed {seed}: {with} instead of {without}"
        );
    }
}

/// In any interval, by the running least of what would have been allowed: linear, because there are many.
fn assert_bound(admitted: &[(u64, i64)], (amount, window_ms, burst): (u64, u64, u64)) {
    let (mut level, mut then) = (i128::from(burst) * i128::from(window_ms), admitted[0].0);
    for (now_ms, units) in admitted {
        let cap = i128::from(burst) * i128::from(window_ms);
        level = (level + i128::from(now_ms - then) * i128::from(amount)).min(cap);
        then = *now_ms;
        level -= i128::from(*units) * i128::from(window_ms);
        assert!(level >= 0, "{units} too many at {now_ms}");
    }
}

#[test]
fn a_denial_is_believed_for_a_moment_and_only_for_as_much() {
    let mut world = World::of(1, TERM_MS);
    let tight = |units| [line(1, (60, 60_000, 10), units)];
    assert!(world.request(0, &tight(10), 0).is_some());
    assert!(world.request(0, &tight(5), 0).is_none());
    let asked = world.asked;
    for _ in 0..100 {
        assert!(world.request(0, &tight(5), 0).is_none());
    }
    assert_eq!(world.asked, asked, "a refusal was asked for again");
    assert!(world.request(0, &tight(4), 0).is_none());
    assert_eq!(world.asked, asked + 1, "less might have fitted");
    world.now_ms += 5_000;
    assert!(world.request(0, &tight(5), 0).is_some());
}

#[test]
fn of_a_crowd_hardly_anybody_asks_and_all_that_refills_is_used() {
    let mut world = World::of(8, TERM_MS);
    let one = [line(1, (20, 1_000, 20), 1)];
    let (seconds, mut admitted) = (10, 0);
    for at in 0..seconds * 1_000 {
        world.now_ms += 1;
        admitted += u64::from(world.request(at % 8, &one, 0).is_some());
        admitted += u64::from(world.request((at + 3) % 8, &one, 0).is_some());
    }
    assert!((215..=220).contains(&admitted), "{admitted}");
    assert!(world.asked <= 2_000, "{} of 20,000 asked", world.asked);
}

#[test]
fn a_crowd_stays_one_when_answers_come_after_their_time() {
    let escrow = Escrow::new(TERM_MS);
    let lines = [line(1, (20, 1_000, 20), 1)];
    let request = Request {
        organization: ORGANIZATION,
        id: [1; 16],
    };
    let denied = Reserved::Denied {
        tightest: 0,
        retry_after_ms: 50,
        remaining: vec![0],
        slots: Vec::new(),
    };
    let (mut now, mut asked) = (Instant::now(), 0);
    // Each time ten come while the question takes longer than any refusal is believed.
    for _ in 0..20 {
        let came = (0..10).map(|_| escrow.spend(&request, &lines, now));
        let asking: Vec<_> = came
            .filter_map(|(purse, said)| match said {
                Said::Ask(ahead) => Some((purse, ahead)),
                Said::Reserved(_) => None,
            })
            .collect();
        let sent = now;
        now += Duration::from_millis(150);
        asked += asking.len();
        for (purse, ahead) in asking {
            let wanted = Wanted {
                lines: &lines,
                ahead: ahead.as_ref(),
                claims: None,
                bequest: &[],
            };
            escrow.asked((purse, ORGANIZATION), wanted, Some(&denied), sent);
        }
    }
    assert!(asked <= 10 + 20, "{asked} of 200 asked");
}

#[test]
fn who_comes_just_as_often_as_is_allowed_is_never_refused() {
    let mut world = World::of(1, TERM_MS);
    let one = [line(1, (20, 1_000, 20), 1)];
    while world.request(0, &one, 0).is_some() {}
    for _ in 0..100 {
        world.now_ms += 50;
        assert!(world.request(0, &one, 0).is_some(), "{}", world.now_ms);
    }
}

#[test]
fn a_loan_whose_edge_is_gone_is_charged_in_full_when_its_term_ends() {
    let mut world = World::of(1, TERM_MS);
    let one = [line(1, (1, 3_600_000, 1_000), 1)];
    for _ in 0..40 {
        world.now_ms += 1;
        world.request(0, &one, 0);
    }
    let left = world.level(one[0]);
    world.escrows.clear();
    world.now_ms += TERM_MS + GRACE_MS + 1;
    // The first call clears it away, and the next sees the bucket without it.
    world.level(one[0]);
    assert!((left..=left + 1).contains(&world.level(one[0])));
    let bucket_is_whole_again_ms = 3_600_000_u64 * 1_100;
    world.now_ms += bucket_is_whole_again_ms;
    assert_eq!(world.level(one[0]), 1_000, "the loan still keeps its place");
}

#[test]
fn a_purse_that_nobody_used_for_long_bears_nothing_any_more() {
    let escrow = Escrow::new(1_000);
    let lines = [line(1, (100, 1_000, 100), 5)];
    let request = Request {
        organization: ORGANIZATION,
        id: [1; 16],
    };
    let now = Instant::now();
    let (purse, _) = escrow.spend(&request, &lines, now);
    let overuse = || lines.iter().map(|line| (*line, 7));
    assert!(escrow.settle(purse, overuse()));
    let later = now + IDLE_MAX;
    let paid = escrow.sweep(later, false);
    assert_eq!(paid.len(), 1, "what is owed is charged before it goes");
    assert!(!escrow.settle(purse, overuse()));
}
