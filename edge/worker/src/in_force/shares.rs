//! This region's shares of limits that regions hold together, and what was asked of those limits.
//!
//! The feed writes what the control plane says; whoever makes room for a request reads it and notes what was asked, which the
//! feed takes along. Measures by a clock that never steps. Knows nothing of counters, and nothing of how shares are made.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use arc_swap::ArcSwap;
use policy::{
    applying::{Applied, Count},
    id::LimitId,
    region::Region,
    share::{Leases, part, period},
};

/// How many limits what was asked is noted of.
// Full: of others nothing is noted, and their shares stay as they are.
const NOTED_MAX: usize = 4_096;

/// The shares of this region, as all cores know them.
pub struct Shares {
    began: Instant,
    table: ArcSwap<Table>,
    // Held to add to one note or to take them all; only limits that regions hold together come here.
    noted: Mutex<HashMap<LimitId, Asked>>,
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
    /// Of a quota, the most of the whole that was needed, in millionths.
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
}

// === impl Shares ===

impl Shares {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            table: ArcSwap::default(),
            noted: Mutex::default(),
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
        let millionths = table.leases.millionths(
            (&limit.id, regions),
            table.here.as_ref(),
            &count,
            (self.at_ms(), now_ms),
        );
        Some(Part {
            count: part(count, millionths, regions.len()),
            millionths,
            period: period(&count),
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
}

impl Default for Shares {
    fn default() -> Self {
        Self::new()
    }
}
