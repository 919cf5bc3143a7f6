//! The reservation protocol, simulated: seeded schedules of edges that ask, borrow, settle and die, over a network that
//! loses, repeats and delays, against a keeper whose clock steps.
//!
//! What the edges run is the real escrow, what the keeper runs is the real twin, which answers as the scripts do. Beside
//! them an account is kept by hand, of what was asked and what was said. `SLUICE_TEST_SCALE` times as many schedules are run
//! as usual; a schedule that fails prints its seed.

mod kept_test;
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
    reservation::{Ahead, BEQUEST_TERM_MS, Bequest, Line, Request, Reserved, Settlement, Wanted},
    topped::Topped,
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
    /// What is charged beyond a reservation is charged again when it comes again.
    TopsUpTwice,
    /// What a reservation left is given once, and whoever was given it is gone.
    GivesOnce,
    /// An end that comes after its lease changes nothing.
    ForgetsTheLate,
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
            given: 0,
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
    /// What its reservation was settled with: all of it where nobody said so in time.
    settled: i64,
    /// What was charged beyond that while it ran, and at its end.
    topped: i64,
    /// What it used, where it ended.
    used: Option<i64>,
    /// Its edge was gone before all that was to be said of it was sent.
    crashed: bool,
    /// Of one that has a reservation of its own: which.
    reservation: Option<[u8; 16]>,
    /// More was charged of it after another edge had made its record.
    topped_late: bool,
    given_back_at_ms: u64,
}

/// A request that is under way.
struct Running {
    request: Request,
    lines: Vec<Line>,
    purse: Option<PurseId>,
    topped: Topped,
    /// Which admitted one it is.
    number: usize,
}

struct Edge {
    escrow: Escrow,
    live: Vec<Running>,
    queue: Vec<Settlement>,
    /// Of each settlement that was sent for a request of its own, which admitted one it is, and whether it goes on.
    whose: HashMap<[u8; 16], (usize, bool)>,
}

/// What is held under an id, by the account; what has ended is held for longer, where it is no loan.
#[derive(Debug, Clone, Copy)]
struct Owed {
    amount: i64,
    until_ms: u64,
    is_loan: bool,
    ended: bool,
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
    /// The requests of which a record was posted because their edge was gone, with what it says.
    posted: HashMap<[u8; 16], i64>,
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
            posted: HashMap::new(),
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
                0..54 => self.ask(edge),
                54..62 => self.top_up(edge),
                62..80 => self.settle(edge),
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
        self.all_are_posted()?;
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
            bequest: &amount.to_le_bytes(),
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
                    self.admitted[number].reservation = Some(request.id);
                    self.edges[edge].whose.insert(request.id, (number, false));
                }
                let mut lines = lines;
                for line in &mut lines {
                    line.amount = 0;
                }
                self.edges[edge].queue.push(Settlement {
                    request,
                    lines,
                    charge_if_absent: true,
                    bequest: None,
                });
            }
        }
    }

    fn admit(&mut self, edge: usize, request: Request, lines: Vec<Line>, purse: Option<PurseId>) {
        let number = self.note(lines[0].amount);
        self.admitted[number].reservation = purse.is_none().then_some(request.id);
        self.edges[edge].live.push(Running {
            request,
            lines,
            purse,
            topped: Topped::default(),
            number,
        });
    }

    fn note(&mut self, amount: i64) -> usize {
        self.admitted.push(Admitted {
            at_ms: self.forward_ms,
            day: self.seen_ms / DAY_MS,
            amount,
            settled: amount,
            topped: 0,
            used: None,
            crashed: false,
            reservation: None,
            topped_late: false,
            given_back_at_ms: u64::MAX,
        });
        self.admitted.len() - 1
    }

    /// One that is under way has used more than it reserved, and goes on.
    fn top_up(&mut self, edge: usize) {
        let count = self.edges[edge].live.len();
        if count == 0 {
            return;
        }
        let place = self.random.usize(0..count);
        let more = self.random.i64(0..=12);
        let running = &mut self.edges[edge].live[place];
        let wanted = running.lines[0].amount + running.topped.units(0) + more;
        let charge = running
            .topped
            .raise(&running.request, &running.lines, |_| wanted);
        let (purse, number) = (running.purse, running.number);
        if let Some(mut charge) = charge {
            charge.bequest = Some(Bequest {
                id: running.request.id,
                text: wanted.to_le_bytes().into(),
            });
            self.charge(edge, charge, (purse, number));
        }
    }

    /// Charges beyond a reservation go where its settlement will go.
    fn charge(
        &mut self,
        edge: usize,
        charge: Settlement,
        (purse, number): (Option<PurseId>, usize),
    ) {
        let edge = &mut self.edges[edge];
        if let Some(purse) = purse {
            let overuse = charge.lines.iter().map(|line| (*line, line.amount));
            edge.escrow.settle(purse, overuse);
            return;
        }
        edge.whose.insert(charge.request.id, (number, true));
        edge.queue.push(charge);
    }

    fn settle(&mut self, edge: usize) {
        let count = self.edges[edge].live.len();
        if count == 0 {
            return;
        }
        let place = self.random.usize(0..count);
        let Running {
            request,
            mut lines,
            purse,
            mut topped,
            number,
        } = self.edges[edge].live.remove(place);
        let (reserved, charged) = (lines[0].amount, topped.units(0));
        // Mostly less than was charged by now; where something was beyond what was reserved, perhaps more.
        let most = reserved + charged + if charged > 0 { 3 } else { 0 };
        let used = match purse {
            Some(_) if !self.loans_give_back => reserved + charged,
            _ => self.random.i64(0..=most),
        };
        if let Some(last) = topped.last(&request, &lines, |_| used) {
            self.charge(edge, last, (purse, number));
        }
        let rest = used - topped.units(0);
        if let Some(purse) = purse {
            let overuse = lines.iter().map(|line| (*line, rest - line.amount));
            self.edges[edge].escrow.settle(purse, overuse);
            self.admitted[number].settled = used.min(reserved);
            self.admitted[number].given_back_at_ms = self.forward_ms;
            return;
        }
        self.admitted[number].used = Some(used);
        for line in &mut lines {
            line.amount = rest;
        }
        self.edges[edge].whose.insert(request.id, (number, false));
        self.edges[edge].queue.push(Settlement {
            request,
            lines,
            charge_if_absent: false,
            bequest: None,
        });
    }

    /// Sends what waits, in its order: each once, twice, or with the answer lost and then again.
    fn send(&mut self, edge: usize) {
        for settlement in std::mem::take(&mut self.edges[edge].queue) {
            let whose = self.edges[edge].whose.remove(&settlement.request.id);
            let goes_on = whose.is_some_and(|(_, goes_on)| goes_on);
            let times = if self.random.u32(0..5) == 0 { 2 } else { 1 };
            let mut in_time = false;
            for time in 0..times {
                let again = match self.fault {
                    Fault::SettlesTwice => time > 0,
                    Fault::TopsUpTwice => time > 0 && goes_on,
                    _ => false,
                };
                in_time |= self.keeper_settles(&settlement, again);
            }
            match whose {
                Some((number, true)) => {
                    let it = &mut self.admitted[number];
                    it.topped += settlement.lines[0].amount;
                    let posted = it
                        .reservation
                        .is_some_and(|id| self.posted.contains_key(&id));
                    it.topped_late |= posted;
                }
                Some((number, false)) if in_time => {
                    self.admitted[number].settled = settlement.lines[0].amount;
                    self.admitted[number].given_back_at_ms = self.forward_ms;
                }
                _ => {}
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
        let gone = std::mem::replace(&mut self.edges[edge], Edge::new());
        for (number, _) in gone.whose.into_values() {
            self.admitted[number].crashed = true;
        }
    }

    fn renew(&mut self) {
        if self.random.u32(0..12) != 0 {
            return;
        }
        let ids: Vec<[u8; 16]> = self
            .edges
            .iter()
            .flat_map(|edge| &edge.live)
            .filter(|running| running.purse.is_none())
            .map(|running| running.request.id)
            .collect();
        self.keeper.renew(ORGANIZATION, &ids, LEASE_MS, self.now_ms);
        for id in ids {
            if let Some(owed) = self.held.get_mut(&id).filter(|owed| !owed.ended) {
                owed.until_ms = self.now_ms + LEASE_MS;
            }
        }
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
