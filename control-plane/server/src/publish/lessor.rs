//! Shares of limits that regions hold together: hears what edges want, takes its turn at dividing, and says what stands.
//!
//! Knows the store and a clock that never steps; the rules are `domain::division`. What edges are told was committed, and was
//! read after they asked; so what they believe ends a term after they asked at the latest. Does nothing while no edge asks.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use domain::division::{self, Divided, Gave, RESTED_MS, Want, Watch};
use lifecycle::clock::Clock;
use policy::{
    applying::{Count, Measure},
    calendar::Zone,
    id::LimitId,
    limit::Allowance,
    region::Region,
    share::{TERM_MS, TURN_MS, WHOLE, period},
};
use proto::sync;
use store::{
    Store,
    limit_share::{self, Shared, Wanted},
};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use tracing::warn;

/// How long after a turn the next one may come.
const REST: Duration = Duration::from_millis(500);

/// How many limits what is wanted is kept of, for each region.
// Full: of others nothing is kept, and their shares stay as they are.
const WANTED_MAX: usize = 16_384;

/// The most shares that one answer holds.
// Full: of the others the edges of the region have what is never lent.
const SHARES_MAX: usize = 16_384;

/// Of how many limits one beat says what was given back.
const GAVE_MAX: usize = 64;

/// How much of what was asked before counts beside what is asked now, in percent.
const OLD_PERCENT: u64 = 70;

/// Of what has no period, by which part the most that was needed becomes less with each turn, down to what is needed now.
const NEEDED_FADES: u32 = 16;

/// After so many turns in which nobody asked it becomes half with each, and nothing when it is less than this.
const SILENT: u32 = 4;
const NEEDED_MIN: u32 = WHOLE / 50;

/// Divides limits between regions, together with those of other replicas.
pub struct Lessor {
    store: Store,
    clock: Clock,
    replica: [u8; 16],
    began: Instant,
    book: Mutex<Book>,
    asked: Notify,
    told: watch::Sender<Arc<Told>>,
}

#[derive(Default)]
struct Book {
    /// The number of the reading that began last.
    begun: u64,
    wanted: HashMap<(LimitId, Region), Heard>,
    /// What regions say of what they are asked to give back, until the next turn; they say it again until that was heard.
    gave: HashMap<(LimitId, Region), Gave>,
    watched: Watch<(LimitId, Region)>,
}

/// What the edges of this replica want of a limit in a region.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    /// How much was asked since the last turn.
    units: u64,
    /// How much is asked each second, smoothed.
    pace: u64,
    needed: u32,
    /// The most that was needed since the last turn.
    peak: u32,
    period: u64,
    /// For how many turns nobody has asked.
    silent: u32,
}

/// What was read of all shares.
#[derive(Debug, Default)]
pub struct Told {
    /// Which reading it was.
    number: u64,
    shares: HashMap<Region, Vec<sync::Share>>,
}

/// A beat that is to be answered.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    number: u64,
    /// The reading that began last when the beat came: only later ones answer it.
    begun: u64,
}

// === impl Lessor ===

impl Lessor {
    /// Nothing is read yet.
    pub fn new(store: Store, clock: Clock, replica: [u8; 16]) -> Self {
        Self {
            store,
            clock,
            replica,
            began: Instant::now(),
            book: Mutex::default(),
            asked: Notify::new(),
            told: watch::Sender::new(Arc::default()),
        }
    }

    /// Takes what a beat of an edge in this region says; gives what is to be answered, if it asks anything.
    pub fn hear(&self, region: &Region, beat: sync::Beat) -> Option<Question> {
        if beat.number == 0 {
            return None;
        }
        let mut book = self.lock();
        for it in beat.demands {
            let Ok(id) = <[u8; 16]>::try_from(it.limit_id.as_slice()) else {
                continue;
            };
            let key = (LimitId::from_bytes(id), region.clone());
            if book.wanted.len() >= WANTED_MAX && !book.wanted.contains_key(&key) {
                continue;
            }
            book.wanted.entry(key).or_default().add(&it);
        }
        for it in beat.given_back.into_iter().take(GAVE_MAX) {
            let serial = i64::try_from(it.serial);
            let limit = <[u8; 16]>::try_from(it.limit_id.as_slice());
            if let (Ok(limit), Ok(serial)) = (limit, serial)
                && book.gave.len() < WANTED_MAX
            {
                let gave = Gave {
                    serial,
                    done: it.done,
                    used: it.used.min(WHOLE),
                };
                let of = (LimitId::from_bytes(limit), region.clone());
                // What was needed once, and given up since, is not needed any more.
                let heard = book.wanted.get_mut(&of);
                if let Some(heard) = heard.filter(|it| it.period > 0) {
                    heard.needed = gave.used;
                }
                book.gave.insert(of, gave);
            }
        }
        let begun = book.begun;
        drop(book);
        self.asked.notify_one();
        Some(Question {
            number: beat.number,
            begun,
        })
    }

    /// What is told, and news of it.
    pub fn follow(&self) -> watch::Receiver<Arc<Told>> {
        self.told.subscribe()
    }

    /// Takes turns while edges ask.
    pub async fn run(self: Arc<Self>) -> Infallible {
        let mut last = Instant::now();
        loop {
            self.asked.notified().await;
            let number = self.begin();
            match self.turn(last.elapsed()).await {
                Ok(shared) => self.tell(number, &shared),
                Err(error) => {
                    warn!(%error, "Shares of limits cannot be divided, those that were told stand");
                }
            }
            last = Instant::now();
            sleep(REST).await;
        }
    }

    /// What a clock that never steps shows now, in milliseconds.
    fn at_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn begin(&self) -> u64 {
        let mut book = self.lock();
        book.begun += 1;
        book.begun
    }

    async fn turn(&self, since: Duration) -> Result<Vec<Shared>, store::StoreError> {
        let wanted = self.lock().wanted(since);
        let gave = std::mem::take(&mut self.lock().gave);
        let divide = |shared: &mut [Shared]| {
            let now_ms = self.clock.now_ms();
            let book = self.lock();
            for it in shared {
                book.divide(it, &gave, (now_ms, self.at_ms()));
            }
        };
        let shared = limit_share::turn(&self.store, &self.replica, &wanted, divide).await?;
        // Only what was committed, so that a turn which failed is not waited out.
        self.lock().watch(&shared, self.at_ms());
        Ok(shared)
    }

    fn tell(&self, number: u64, stand: &[Shared]) {
        let mut shares: HashMap<Region, Vec<sync::Share>> = HashMap::new();
        for it in stand {
            for part in &it.regions {
                let told = shares.entry(part.region.clone()).or_default();
                if let Some(standing) = part.standing.filter(|_| told.len() < SHARES_MAX) {
                    let back = standing.back.map(|back| sync::GiveBack {
                        serial: back.serial.unsigned_abs(),
                        units: back.units,
                    });
                    // So that it has looked for long enough when it is asked.
                    let will_be_asked = matches!(it.allowance, Allowance::AtOnce(_))
                        && standing.held > standing.millionths;
                    told.push(sync::Share {
                        limit_id: it.limit.as_bytes().to_vec(),
                        millionths: standing.millionths,
                        period: standing.period,
                        given: standing.given,
                        give_back: back.or(will_be_asked.then(sync::GiveBack::default)),
                    });
                }
            }
        }
        self.told.send_replace(Arc::new(Told { number, shares }));
    }

    /// Held for as long as it takes to divide, never over an await.
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Book ===

impl Book {
    /// What is wanted now, when the last time was so long ago; what nobody has asked for long is forgotten.
    fn wanted(&mut self, since: Duration) -> Vec<Wanted> {
        self.wanted.retain(|_, heard| heard.turn(since));
        let wanted = |((limit, region), heard): (&(LimitId, Region), &Heard)| Wanted {
            limit: *limit,
            region: region.clone(),
            want: Want {
                asked: heard.pace,
                needed: heard.needed,
            },
            period: heard.period,
        };
        self.wanted.iter().map(wanted).collect()
    }

    fn divide(
        &self,
        shared: &mut Shared,
        gave: &HashMap<(LimitId, Region), Gave>,
        (now_ms, at_ms): (u64, u64),
    ) {
        let Some(divided) = kind(shared, now_ms) else {
            return;
        };
        let count = shared.regions.len();
        let of = |part: &limit_share::Part| {
            let standing = part
                .standing
                .unwrap_or_else(|| division::first(divided, count));
            let fits = match divided {
                Divided::Rate | Divided::Slots { .. } => true,
                Divided::Quota { period, .. } => period == part.period,
            };
            let of = (shared.limit, part.region.clone());
            let rested = (standing.serial, RESTED_MS);
            division::Region {
                standing,
                want: if fits { part.want } else { Want::default() },
                settled: self.watched.has_settled(&of, standing.serial, at_ms),
                may_give: shared.is_one && self.watched.has_stood(&of, rested, at_ms),
                gave: gave.get(&of).copied(),
            }
        };
        let mut regions: Vec<division::Region> = shared.regions.iter().map(of).collect();
        division::divide(divided, &mut regions);
        for (part, region) in shared.regions.iter_mut().zip(regions) {
            part.standing = Some(region.standing);
        }
    }

    fn watch(&mut self, shared: &[Shared], now_ms: u64) {
        let stand = |it: &Shared| {
            let limit = it.limit;
            let regions = it.regions.clone().into_iter();
            regions.filter_map(move |part| Some(((limit, part.region), part.standing?.serial)))
        };
        self.watched.saw(shared.iter().flat_map(stand), now_ms);
    }
}

/// How a limit is divided now; `None` for a moment after a period began, so that no edge or Redis is still in the one before.
fn kind(shared: &Shared, now_ms: u64) -> Option<Divided> {
    match shared.allowance {
        Allowance::Rate(_) => Some(Divided::Rate),
        Allowance::Quota(quota) => {
            let zone = Zone::parse(&shared.time_zone).unwrap_or(Zone::UTC);
            let span = quota.period().span(&zone, now_ms);
            let amount = quota.amount();
            let count = Count::Level(Measure::Quota { amount, span });
            let began = now_ms >= span.from_ms.saturating_add(2 * TURN_MS);
            began.then(|| Divided::Quota {
                period: period(&count),
                amount,
            })
        }
        Allowance::AtOnce(_) => Some(Divided::Slots {
            moves: shared.is_one,
        }),
    }
}

// === impl Heard ===

impl Heard {
    fn add(&mut self, demand: &sync::ShareDemand) {
        if demand.period > self.period {
            (self.period, self.needed) = (demand.period, 0);
        }
        self.units = self.units.saturating_add(demand.asked);
        if demand.period == self.period {
            self.needed = self.needed.max(demand.needed);
            self.peak = self.peak.max(demand.needed);
        }
        self.silent = 0;
    }

    /// Ends a turn that was so long; `false` when this can be forgotten.
    fn turn(&mut self, since: Duration) -> bool {
        let ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX).max(1);
        let now = std::mem::take(&mut self.units).saturating_mul(1_000) / ms;
        let old = self.pace / 100 * OLD_PERCENT + self.pace % 100 * OLD_PERCENT / 100;
        self.pace = old.saturating_add((now / 100).saturating_mul(100 - OLD_PERCENT))
            + now % 100 * (100 - OLD_PERCENT) / 100;
        if self.period == 0 {
            // What is wanted now, and a little longer where nobody has asked.
            self.needed = match self.silent {
                0 => self.peak.max(self.needed - self.needed / NEEDED_FADES),
                1..SILENT => self.needed,
                _ if self.needed < NEEDED_MIN => 0,
                _ => self.needed / 2,
            };
            self.peak = 0;
        }
        self.silent = self.silent.saturating_add(1);
        self.silent < 60
    }
}

// === impl Question ===

impl Question {
    /// The answer for an edge of this region, if this is one.
    pub fn answer(self, told: &Told, region: &Region) -> Option<sync::Shares> {
        (told.number > self.begun).then(|| sync::Shares {
            number: self.number,
            term_ms: TERM_MS,
            shares: told.shares.get(region).cloned().unwrap_or_default(),
        })
    }
}
