//! The reservation protocol, simulated: seeded schedules of edges that ask, borrow, settle and die, over a network that
//! loses, repeats and delays, against a keeper whose clock steps.
//!
//! What the edges run is the real escrow, what the keeper runs is the real twin, which answers as the scripts do. Beside
//! them an account is kept by hand, of what was asked and what was said. `SLUICE_TEST_SCALE` times as many schedules are run
//! as usual; a schedule that fails prints its seed.

mod judged_test;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use policy::{
    applying::{Measure, Shelf},
    calendar::Span,
    id::{CounterId, OrganizationId, ShelfId},
    limit::Rate,
};

use crate::{
    escrow::{Escrow, PurseId, Said},
    process::Process,
    reservation::{Ahead, Line, Request, Reserved, Settlement, Wanted},
};

const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);
const LEASE_MS: u64 = 3_000;
const TERM_MS: u64 = 400;
const START_MS: u64 = 1_000 * DAY_MS;
/// A day that is short, so that schedules meet its end.
const DAY_MS: u64 = 4_000;
const STEPS: usize = 140;

/// What is wrong with the keeper, to see that it is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// A settlement that comes again is applied again.
    SettlesTwice,
    /// A lease that ends gives back what it held.
    RefundsTheDead,
    /// The last limit is not looked at.
    SkipsALimit,
}

/// The three limits of every request: one that is never short, to be compared to the unit; a rate; and a quota.
fn lines(now_ms: u64, amount: i64) -> Vec<Line> {
    let rate =
        |amount, window_ms, burst| Measure::Rate(Rate::new(amount, window_ms, burst).unwrap());
    let from_ms = now_ms / DAY_MS * DAY_MS;
    let span = Span {
        before_ms: from_ms - DAY_MS,
        from_ms,
        to_ms: from_ms + DAY_MS,
    };
    let quota = Measure::Quota { amount: 900, span };
    let measures = [
        (1, rate(1, 3_600_000, ACCOUNT)),
        (3, quota),
        (2, rate(200, 1_000, 60)),
    ];
    measures
        .map(|(counter, measure)| Line {
            counter: CounterId::from_bytes([counter; 16]),
            shelf: Shelf {
                id: ShelfId::from_bytes([1; 16]),
                is_one_of_many: false,
            },
            measure,
            amount,
            soft: false,
            counted_from_ms: 0,
        })
        .into()
}

const ACCOUNT: u64 = 1_000_000_000;

/// A request that was admitted, or that would have been had the answer come.
#[derive(Debug, Clone, Copy)]
struct Admitted {
    at_ms: u64,
    day: u64,
    amount: i64,
    /// What it is charged in the end: what it used, or all where nobody said so.
    charged: i64,
    given_back_at_ms: u64,
}

struct Edge {
    escrow: Escrow,
    live: Vec<(Request, Vec<Line>, Option<PurseId>, usize)>,
    queue: Vec<Settlement>,
    /// Of each settlement that was sent for a request of its own, which admitted one it is.
    whose: HashMap<[u8; 16], usize>,
}

/// What is held under an id, by the account.
#[derive(Debug, Clone, Copy)]
struct Owed {
    amount: i64,
    until_ms: u64,
}

struct World {
    random: fastrand::Rng,
    /// Whether requests that were admitted from a loan use less than they reserved. What they give back arrives whenever
    /// a settlement does, so that the bound of a rate can then not be told from their times.
    loans_give_back: bool,
    fault: Fault,
    keeper: Process,
    /// The keeper's clock, and how far it is from the edges'.
    now_ms: u64,
    /// The latest that it was when the keeper was called: no day begins before.
    seen_ms: u64,
    /// All that any clock went forward, which is what a limit can have refilled for.
    forward_ms: u64,
    skew_ms: i64,
    base: Instant,
    elapsed_ms: u64,
    edges: Vec<Edge>,
    ids: u64,
    admitted: Vec<Admitted>,
    /// The account of the first limit: what is held, what is done with, and the sum of what was charged.
    held: HashMap<[u8; 16], Owed>,
    done: HashMap<[u8; 16], u64>,
    charged: i64,
}

impl World {
    fn new(seed: u64, fault: Fault) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let edges = (0..random.usize(1..=3)).map(|_| Edge::new()).collect();
        Self {
            random,
            loans_give_back: seed % 2 == 1,
            fault,
            keeper: Process::new(),
            now_ms: START_MS,
            seen_ms: START_MS,
            forward_ms: 0,
            skew_ms: 0,
            base: Instant::now(),
            elapsed_ms: 0,
            edges,
            ids: 0,
            admitted: Vec::new(),
            held: HashMap::new(),
            done: HashMap::new(),
            charged: 0,
        }
    }

    fn instant(&self) -> Instant {
        self.base + Duration::from_millis(self.elapsed_ms)
    }

    /// Runs one schedule, and says what is wrong.
    fn run(mut self) -> Result<(), String> {
        for _ in 0..STEPS {
            self.pass_time();
            let edge = self.random.usize(0..self.edges.len());
            match self.random.u32(0..100) {
                0..60 => self.ask(edge),
                60..80 => self.settle(edge),
                80..92 => self.send(edge),
                92..94 => self.crash(edge),
                _ => self.sweep(edge, false),
            }
            self.renew();
        }
        for edge in 0..self.edges.len() {
            while !self.edges[edge].live.is_empty() {
                self.settle(edge);
            }
            self.sweep(edge, true);
            self.send(edge);
        }
        self.keeper_is_right()?;
        self.bounds_hold()
    }

    fn pass_time(&mut self) {
        let by_ms = if self.random.u32(0..30) == 0 {
            self.random.u64(0..900)
        } else {
            self.random.u64(0..25)
        };
        self.elapsed_ms += by_ms;
        self.forward_ms += by_ms;
        if self.random.u32(0..60) == 0 {
            // Back by less than a window, and forth again; never so far ahead that a loan ends while it may be spent.
            let before_ms = std::mem::replace(&mut self.skew_ms, self.random.i64(-400..=0));
            self.forward_ms += u64::try_from(self.skew_ms - before_ms).unwrap_or(0);
        }
        self.now_ms = (START_MS + self.elapsed_ms).saturating_add_signed(self.skew_ms);
    }

    fn id(&mut self) -> [u8; 16] {
        self.ids += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.ids.to_be_bytes());
        id[8..].copy_from_slice(&self.random.u64(..).to_be_bytes());
        id
    }

    fn ask(&mut self, edge: usize) {
        let amount = if self.random.u32(0..6) == 0 {
            self.random.i64(1..=40)
        } else {
            self.random.i64(1..=6)
        };
        // An edge's own clock tells it the day.
        let lines = lines(START_MS + self.elapsed_ms, amount);
        let request = Request {
            organization: ORGANIZATION,
            id: self.id(),
        };
        let now = self.instant();
        let (purse, said) = self.edges[edge].escrow.spend(&request, &lines, now);
        let ahead = match said {
            Said::Reserved(Reserved::Granted { .. }) => {
                return self.admit(edge, request, lines, Some(purse));
            }
            Said::Reserved(_) => return,
            Said::Ask(ahead) => ahead,
        };
        let wanted = Wanted {
            lines: &lines,
            ahead: ahead.as_ref(),
            claims: None,
        };
        let fate = self.random.u32(0..20);
        let mut answer = (fate > 0).then(|| self.keeper_reserves(&request, wanted));
        if fate == 1 {
            // It came twice.
            answer = Some(self.keeper_reserves(&request, wanted));
        }
        // Its answer is lost, so that nobody admits it and everything is given back.
        let lost = fate <= 1 || fate == 2;
        let heard = if lost { None } else { answer.as_ref() };
        let earlier = self.edges[edge]
            .escrow
            .asked((purse, ORGANIZATION), wanted, heard, now);
        self.edges[edge].queue.extend(earlier);
        match heard {
            Some(Reserved::Granted { .. }) => self.admit(edge, request, lines, None),
            Some(_) => {}
            None => {
                if let Some(Reserved::Granted { .. }) = answer {
                    let number = self.note(lines[0].amount);
                    self.edges[edge].whose.insert(request.id, number);
                }
                let mut lines = lines;
                for line in &mut lines {
                    line.amount = 0;
                }
                self.edges[edge].queue.push(Settlement {
                    request,
                    lines,
                    charge_if_absent: true,
                });
            }
        }
    }

    fn admit(&mut self, edge: usize, request: Request, lines: Vec<Line>, purse: Option<PurseId>) {
        let number = self.note(lines[0].amount);
        self.edges[edge].live.push((request, lines, purse, number));
    }

    fn note(&mut self, amount: i64) -> usize {
        self.admitted.push(Admitted {
            at_ms: self.forward_ms,
            day: self.seen_ms / DAY_MS,
            amount,
            charged: amount,
            given_back_at_ms: u64::MAX,
        });
        self.admitted.len() - 1
    }

    fn settle(&mut self, edge: usize) {
        let count = self.edges[edge].live.len();
        if count == 0 {
            return;
        }
        let place = self.random.usize(0..count);
        let (request, mut lines, purse, number) = self.edges[edge].live.remove(place);
        let used = self.random.i64(0..=lines[0].amount);
        if let Some(purse) = purse {
            let used = if self.loans_give_back {
                used
            } else {
                lines[0].amount
            };
            let overuse = lines.iter().map(|line| (*line, used - line.amount));
            self.edges[edge].escrow.settle(purse, overuse);
            self.admitted[number].charged = used;
            self.admitted[number].given_back_at_ms = self.forward_ms;
            return;
        }
        for line in &mut lines {
            line.amount = used;
        }
        self.edges[edge].whose.insert(request.id, number);
        self.edges[edge].queue.push(Settlement {
            request,
            lines,
            charge_if_absent: false,
        });
    }

    /// Sends what waits, in its order: each once, twice, or with the answer lost and then again.
    fn send(&mut self, edge: usize) {
        for settlement in std::mem::take(&mut self.edges[edge].queue) {
            let times = if self.random.u32(0..5) == 0 { 2 } else { 1 };
            let mut in_time = false;
            for time in 0..times {
                in_time |= self.keeper_settles(&settlement, time > 0);
            }
            if let Some(number) = self.edges[edge].whose.remove(&settlement.request.id) {
                // Too late for its lease, it was charged in full.
                if in_time {
                    self.admitted[number].charged = settlement.lines[0].amount;
                    self.admitted[number].given_back_at_ms = self.forward_ms;
                }
            }
        }
    }

    fn sweep(&mut self, edge: usize, all: bool) {
        let now = self.instant();
        let settlements = self.edges[edge].escrow.sweep(now, all);
        self.edges[edge].queue.extend(settlements);
    }

    /// An edge is gone with all it knew; another comes in its place.
    fn crash(&mut self, edge: usize) {
        self.edges[edge] = Edge::new();
    }

    fn renew(&mut self) {
        if self.random.u32(0..12) != 0 {
            return;
        }
        let ids: Vec<[u8; 16]> = self
            .edges
            .iter()
            .flat_map(|edge| &edge.live)
            .filter(|(_, _, purse, _)| purse.is_none())
            .map(|(request, ..)| request.id)
            .collect();
        self.keeper.renew(ORGANIZATION, &ids, LEASE_MS, self.now_ms);
        for id in ids {
            if let Some(owed) = self.held.get_mut(&id) {
                owed.until_ms = self.now_ms + LEASE_MS;
            }
        }
    }
}

// What the keeper does, and what the account says of it.
impl World {
    fn keeper_reserves(&mut self, request: &Request, wanted: Wanted<'_>) -> Reserved {
        self.seen_ms = self.seen_ms.max(self.now_ms);
        let skipped = wanted.lines.len() - usize::from(self.fault == Fault::SkipsALimit);
        let amounts = wanted.ahead.map(|ahead| Ahead {
            amounts: ahead.amounts[..skipped].to_vec(),
            ..ahead.clone()
        });
        let asked = Wanted {
            lines: &wanted.lines[..skipped],
            ahead: amounts.as_ref(),
            claims: None,
        };
        let reply = self.keeper.reserve(request, asked, LEASE_MS, self.now_ms);
        let (mut value, mut reaps) = (reply.value, false);
        if let Reserved::Granted {
            remaining, lent, ..
        } = &mut value
        {
            let known = self.held.contains_key(&request.id) || self.done.contains_key(&request.id);
            if !known {
                self.hold(request.id, wanted.lines[0].amount, LEASE_MS);
            }
            // What has ended is cleared away by what is written, and by nothing else.
            reaps = !known;
            if let (Some(ahead), [first, ..]) = (wanted.ahead, lent.as_slice()) {
                self.hold(ahead.loan, *first, ahead.term_ms);
            }
            if self.fault == Fault::SkipsALimit {
                remaining.push(0);
                if let Some(last) = lent.last().copied() {
                    lent.push(last);
                }
            }
        }
        if reaps {
            self.reap();
        }
        value
    }

    fn hold(&mut self, id: [u8; 16], amount: i64, lease_ms: u64) {
        let until_ms = self.now_ms + lease_ms;
        self.held.insert(id, Owed { amount, until_ms });
        self.charged += amount;
    }

    /// Says whether what is settled was still held.
    fn keeper_settles(&mut self, settlement: &Settlement, again: bool) -> bool {
        self.seen_ms = self.seen_ms.max(self.now_ms);
        let mut sent = settlement.clone();
        if again && self.fault == Fault::SettlesTwice {
            sent.request.id = self.id();
            sent.charge_if_absent = true;
        }
        self.keeper.settle(&sent, self.now_ms);
        let id = settlement.request.id;
        let used = |line: Option<&Line>| line.map_or(0, |line| line.amount);
        let first = settlement
            .lines
            .iter()
            .find(|line| line.counter == CounterId::from_bytes([1; 16]));
        let remembered = self
            .done
            .get(&id)
            .is_some_and(|until_ms| *until_ms > self.now_ms);
        let held = self.held.remove(&id);
        if let Some(owed) = held {
            // A line that is not named was used as reserved.
            let named = first.map_or(owed.amount, |line| line.amount);
            self.charged += named - owed.amount;
            self.done.insert(id, u64::MAX);
        } else if settlement.charge_if_absent && !remembered {
            self.charged += used(first);
            self.done.insert(id, u64::MAX);
        }
        self.reap();
        held.is_some()
    }

    /// A lease that has ended was charged when it was made.
    fn reap(&mut self) {
        let now_ms = self.now_ms;
        if self.fault == Fault::RefundsTheDead {
            let dead = self
                .held
                .iter()
                .find(|(_, owed)| owed.until_ms <= now_ms + 50);
            if let Some((id, owed)) = dead {
                let lines = vec![Line {
                    amount: -owed.amount,
                    ..lines(now_ms, 0)[0]
                }];
                let request = Request {
                    organization: ORGANIZATION,
                    id: [id[7]; 16],
                };
                self.keeper.settle(
                    &Settlement {
                        request,
                        lines,
                        charge_if_absent: true,
                    },
                    now_ms,
                );
            }
        }
        self.held.retain(|_, owed| owed.until_ms > now_ms);
    }
}

impl Edge {
    fn new() -> Self {
        Self {
            escrow: Escrow::new(TERM_MS),
            live: Vec::new(),
            queue: Vec::new(),
            whose: HashMap::new(),
        }
    }
}
