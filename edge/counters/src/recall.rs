//! Which counts of quotas nobody knows the past of, and which are in use, for whoever asks the ledger what was used of them.
//!
//! Knows whose counts they are; knows nothing of ledgers. Noting one never waits. What is told of a count is a least, so that
//! telling it twice, or late, counts nothing twice.

use std::sync::{Mutex, MutexGuard, PoisonError};

use policy::{
    applying::{Applied, Count, Measure},
    by_id::ById,
    id::{CounterId, OrganizationId},
};
use tokio::sync::Notify;

use crate::reservation::{Demand, Line};

/// How many counts are noted that nobody knows the past of.
// Full: others are noted when they are asked for again.
const LACKING_MAX: usize = 4_096;

/// How many counts are noted that are in use.
// Full: others are not compared with the ledger until these were.
const SEEN_MAX: usize = 4_096;

/// One count of a quota.
#[derive(Debug, Clone)]
pub struct Noted {
    /// Whose limit.
    pub organization: OrganizationId,
    /// The limit, and which of its counts.
    pub applied: Applied,
}

/// What the ledger says of one count.
#[derive(Debug, Clone)]
pub struct Told {
    /// Which count, and in which period.
    pub applied: Applied,
    /// What was used of it at least, if nobody knows.
    pub used: u64,
    /// What was used of it at least, if that is known.
    pub least: u64,
}

/// What a keeper had counted before it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// It did not know.
    Unknown,
    /// So much was used.
    Used(u64),
    /// It takes no word: it has begun again, the period is over, or it cannot be asked.
    Passed,
}

/// What is noted by all threads of this process.
#[derive(Debug, Default)]
pub(crate) struct Recall {
    // Each is held for one entry, or to take all.
    lacking: Mutex<ById<CounterId, Noted>>,
    seen: Mutex<ById<CounterId, Noted>>,
    /// Rings when something lacks.
    pub(crate) bell: Notify,
}

// === impl Recall ===

impl Recall {
    /// Notes the quotas among these that lack.
    pub(crate) fn lack(&self, organization: OrganizationId, demands: &[Demand], places: &[usize]) {
        let mut lacking = lock(&self.lacking);
        for demand in places.iter().filter_map(|place| demands.get(*place)) {
            let applied = &demand.applied;
            if lacking.len() < LACKING_MAX && !lacking.contains_key(&applied.counter) {
                lacking.insert(applied.counter, Noted::of(organization, applied));
            }
        }
        drop(lacking);
        self.bell.notify_one();
    }

    /// Notes that the quotas among these are in use. Where another thread is noting, nothing is noted.
    pub(crate) fn see(&self, organization: OrganizationId, demands: &[Demand]) {
        for demand in demands {
            let applied = &demand.applied;
            let Count::Level(Measure::Quota { .. }) = applied.count else {
                continue;
            };
            let Ok(mut seen) = self.seen.try_lock() else {
                return;
            };
            if seen.len() < SEEN_MAX && !seen.contains_key(&applied.counter) {
                seen.insert(applied.counter, Noted::of(organization, applied));
            }
        }
    }

    /// Takes what lacks.
    pub(crate) fn take_lacking(&self) -> Vec<Noted> {
        std::mem::take(&mut *lock(&self.lacking))
            .into_values()
            .collect()
    }

    /// Takes what was in use.
    pub(crate) fn take_seen(&self) -> Vec<Noted> {
        std::mem::take(&mut *lock(&self.seen))
            .into_values()
            .collect()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Noted ===

impl Noted {
    fn of(organization: OrganizationId, applied: &Applied) -> Self {
        let applied = applied.clone();
        Self {
            organization,
            applied,
        }
    }
}

// === impl Told ===

impl Told {
    /// The count as a line of so much.
    pub(crate) fn line(&self, amount: u64) -> Option<Line> {
        let applied = self.applied.clone();
        let line = Demand { applied, amount: 0 }.line()?;
        let is_quota = matches!(line.measure, Measure::Quota { .. });
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        is_quota.then_some(Line { amount, ..line })
    }
}

// === impl Before ===

impl Before {
    /// What was used, where it was known.
    pub const fn used(self) -> Option<u64> {
        match self {
            Self::Used(used) => Some(used),
            Self::Unknown | Self::Passed => None,
        }
    }

    pub(crate) fn read(number: i64) -> Self {
        match number {
            -1 => Self::Unknown,
            number => u64::try_from(number).map_or(Self::Passed, Self::Used),
        }
    }
}
