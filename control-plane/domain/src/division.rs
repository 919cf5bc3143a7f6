//! How a limit is divided between the regions that hold it together.
//!
//! Takes what stands and what is wanted, and gives what stands then; whoever keeps it writes it before anybody hears of it. What
//! may be believed is never more than the whole: a share of what refills becomes less first, and another's more only when
//! nobody can believe in the larger one any longer; a share of a quota only grows, until its period is over. Knows no clock and
//! no edges.

use std::{collections::HashMap, hash::Hash};

use policy::share::{TERM_MS, WHOLE, equal, floor};

/// How long after a share became less somebody may still believe in the larger one, in milliseconds: the term, and as much again
/// as clocks may go differently and a request may take to Redis.
pub const SETTLED_MS: u64 = TERM_MS as u64 + 5_000;

/// What a share must be off by before it moves, so that it does not move all the time.
const STEP: u32 = WHOLE / 50;

/// A grant of a quota is at least this much, where there is so much.
const GRANT_MIN: u32 = WHOLE / 100;

/// And at most this much, so that one region does not draw what others will need.
const GRANT_MAX: u32 = WHOLE / 10;

/// A grant lasts for so many seconds at the pace of the last ones.
const GRANT_SECONDS: u64 = 300;

/// What kind of limit is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Divided {
    /// It refills.
    Rate,
    /// It starts again after a period.
    Quota {
        /// Which period it is: [`policy::share::period`].
        period: u64,
        /// How much it holds.
        amount: u64,
    },
}

/// One region, as it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its share, in millionths, as edges are told.
    pub millionths: u32,
    /// The most that anybody may believe it to be.
    pub held: u32,
    /// Grows when the share changes.
    pub serial: i64,
    /// Which period of a quota it is a part of; zero for a rate.
    pub period: u64,
}

/// What a region wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Want {
    /// How much is asked there each second, in the limit's unit.
    pub asked: u64,
    /// Of a quota, the most that was needed in this period, in millionths.
    pub needed: u32,
}

/// One region of a limit that is divided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Region {
    /// How it stands.
    pub standing: Standing,
    /// What it wants.
    pub want: Want,
    /// Whether its share has stood as it is for [`SETTLED_MS`], by the clock of whoever watches it.
    pub settled: bool,
}

/// Since when shares stand as they do, as far as one has seen it oneself, by a clock that never steps. What was not seen has
/// not settled.
#[derive(Debug, Clone)]
pub struct Watch<K>(HashMap<K, (i64, u64)>);

/// How one of so many regions stands that never stood before. Of a rate all have the same; of a quota each has what is never
/// lent.
pub fn first(divided: Divided, regions: usize) -> Standing {
    let millionths = match divided {
        Divided::Rate => equal(regions),
        Divided::Quota { .. } => floor(regions),
    };
    Standing {
        millionths,
        held: millionths,
        serial: 1,
        period: 0,
    }
}

/// Divides the limit anew between all of its regions.
pub fn divide(divided: Divided, regions: &mut [Region]) {
    match divided {
        Divided::Rate => divide_rate(regions),
        Divided::Quota { period, amount } => divide_quota(regions, period, amount),
    }
}

fn divide_rate(regions: &mut [Region]) {
    for region in regions.iter_mut().filter(|it| it.settled) {
        region.standing.held = region.standing.millionths;
    }
    let asked: u128 = regions.iter().map(|it| u128::from(it.want.asked)).sum();
    if asked == 0 {
        return;
    }
    let (floor, lent) = (floor(regions.len()), lent(regions.len()));
    let target = |want: Want| {
        let part = u128::from(lent) * u128::from(want.asked) / asked;
        floor + u32::try_from(part).unwrap_or(0)
    };
    for region in regions.iter_mut() {
        let target = target(region.want);
        if target.saturating_add(STEP) < region.standing.millionths {
            region.standing.set(target);
        }
    }
    let mut free = unheld(regions);
    for region in regions.iter_mut() {
        let target = target(region.want);
        let standing = &mut region.standing;
        // What may be believed of this region already is nobody else's.
        let own = standing.held.saturating_sub(standing.millionths);
        let missing = target.saturating_sub(standing.millionths);
        let more = missing.min(own.saturating_add(free));
        if more >= STEP {
            free -= more.saturating_sub(own);
            standing.set(standing.millionths + more);
        }
    }
}

fn divide_quota(regions: &mut [Region], period: u64, amount: u64) {
    let floor = floor(regions.len());
    for region in regions.iter_mut() {
        // Never back: what was lent in a period must not be lent in it again.
        if region.standing.period < period {
            region.standing.period = period;
            region.standing.held = floor;
            region.standing.set(floor);
        }
    }
    if regions.iter().any(|it| it.standing.period != period) {
        return;
    }
    let mut free = unheld(regions);
    for region in regions.iter_mut() {
        let burn = u128::from(region.want.asked) * u128::from(GRANT_SECONDS) * u128::from(WHOLE)
            / u128::from(amount.max(1));
        let grant = u32::try_from(burn).unwrap_or(u32::MAX);
        let grant = grant.clamp(GRANT_MIN, GRANT_MAX);
        let standing = &mut region.standing;
        let short = region.want.needed.saturating_sub(standing.millionths);
        let left = standing.millionths.saturating_sub(region.want.needed);
        if region.want == Want::default() || left >= grant / 2 {
            continue;
        }
        // The last of it is lent in ever smaller parts, so that none of it lies where it is not used.
        let most = (free / 2).max(free.min(GRANT_MIN / 10));
        let more = short.saturating_add(grant).min(most);
        if more > 0 {
            free -= more;
            standing.set(standing.millionths + more);
        }
    }
}

/// What is not reserved of a limit that so many regions hold together.
fn lent(regions: usize) -> u32 {
    let count = u32::try_from(regions).unwrap_or(u32::MAX);
    WHOLE.saturating_sub(floor(regions).saturating_mul(count))
}

/// What nobody may believe to have.
fn unheld(regions: &[Region]) -> u32 {
    let held = regions.iter().map(|it| it.standing.held);
    held.fold(WHOLE, u32::saturating_sub)
}

// === impl Watch ===

impl<K: Hash + Eq> Watch<K> {
    /// Whether nobody can believe any longer in what a share was before it had this serial.
    pub fn has_settled(&self, of: &K, serial: i64, now_ms: u64) -> bool {
        let since = self.0.get(of).filter(|it| it.0 == serial);
        since.is_some_and(|(_, since_ms)| now_ms.saturating_sub(*since_ms) >= SETTLED_MS)
    }

    /// Takes the serials that are committed, after that was known. Those that are absent are forgotten.
    pub fn saw(&mut self, stand: impl IntoIterator<Item = (K, i64)>, now_ms: u64) {
        let mut before = std::mem::take(&mut self.0);
        let since = |(of, serial): (K, i64)| {
            let same = before.remove(&of).filter(|it| it.0 == serial);
            (of, same.unwrap_or((serial, now_ms)))
        };
        self.0 = stand.into_iter().map(since).collect();
    }
}

impl<K> Default for Watch<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

// === impl Standing ===

impl Standing {
    fn set(&mut self, millionths: u32) {
        self.millionths = millionths;
        self.held = self.held.max(millionths);
        self.serial += 1;
    }
}

#[cfg(test)]
#[path = "division_test.rs"]
mod tests;

#[cfg(test)]
#[path = "division_simulation_test.rs"]
mod simulation;
