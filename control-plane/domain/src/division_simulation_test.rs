//! The division of limits between regions, simulated: seeded schedules of edges that ask and believe, and of replicas that take
//! turns at dividing, over a network that loses, delays and repeats, with crashes, restarts, and wall clocks that step.
//!
//! What edges run is the real lessee, what replicas run is the real division and the real watch. At every step the parts of a
//! rate that regions believe in are together no more than the whole; of a quota, the most that each region has ever believed in
//! one period. `SLUICE_TEST_SCALE` times as many schedules are run as usual; one that fails prints its seed.

use std::collections::HashMap;

use policy::{
    applying::{Count, Measure},
    calendar::Span,
    id::LimitId,
    limit::Rate,
    region::Region as Name,
    share::{Lessee, Share, TERM_MS, period},
};

use super::*;

const RATE: LimitId = LimitId::from_bytes([1; 16]);
const QUOTA: LimitId = LimitId::from_bytes([2; 16]);
const PERIOD_MS: u64 = 60_000;
const START_MS: u64 = 1_000_000 * PERIOD_MS;
const STEPS: usize = 600;
const LIMITS: [LimitId; 2] = [RATE, QUOTA];

/// What is wrong, to see that it is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// A share grows while another may still be believed.
    DoesNotWait,
    /// A share is believed from when it came.
    CountsFromArrival,
    /// A beat is answered with what was read before it came.
    AnswersFromBefore,
    /// Replicas divide what they read, whatever another has written since.
    NoLock,
    /// A period that was over is begun anew.
    GoesBack,
}

type Shares = Vec<(LimitId, Share)>;

/// What is committed: of each limit, how each region stands.
type Rows = HashMap<LimitId, Vec<Standing>>;

#[derive(Debug, Clone)]
enum Message {
    Beat {
        replica: usize,
        edge: usize,
        boot: u64,
        number: u64,
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
    /// Of each period of the quota, the most that each region ever believed.
    most: HashMap<u64, Vec<u32>>,
    /// How much of the whole was lent at most, to see that anything moves.
    largest: u32,
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
            names,
            rows: Rows::new(),
            network: Vec::new(),
            most: HashMap::new(),
            largest: 0,
            random,
        }
    }

    fn step(&mut self) {
        self.now_ms += self.random.u64(0..1_200);
        self.deliver();
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
            _ => self.network.clear(),
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
            } => {
                let region = self.edges[edge].region;
                let heard = &mut self.replicas[replica];
                for limit in LIMITS {
                    let asked = self.random.u64(0..100).pow(2);
                    let needed = self.random.u32(0..WHOLE);
                    heard.wants.insert((limit, region), Want { asked, needed });
                }
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
                let edge = &mut self.edges[edge];
                if edge.boot != boot {
                    return;
                }
                let number = match self.fault {
                    Fault::CountsFromArrival => edge.lessee.ask(edge.at_ms(self.now_ms)),
                    _ => number,
                };
                edge.lessee.told(number, TERM_MS, shares);
            }
        }
    }

    fn beat(&mut self, at: usize, replica: usize) {
        let edge = &mut self.edges[at];
        let number = edge.lessee.ask(edge.at_ms(self.now_ms));
        let (edge, boot) = (at, edge.boot);
        self.send(&Message::Beat {
            replica,
            edge,
            boot,
            number,
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
        for limit in LIMITS {
            let divided = if limit == RATE {
                Divided::Rate
            } else {
                Divided::Quota {
                    period: period(&quota(wall_ms)),
                    amount: 1_000_000,
                }
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
                    || replica
                        .watch
                        .has_settled(&(limit, at), standing.serial, at_ms),
            };
            let mut regions: Vec<Region> = stand.iter().enumerate().map(region).collect();
            divide(divided, &mut regions);
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
                let (millionths, period) = (stand[region].millionths, stand[region].period);
                (*limit, Share { millionths, period })
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
            let wall_ms = self.now_ms.saturating_add_signed(edge.wall_ms);
            let quota = quota(wall_ms);
            let believed = edge.believed((&QUOTA, &self.names), &quota, self.now_ms);
            let most = self
                .most
                .entry(period(&quota))
                .or_insert_with(|| vec![0; count]);
            most[edge.region] = believed.max(most[edge.region]);
        }
        let sum = rate.iter().sum::<u32>();
        if sum > WHOLE {
            return Err(format!("{sum} of a rate are believed: {rate:?}"));
        }
        match self
            .most
            .iter()
            .find(|(_, most)| most.iter().sum::<u32>() > WHOLE)
        {
            Some(most) => Err(format!("so much was believed of a quota: {most:?}")),
            None => Ok(()),
        }
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
        self.lessee = Lessee::default();
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

fn quota(wall_ms: u64) -> Count {
    let from_ms = wall_ms / PERIOD_MS * PERIOD_MS;
    let span = Span {
        before_ms: from_ms - PERIOD_MS,
        from_ms,
        to_ms: from_ms + PERIOD_MS,
    };
    Count::Level(Measure::Quota {
        amount: 1_000_000,
        span,
    })
}

/// Runs one schedule; gives the largest share of the rate that a region believed in.
fn run(seed: u64, fault: Fault) -> Result<u32, String> {
    let mut world = World::new(seed, fault);
    for _ in 0..STEPS {
        world.step();
        world.judge()?;
    }
    Ok(world.largest)
}

#[test]
fn regions_never_believe_in_more_than_the_whole() {
    let scale = option_env!("SLUICE_TEST_SCALE").and_then(|it| it.parse().ok());
    let schedules = 400 * scale.unwrap_or(1_u64);
    let mut moved = 0;
    for seed in 0..schedules {
        match run(seed, Fault::None) {
            Ok(largest) => moved += u64::from(largest > WHOLE / 2),
            Err(why) => panic!("seed {seed}: {why}"),
        }
    }
    println!("{schedules} schedules; in {moved} of them one region had more than half of the rate");
    assert!(moved > schedules / 10, "shares move in {moved} only");
}

#[test]
fn what_is_wrong_on_purpose_is_found() {
    for fault in [
        Fault::DoesNotWait,
        Fault::CountsFromArrival,
        Fault::AnswersFromBefore,
        Fault::NoLock,
        Fault::GoesBack,
    ] {
        let found = (0..1_000).find(|seed| run(*seed, fault).is_err());
        let seed = found.unwrap_or_else(|| panic!("{fault:?} is not found"));
        println!(
            "{fault:?} is found with seed {seed}: {}",
            run(seed, fault).unwrap_err()
        );
    }
}
