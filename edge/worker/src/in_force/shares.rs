//! This region's shares of limits that regions hold together, and what was asked of those limits.
//!
//! The feed writes what the control plane says; whoever makes room for a request reads it and notes what was asked, which the
//! feed takes along. Measures by a clock that never steps. Knows nothing of counters, and nothing of how shares are made.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use arc_swap::ArcSwap;
use policy::{
    applying::{Applied, Count},
    id::LimitId,
    region::Region,
    share::{Leases, part, period},
};
use tokio::sync::Notify;

/// How many limits what was asked is noted of.
// Full: of others nothing is noted, and their shares stay as they are.
const NOTED_MAX: usize = 4_096;

/// Of how many limits it is kept what this region is asked to give back, and what became of it.
// Full: of others nothing is given back.
const GIVEN_MAX: usize = 4_096;

/// The shares of this region, as all cores know them.
pub struct Shares {
    began: Instant,
    table: ArcSwap<Table>,
    // Held to add to one note or to take them all; only limits that regions hold together come here.
    noted: Mutex<HashMap<LimitId, Asked>>,
    // Held for a moment, by the feed and by whoever gives back.
    giving: Mutex<Giving>,
    /// Rings when this region is asked to give back.
    bell: Notify,
}

/// A part of a quota that this region is asked to give back; or a question how many slots it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GiveBack {
    /// Of which limit.
    pub limit: LimitId,
    /// In which period.
    pub period: u64,
    /// Which one.
    pub serial: u64,
    /// How much, in the limit's unit; zero of slots.
    pub units: u64,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gave {
    /// Which one.
    pub serial: u64,
    /// Whether it was charged; otherwise there was no room for it. Of slots, that all are counted.
    pub done: bool,
    /// What was used then of the whole, or under way, in millionths.
    pub used: u32,
}

#[derive(Default)]
struct Giving {
    asked: Vec<GiveBack>,
    gave: HashMap<LimitId, Gave>,
}

#[derive(Default)]
struct Table {
    here: Option<Region>,
    leases: Leases,
}

/// What was asked of a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// How much, in its unit, granted or not.
    pub units: u64,
    /// Of a quota or of slots, the most of the whole that was needed, in millionths.
    pub needed: u32,
    /// In which period.
    pub period: u64,
}

/// The part of a count that is this region's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// What is left to this region; `None` where that is nothing.
    pub count: Option<Count>,
    /// What part it is, in millionths.
    pub millionths: u32,
    /// In which period of a quota.
    pub period: u64,
    /// How much more is counted here than was used, because it was given back.
    pub given: u64,
}

// === impl Shares ===

impl Shares {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            table: ArcSwap::default(),
            noted: Mutex::default(),
            giving: Mutex::default(),
            bell: Notify::new(),
        }
    }

    /// What a clock that never steps shows now, in milliseconds.
    pub fn at_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The part of a limit that is this region's now; `None` where this region holds it by itself.
    pub fn part(&self, applied: &Applied, now_ms: u64) -> Option<Part> {
        let limit = &applied.limit;
        if !limit.is_shared() {
            return None;
        }
        let table = self.table.load();
        let (count, regions) = (applied.count, &limit.terms.regions);
        let at = (self.at_ms(), now_ms);
        let here = table.here.as_ref();
        let of = (&limit.id, regions.as_slice());
        let millionths = table.leases.millionths(of, here, &count, at);
        Some(Part {
            count: part(count, millionths, regions.len()),
            millionths,
            period: period(&count),
            given: table.leases.given(&limit.id, &count, at),
        })
    }

    /// Where this edge stands, as far as it knows.
    pub fn here(&self) -> Option<Region> {
        self.table.load().here.clone()
    }

    /// What is believed from now on.
    pub fn publish(&self, here: Option<Region>, leases: Leases) {
        self.table.store(Arc::new(Table { here, leases }));
    }

    /// Notes that so much was asked of a limit.
    pub fn note(&self, limit: LimitId, asked: Asked) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= NOTED_MAX && !noted.contains_key(&limit) {
            return;
        }
        let note = noted.entry(limit).or_default();
        if note.period != asked.period {
            (note.period, note.needed) = (asked.period, 0);
        }
        note.units = note.units.saturating_add(asked.units);
        note.needed = note.needed.max(asked.needed);
    }

    /// Takes what was noted of the `most` limits of which most was asked.
    pub fn take(&self, most: usize) -> Vec<(LimitId, Asked)> {
        let noted = std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner));
        let mut noted: Vec<(LimitId, Asked)> = noted.into_iter().collect();
        noted.sort_by_key(|(_, asked)| std::cmp::Reverse(asked.units));
        noted.truncate(most);
        noted
    }

    /// This region is asked to give these back, and nothing else any more.
    pub fn ask_back(&self, mut asked: Vec<GiveBack>) {
        asked.truncate(GIVEN_MAX);
        let rings = !asked.is_empty();
        let mut giving = self.giving();
        let wanted: HashSet<(LimitId, u64)> =
            asked.iter().map(|it| (it.limit, it.serial)).collect();
        giving
            .gave
            .retain(|limit, gave| wanted.contains(&(*limit, gave.serial)));
        giving.asked = asked;
        drop(giving);
        if rings {
            self.bell.notify_one();
        }
    }

    /// Ends when this region is asked to give something back, or at once where it was since this ended last.
    pub async fn asked_back(&self) {
        self.bell.notified().await;
    }

    /// What is asked back and was not answered. Slots become fewer, and are counted each time.
    pub fn to_give(&self) -> Vec<GiveBack> {
        let giving = self.giving();
        let open = |it: &&GiveBack| it.units == 0 || !giving.gave.contains_key(&it.limit);
        giving.asked.iter().filter(open).copied().collect()
    }

    /// What became of what was asked.
    pub fn gave(&self, limit: LimitId, gave: Gave) {
        let mut giving = self.giving();
        let is_asked = |it: &GiveBack| it.limit == limit && it.serial == gave.serial;
        if giving.asked.iter().any(is_asked) {
            giving.gave.insert(limit, gave);
        }
    }

    /// What became of at most so many: said until nobody asks any more.
    pub fn given(&self, most: usize) -> Vec<(LimitId, Gave)> {
        let giving = self.giving();
        let gave = giving.gave.iter().take(most);
        gave.map(|(limit, gave)| (*limit, *gave)).collect()
    }

    fn giving(&self) -> MutexGuard<'_, Giving> {
        self.giving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Shares {
    fn default() -> Self {
        Self::new()
    }
}
