//! The division of limits between regions, simulated: seeded schedules of edges that ask and believe, and of replicas that take
//! turns at dividing, over a network that loses, delays and repeats, with crashes, restarts, and wall clocks that step.
//!
//! What edges run is the real lessee, what replicas run is the real division and the real watch. At every step the parts of a
//! rate that regions believe in are together no more than the whole; of slots, what each region has under way or believes in,
//! whichever is more; of a quota, what each region has used in one period and what its counts would still admit by the most that
//! it ever believed. `SLUICE_TEST_SCALE` times as many schedules are run as usual; one that fails prints its seed.

use std::collections::HashMap;

use policy::{
    applying::{Count, Measure},
    id::LimitId,
    limit::Rate,
    region::Region as Name,
    share::{Lessee, Share, TERM_MS, period},
};

use super::*;

#[path = "division_fault_test.rs"]
mod fault;
#[path = "division_keeper_test.rs"]
mod keeper;
#[path = "division_seats_test.rs"]
mod seats;

use fault::{FAULTS, Fault};
use keeper::{Keeper, quota};
use seats::Seats;

const RATE: LimitId = LimitId::from_bytes([1; 16]);
const QUOTA: LimitId = LimitId::from_bytes([2; 16]);
const SLOTS: LimitId = LimitId::from_bytes([3; 16]);
const PERIOD_MS: u64 = 60_000;
const START_MS: u64 = 1_000_000 * PERIOD_MS;
const STEPS: usize = 600;
const LIMITS: [LimitId; 3] = [RATE, QUOTA, SLOTS];

type Shares = Vec<(LimitId, Share, Option<Back>)>;

/// What an edge says of what it was asked.
type Given = HashMap<LimitId, Gave>;

/// What is committed: of each limit, how each region stands.
type Rows = HashMap<LimitId, Vec<Standing>>;

#[derive(Debug, Clone)]
enum Message {
    Beat {
        replica: usize,
        edge: usize,
        boot: u64,
        number: u64,
        gave: Given,
    },
    Shares {
        edge: usize,
        boot: u64,
        number: u64,
        shares: Shares,
    },
}

struct Edge {
    region: usize,
    boot: u64,
    lessee: Lessee,
    gave: Given,
    /// Its steady clock shows so much more than the world's, and goes so much differently.
    began_ms: u64,
    drift: i64,
    wall_ms: i64,
}

#[derive(Default)]
struct Replica {
    began_ms: u64,
    wall_ms: i64,
    watch: Watch<(LimitId, usize)>,
    begun: u64,
    told: Option<(u64, Rows)>,
    /// Beats to answer: who asks, and the reading that had begun.
    asked: Vec<(usize, u64, u64, u64)>,
    /// A reading under way: its number, and what was read where it was.
    turn: Option<(u64, Option<Rows>)>,
    wants: HashMap<(LimitId, usize), Want>,
    gave: HashMap<(LimitId, usize), Gave>,
}

struct World {
    random: fastrand::Rng,
    fault: Fault,
    now_ms: u64,
    names: Vec<Name>,
    edges: Vec<Edge>,
    replicas: Vec<Replica>,
    rows: Rows,
    network: Vec<(u64, Message)>,
    /// What counts the quota in each region.
    keepers: Vec<Keeper>,
    /// What is under way in each region.
    seats: Vec<Seats>,
    /// How often something was given back, to see that it is.
    given: u32,
    /// How much of the whole was lent at most, to see that anything moves.
    largest: u32,
    /// How many of the slots one region had under way at most.
    crowd: u64,
}

impl World {
    fn new(seed: u64, fault: Fault) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let regions = random.usize(2..=4);
        let names = (0..regions).map(|at| Name::try_from(&*format!("region-{at}")).unwrap());
        let names: Vec<Name> = names.collect();
        let edges = (0..regions * random.usize(1..=3)).map(|at| Edge {
            region: at % regions,
            boot: 0,
            lessee: Lessee::default(),
            gave: Given::new(),
            began_ms: START_MS,
            drift: random.i64(-100..=100),
            wall_ms: random.i64(-500..=500),
        });
        let edges = edges.collect();
        let replicas = (0..random.usize(1..=3)).map(|_| Replica::begin(START_MS));
        Self {
            edges,
            replicas: replicas.collect(),
            fault,
            now_ms: START_MS,
            keepers: (0..regions).map(|_| Keeper::default()).collect(),
            seats: (0..regions).map(|_| Seats::default()).collect(),
            given: 0,
            names,
            rows: Rows::new(),
            network: Vec::new(),
            largest: 0,
            crowd: 0,
            random,
        }
    }

    fn step(&mut self) {
        self.now_ms += self.random.u64(0..1_200);
        self.deliver();
        let user = self.random.usize(0..self.edges.len());
        self.spend(user);
        self.sit(user);
        let (edge, replica) = (
            self.random.usize(0..self.edges.len()),
            self.random.usize(0..self.replicas.len()),
        );
        match self.random.u32(0..100) {
            0..=54 => self.beat(edge, replica),
            55..=89 => self.turn(replica),
            90 => self.edges[edge].restart(self.now_ms),
            91 => self.replicas[replica] = Replica::begin(self.now_ms),
            92 => self.edges[edge].wall_ms = self.random.i64(-90_000..=90_000),
            93 => self.replicas[replica].wall_ms = self.random.i64(-90_000..=90_000),
            94 => self.edges[edge].wall_ms = 0,
            95 => self.replicas[replica].wall_ms = 0,
            // A while in which nothing arrives, nor is anything done.
            96 => self.now_ms += self.random.u64(0..40_000),
            97 => self.network.clear(),
            98 => self.forget(edge),
            _ => {}
        }
    }

    fn send(&mut self, message: &Message) {
        let longest = if self.random.u32(0..10) == 0 {
            60_000
        } else {
            500
        };
        for _ in 0..self.random.usize(0..=4).min(2) {
            let at_ms = self.now_ms + self.random.u64(0..longest);
            self.network.push((at_ms, message.clone()));
        }
    }

    fn deliver(&mut self) {
        let now_ms = self.now_ms;
        let (due, later) = std::mem::take(&mut self.network)
            .into_iter()
            .partition(|it| it.0 <= now_ms);
        self.network = later;
        for (_, message) in due {
            self.hear(message);
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Beat {
                replica,
                edge,
                boot,
                number,
                gave,
            } => {
                let region = self.edges[edge].region;
                let heard = &mut self.replicas[replica];
                for limit in LIMITS {
                    // What is under way changes less often.
                    if limit == SLOTS && self.random.u32(0..12) > 0 {
                        continue;
                    }
                    let asked = self.random.u64(0..100).pow(2);
                    let needed = self.random.u32(0..WHOLE);
                    let silent = self.random.u32(0..3) == 0;
                    let want = Want { asked, needed };
                    let want = if silent { Want::default() } else { want };
                    heard.wants.insert((limit, region), want);
                }
                let gave = gave.into_iter();
                heard
                    .gave
                    .extend(gave.map(|(of, gave)| ((of, region), gave)));
                let begun = heard.begun;
                heard.asked.push((edge, boot, number, begun));
                if self.fault == Fault::AnswersFromBefore {
                    self.answer(replica, true);
                }
            }
            Message::Shares {
                edge,
                boot,
                number,
                shares,
            } => {
                let at = edge;
                let edge = &mut self.edges[at];
                if edge.boot != boot {
                    return;
                }
                let number = match self.fault {
                    Fault::CountsFromArrival => edge.lessee.ask(edge.at_ms(self.now_ms)),
                    _ => number,
                };
                let told = shares.iter().map(|it| (it.0, it.1));
                if edge.lessee.told(number, TERM_MS, told) {
                    let of = |limit: LimitId| {
                        let mut asked = shares.iter().filter(move |it| it.0 == limit);
                        asked.find_map(|it| Some((it.1.period, it.2?)))
                    };
                    self.give(at, of(QUOTA));
                    self.count(at, of(SLOTS));
                }
            }
        }
    }

    fn beat(&mut self, at: usize, replica: usize) {
        let edge = &mut self.edges[at];
        let number = edge.lessee.ask(edge.at_ms(self.now_ms));
        let (edge, boot, gave) = (at, edge.boot, edge.gave.clone());
        self.send(&Message::Beat {
            replica,
            edge,
            boot,
            number,
            gave,
        });
    }

    /// One of the three parts of a turn: it begins; it reads, divides and commits, or fails; it is told.
    fn turn(&mut self, at: usize) {
        match self.replicas[at].turn.take() {
            None => {
                let replica = &mut self.replicas[at];
                replica.begun += 1;
                let read = (self.fault == Fault::NoLock).then(|| self.rows.clone());
                replica.turn = Some((replica.begun, read));
            }
            Some((number, read)) if self.random.u32(0..10) > 0 => self.commit(at, number, read),
            // It failed, or nobody knows.
            Some((number, read)) => {
                if self.random.bool() {
                    self.commit(at, number, read);
                    self.replicas[at] = Replica::begin(self.now_ms);
                }
            }
        }
        self.answer(at, false);
    }

    fn commit(&mut self, at: usize, number: u64, read: Option<Rows>) {
        let count = self.names.len();
        let replica = &mut self.replicas[at];
        let wall_ms = self.now_ms.saturating_add_signed(replica.wall_ms);
        let at_ms = self.now_ms - replica.began_ms;
        let mut rows = read.unwrap_or_else(|| self.rows.clone());
        let said = std::mem::take(&mut replica.gave);
        for limit in LIMITS {
            let divided = match limit {
                RATE => Divided::Rate,
                SLOTS => Divided::Slots { moves: true },
                _ => Divided::Quota {
                    period: period(&quota(wall_ms)),
                    amount: 1_000_000,
                },
            };
            let stand = rows
                .entry(limit)
                .or_insert_with(|| vec![first(divided, count); count]);
            if self.fault == Fault::GoesBack && limit == QUOTA {
                let now = period(&quota(wall_ms));
                stand
                    .iter_mut()
                    .filter(|it| it.period > now)
                    .for_each(|it| it.period = 0);
            }
            let region = |(at, standing): (usize, &Standing)| Region {
                standing: *standing,
                want: replica.wants.get(&(limit, at)).copied().unwrap_or_default(),
                settled: self.fault == Fault::DoesNotWait
                    || (self.fault == Fault::CountsSlotsEarly && limit == SLOTS)
                    || replica
                        .watch
                        .has_settled(&(limit, at), standing.serial, at_ms),
                may_give: limit == QUOTA && {
                    let rested = (standing.serial, RESTED_MS);
                    replica.watch.has_stood(&(limit, at), rested, at_ms)
                },
                gave: said.get(&(limit, at)).map(|gave| {
                    let any = standing
                        .back
                        .filter(|_| self.fault == Fault::TakesAnyAnswer);
                    let serial = any.map_or(gave.serial, |it| it.serial);
                    Gave { serial, ..*gave }
                }),
            };
            let mut regions: Vec<Region> = stand.iter().enumerate().map(region).collect();
            if self.fault == Fault::FreesSlots && limit == SLOTS {
                seats::free_settled(&mut regions);
            }
            divide(divided, &mut regions);
            if self.fault == Fault::DoesNotAsk {
                keeper::take_unasked(&mut regions);
            }
            *stand = regions.into_iter().map(|it| it.standing).collect();
        }
        self.rows.clone_from(&rows);
        let serials = |(limit, stand): (&LimitId, &Vec<Standing>)| {
            let limit = *limit;
            let stand = stand.clone().into_iter().enumerate();
            stand.map(move |(at, it)| ((limit, at), it.serial))
        };
        replica.watch.saw(rows.iter().flat_map(serials), at_ms);
        replica.told = Some((number, rows));
    }

    /// Answers the beats that came before what was read.
    fn answer(&mut self, at: usize, early: bool) {
        let Some((number, rows)) = self.replicas[at].told.clone() else {
            return;
        };
        let asked = std::mem::take(&mut self.replicas[at].asked);
        let (ready, waiting) = asked.into_iter().partition(|it| early || number > it.3);
        self.replicas[at].asked = waiting;
        let ready: Vec<(usize, u64, u64, u64)> = ready;
        for (edge, boot, number, _) in ready {
            let region = self.edges[edge].region;
            let share = |(limit, stand): (&LimitId, &Vec<Standing>)| {
                let standing = stand[region];
                let share = Share {
                    millionths: standing.millionths,
                    period: standing.period,
                    given: standing.given,
                };
                (*limit, share, standing.back)
            };
            let shares = rows.iter().map(share).collect();
            self.send(&Message::Shares {
                edge,
                boot,
                number,
                shares,
            });
        }
    }

    /// What is believed now is within the whole.
    fn judge(&mut self) -> Result<(), String> {
        let count = self.names.len();
        let mut rate = vec![0; count];
        for edge in &self.edges {
            let believed = edge.believed((&RATE, &self.names), &rate_count(), self.now_ms);
            rate[edge.region] = believed.max(rate[edge.region]);
            self.largest = self.largest.max(believed);
            let (quota, bound) = edge.bound(&self.names, self.now_ms);
            self.keepers[edge.region].believe(period(&quota), bound);
        }
        let sum = rate.iter().sum::<u32>();
        if sum > WHOLE {
            return Err(format!("{sum} of a rate are believed: {rate:?}"));
        }
        self.judge_seats()?;
        keeper::judge(&self.keepers)
    }
}

impl Replica {
    fn begin(now_ms: u64) -> Self {
        Self {
            began_ms: now_ms,
            ..Self::default()
        }
    }
}

impl Edge {
    fn restart(&mut self, now_ms: u64) {
        self.boot += 1;
        self.began_ms = now_ms;
        (self.lessee, self.gave) = (Lessee::default(), Given::new());
    }

    /// What its steady clock shows: up to a tenth of a thousandth slower or faster than the world's.
    fn at_ms(&self, now_ms: u64) -> u64 {
        let elapsed = now_ms - self.began_ms;
        let off = i64::try_from(elapsed).unwrap() * self.drift / 1_000_000;
        elapsed.saturating_add_signed(off)
    }

    fn believed(&self, of: (&LimitId, &[Name]), count: &Count, now_ms: u64) -> u32 {
        let wall_ms = now_ms.saturating_add_signed(self.wall_ms);
        let here = of.1.get(self.region);
        let at = (self.at_ms(now_ms), wall_ms);
        self.lessee.leases().millionths(of, here, count, at)
    }
}

fn rate_count() -> Count {
    Count::Level(Measure::Rate(Rate::new(1_000, 1_000, 100).unwrap()))
}

/// Runs one schedule; gives the largest share of the rate that a region believed in, how often something was given back, and how many
/// slots one region had.
fn run(seed: u64, fault: Fault) -> Result<(u32, u32, u64), String> {
    let mut world = World::new(seed, fault);
    for _ in 0..STEPS {
        world.step();
        world.judge()?;
    }
    Ok((world.largest, world.given, world.crowd))
}

#[test]
fn regions_never_believe_in_more_than_the_whole() {
    let scale = option_env!("SLUICE_TEST_SCALE").and_then(|it| it.parse().ok());
    let schedules = 400 * scale.unwrap_or(1_u64);
    let (mut moved, mut gave, mut crowded) = (0, 0, 0);
    for seed in 0..schedules {
        match run(seed, Fault::None) {
            Ok((largest, given, crowd)) => {
                moved += u64::from(largest > WHOLE / 2);
                gave += u64::from(given > 0);
                crowded += u64::from(crowd > seats::SLOTS / 2);
            }
            Err(why) => panic!("seed {seed}: {why}"),
        }
    }
    println!(
        "{schedules} schedules; in {moved} of them one region had more than half of the rate, in {gave} one gave back, in {crowded} one \
         had more than half of the slots under way"
    );
    assert!(moved > schedules / 10, "shares move in {moved} only");
    assert!(gave > schedules / 10, "parts come back in {gave} only");
    assert!(crowded > schedules / 10, "slots move in {crowded} only");
}

#[test]
fn what_is_wrong_on_purpose_is_found() {
    for fault in FAULTS {
        let found = (0..1_000).find(|seed| run(*seed, fault).is_err());
        let seed = found.unwrap_or_else(|| panic!("{fault:?} is not found"));
        println!(
            "{fault:?} is found with seed {seed}: {}",
            run(seed, fault).unwrap_err()
        );
    }
}
