//! Processes that claim slots of one keeper, over a network that loses, repeats and delays what they say, with a keeper whose
//! clock jumps: never are more under way than there are slots.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use policy::id::{CounterId, OrganizationId};

use crate::{
    flights::{Flights, Pending, Seats},
    process::Process,
    reservation::{Claim, Claims, Request, Reserved, Said, Saying, Slot, Wanted},
};

const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);
const AMOUNTS: [u64; 2] = [7, 40];
const STEPS: usize = 600;
const START_MS: u64 = 1_700_000_000_000;
/// Nothing is longer on its way, unless it is lost.
const LATE_MS: u64 = 1_500;

/// What is wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// What comes late counts as what was said last.
    LateWordsCount,
    /// The keeper grants, and does not keep all that it granted.
    LosesWrites,
}

/// On its way to the keeper.
struct Sent {
    edge: usize,
    /// Which process it was that sent it.
    life: u64,
    at_ms: u64,
    what: What,
}

enum What {
    Claim(u64, u64, Vec<Claim>),
    Say(Saying, Instant),
}

/// On its way back.
enum Reply {
    Claim(u64, bool, Vec<Slot>),
    Say(Saying, Vec<u32>, Instant),
}

struct Edge {
    flights: Arc<Flights>,
    life: u64,
    pending: HashMap<u64, (Pending, usize)>,
    seats: Vec<(usize, Seats)>,
    replies: Vec<Reply>,
    looked_ms: u64,
}

struct World {
    random: fastrand::Rng,
    fault: Fault,
    /// Whether anything is lost. The keeper's clock jumps farther where nothing is.
    loses: bool,
    keeper: Process,
    base: Instant,
    elapsed_ms: u64,
    skew_ms: i64,
    edges: Vec<Edge>,
    /// Of each edge two connections, each in order.
    ways: Vec<Vec<Sent>>,
    ids: u64,
    heard: u64,
    admitted: u64,
    refused: u64,
}

impl World {
    fn new(seed: u64, fault: Fault) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let count = random.usize(2..=3);
        let mut world = Self {
            random,
            fault,
            loses: seed.is_multiple_of(2),
            keeper: Process::new(),
            base: Instant::now(),
            elapsed_ms: 0,
            skew_ms: 0,
            edges: Vec::new(),
            ways: (0..2 * count).map(|_| Vec::new()).collect(),
            ids: 0,
            heard: 0,
            admitted: 0,
            refused: 0,
        };
        world.edges = (0..count).map(|_| world.edge()).collect();
        world
    }

    fn edge(&mut self) -> Edge {
        self.ids += 1;
        Edge {
            flights: Arc::new(Flights::new()),
            life: self.ids,
            pending: HashMap::new(),
            seats: Vec::new(),
            replies: Vec::new(),
            looked_ms: self.elapsed_ms,
        }
    }

    fn now(&self) -> Instant {
        self.base + Duration::from_millis(self.elapsed_ms)
    }

    fn keepers_ms(&self) -> u64 {
        (START_MS + self.elapsed_ms).saturating_add_signed(self.skew_ms)
    }

    /// Runs one schedule, and says what is wrong.
    fn run(mut self) -> Result<(u64, u64), String> {
        for step in 0..STEPS {
            self.pass_time();
            let edge = self.random.usize(0..self.edges.len());
            match self.random.u32(0..100) {
                0..40 => self.ask(edge),
                40..60 => self.finish(edge),
                60..75 => self.deliver(),
                75..87 => self.hear(edge),
                87..93 => self.say(edge, false),
                93..96 => self.give_up(edge),
                96..97 if self.random.bool() => self.crash(edge),
                _ => self.lose(),
            }
            self.check().map_err(|why| format!("step {step}: {why}"))?;
        }
        self.all_is_free_in_the_end()?;
        Ok((self.admitted, self.refused))
    }

    fn pass_time(&mut self) {
        let by_ms = if self.random.u32(0..40) == 0 {
            self.random.u64(0..900)
        } else {
            self.random.u64(0..60)
        };
        self.elapsed_ms += by_ms;
        if self.random.u32(0..80) == 0 {
            let farthest_ms = if self.loses { -1_900 } else { -4_000 };
            self.skew_ms = self.random.i64(farthest_ms..=0);
        }
        for edge in 0..self.edges.len() {
            if self.elapsed_ms - self.edges[edge].looked_ms >= 1_000 {
                self.edges[edge].looked_ms = self.elapsed_ms;
                self.say(edge, true);
            }
        }
        for way in 0..self.ways.len() {
            while let Some(first) = self.ways[way].first()
                && self.elapsed_ms - first.at_ms >= LATE_MS
            {
                self.deliver_on(way);
            }
        }
    }

    fn send(&mut self, edge: usize, what: What) {
        let sent = Sent {
            edge,
            life: self.edges[edge].life,
            at_ms: self.elapsed_ms,
            what,
        };
        let way = 2 * edge + self.random.usize(0..2);
        self.ways[way].push(sent);
    }

    fn ask(&mut self, edge: usize) {
        let count = self.random.usize(0..AMOUNTS.len());
        let claim = Claim {
            counter: CounterId::from_bytes([u8::try_from(count).unwrap(); 16]),
            amount: AMOUNTS[count],
            known: (0, 0),
            base: 0,
            more: 1,
            spare: 0,
            retry_ms: 1,
            soft: false,
        };
        let now = self.now();
        let flights = &self.edges[edge].flights;
        match flights.take(ORGANIZATION, vec![claim], (true, now)) {
            Ok(seats) => {
                self.admitted += 1;
                self.edges[edge].seats.push((count, seats));
            }
            Err(pending) => {
                self.ids += 1;
                let claims = pending.claims();
                let what = What::Claim(self.ids, claims.turn, claims.each.to_vec());
                let id = self.ids;
                self.edges[edge].pending.insert(id, (pending, count));
                self.send(edge, what);
            }
        }
    }

    fn finish(&mut self, edge: usize) {
        let count = self.edges[edge].seats.len();
        if count > 0 {
            let place = self.random.usize(0..count);
            drop(self.edges[edge].seats.swap_remove(place));
        }
    }

    fn say(&mut self, edge: usize, all: bool) {
        let now = self.now();
        let saying = self.edges[edge].flights.due(all, now);
        if saying.is_empty() {
            return;
        }
        if self.loses && self.random.u32(0..10) == 0 {
            return;
        }
        if self.random.u32(0..10) == 0 {
            self.send(edge, What::Say(saying.clone(), now));
        }
        self.send(edge, What::Say(saying, now));
    }

    fn deliver(&mut self) {
        let way = self.random.usize(0..self.ways.len());
        if !self.ways[way].is_empty() {
            self.deliver_on(way);
        }
    }

    fn deliver_on(&mut self, way: usize) {
        let sent = self.ways[way].remove(0);
        let now_ms = self.keepers_ms();
        let edge = &mut self.edges[sent.edge];
        let reply = match sent.what {
            What::Claim(id, turn, each) => {
                // A dead process's claim is of an owner that nobody is any more.
                let mut owner = [9; 16];
                owner[..8].copy_from_slice(&sent.life.to_be_bytes());
                let claims = Claims {
                    owner,
                    turn,
                    each: &each,
                };
                let wanted = Wanted {
                    claims: Some(&claims),
                    ..Wanted::now(&[])
                };
                let request = Request {
                    organization: ORGANIZATION,
                    id: [0; 16],
                };
                let value = self.keeper.reserve(&request, wanted, 1_000, now_ms).value;
                match value {
                    Reserved::Granted { slots, .. } if self.fault == Fault::LosesWrites => {
                        let said = Said {
                            counter: each[0].counter,
                            number: slots[0].own - 1,
                            at_least: false,
                        };
                        let lost = Saying {
                            owner,
                            turn: turn + 1,
                            of: vec![(ORGANIZATION, vec![said])],
                        };
                        self.keeper.hold_slots(&lost, now_ms);
                        Reply::Claim(id, true, slots)
                    }
                    Reserved::Granted { slots, .. } => Reply::Claim(id, true, slots),
                    Reserved::Denied { slots, .. } => Reply::Claim(id, false, slots),
                    Reserved::Unknown { .. } | Reserved::Lacking { .. } => return,
                }
            }
            What::Say(mut saying, at) => {
                let turn = saying.turn;
                saying.owner = [9; 16];
                saying.owner[..8].copy_from_slice(&sent.life.to_be_bytes());
                if self.fault == Fault::LateWordsCount {
                    self.heard += 1;
                    saying.turn = (1 << 40) + self.heard;
                }
                let owned = self.keeper.hold_slots(&saying, now_ms);
                saying.turn = turn;
                Reply::Say(saying, owned, at)
            }
        };
        if edge.life == sent.life {
            edge.replies.push(reply);
        }
    }

    fn hear(&mut self, edge: usize) {
        let count = self.edges[edge].replies.len();
        if count == 0 {
            return;
        }
        let place = self.random.usize(0..count);
        match self.edges[edge].replies.remove(place) {
            Reply::Say(saying, owned, at) => self.edges[edge].flights.said(&saying, &owned, at),
            Reply::Claim(id, granted, slots) => {
                let Some((pending, count)) = self.edges[edge].pending.remove(&id) else {
                    return;
                };
                if granted {
                    self.admitted += 1;
                    let seats = pending.granted(&slots);
                    self.edges[edge].seats.push((count, seats));
                } else {
                    self.refused += 1;
                    pending.denied(&slots);
                }
            }
        }
    }

    /// A client leaves while its request asks.
    fn give_up(&mut self, edge: usize) {
        let first = self.edges[edge].pending.keys().min().copied();
        if let Some(id) = first {
            self.edges[edge].pending.remove(&id);
        }
    }

    fn lose(&mut self) {
        let way = self.random.usize(0..self.ways.len());
        if !self.loses || self.ways[way].is_empty() {
            return;
        }
        let sent = self.ways[way].remove(0);
        if let What::Claim(id, ..) = sent.what {
            self.edges[sent.edge].pending.remove(&id);
        }
    }

    /// A process is gone with all that was under way in it; what it sent may still come.
    fn crash(&mut self, edge: usize) {
        let next = self.edge();
        self.edges[edge] = next;
    }

    /// What all have together, by the keeper.
    fn kept(&mut self, count: usize) -> u64 {
        let probe = Claim {
            counter: CounterId::from_bytes([u8::try_from(count).unwrap(); 16]),
            amount: 1_000,
            known: (0, 0),
            base: 0,
            more: 2_000,
            spare: 0,
            retry_ms: 1,
            soft: false,
        };
        let claims = Claims {
            owner: [0; 16],
            turn: 0,
            each: &[probe],
        };
        let wanted = Wanted {
            claims: Some(&claims),
            ..Wanted::now(&[])
        };
        let request = Request {
            organization: ORGANIZATION,
            id: [0; 16],
        };
        let now_ms = self.keepers_ms();
        match self.keeper.reserve(&request, wanted, 1_000, now_ms).value {
            Reserved::Denied { slots, .. } => slots[0].others,
            other => panic!("{other:?}"),
        }
    }

    fn check(&mut self) -> Result<(), String> {
        for (count, amount) in AMOUNTS.into_iter().enumerate() {
            let under_way = self.edges.iter().flat_map(|edge| &edge.seats);
            let under_way = under_way.filter(|(of, _)| *of == count).count() as u64;
            let kept = self.kept(count);
            if under_way > amount || kept > amount {
                return Err(format!(
                    "{under_way} under way, {kept} claimed, of {amount}"
                ));
            }
        }
        Ok(())
    }

    fn all_is_free_in_the_end(&mut self) -> Result<(), String> {
        for edge in &mut self.edges {
            edge.seats.clear();
            edge.pending.clear();
        }
        self.loses = false;
        for _ in 0..400 {
            self.pass_time();
            self.deliver();
            let edge = self.random.usize(0..self.edges.len());
            self.hear(edge);
        }
        self.elapsed_ms += 16_000;
        self.skew_ms = 0;
        for count in 0..AMOUNTS.len() {
            let kept = self.kept(count);
            if kept > 0 {
                return Err(format!("{kept} of {count} are nobody's"));
            }
        }
        Ok(())
    }
}

fn run(seed: u64, fault: Fault) -> Result<(u64, u64), String> {
    World::new(seed, fault).run()
}

#[test]
fn never_are_more_under_way_than_there_are_slots() {
    let (mut admitted, mut refused) = (0, 0);
    for seed in 0..1_000 {
        let told = run(seed, Fault::None);
        let told = told.unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        admitted += told.0;
        refused += told.1;
    }
    assert!(admitted > 50_000 && refused > 5_000, "{admitted} {refused}");
}

#[test]
fn faults_that_are_put_in_are_found() {
    for fault in [Fault::LateWordsCount, Fault::LosesWrites] {
        let found = (0..1_000).any(|seed| run(seed, fault).is_err());
        assert!(found, "{fault:?}");
    }
}
