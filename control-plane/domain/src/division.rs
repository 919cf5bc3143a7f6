//! How a limit is divided between the regions that hold it together.
//!
//! Takes what stands and what is wanted, and gives what stands then; whoever keeps it writes it before anybody hears of it. What
//! may be believed is never more than the whole: a share of what refills becomes less first, and another's more only when
//! nobody can believe in the larger one any longer; one of what is under way at once in the same way, and only when as much has ended;
//! a share of a quota becomes less only by what its region has charged to its own count, and so cannot use whatever is believed
//! there. Knows no clock and no edges.

use std::{collections::HashMap, hash::Hash};

use policy::{
    limit::UNITS_MAX,
    share::{TERM_MS, WHOLE, equal, floor},
};

/// How long after a share became less somebody may still believe in the larger one, in milliseconds: the term, and as much again
/// as clocks may go differently and a request may take to Redis.
pub const SETTLED_MS: u64 = TERM_MS as u64 + 5_000;

/// What a share must be off by before it moves, so that it does not move all the time.
const STEP: u32 = WHOLE / 50;

/// A grant of a quota is at least this much, where there is so much.
const GRANT_MIN: u32 = WHOLE / 100;

/// And at most this much, so that one region does not draw what others will need.
const GRANT_MAX: u32 = WHOLE / 10;

/// How long a region's share must have stood before something is asked back of it, in milliseconds, so that nobody is asked all the
/// time.
pub const RESTED_MS: u64 = 5_000;

/// A grant lasts for so many seconds at the pace of the last ones.
const GRANT_SECONDS: u64 = 300;

/// What kind of limit is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Divided {
    /// It refills.
    Rate,
    /// It is under way at once.
    Slots {
        /// Whether shares move, because there is one count: of many nobody knows what is under way of each.
        moves: bool,
    },
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
    /// The most that anybody may believe it to be, or that is under way there still.
    pub held: u32,
    /// Grows when the share changes.
    pub serial: i64,
    /// Which period of a quota it is a part of; zero for all else.
    pub period: u64,
    /// Of a quota, how much the region gave back in this period, in the limit's unit: it is counted there and was not used.
    pub given: u64,
    /// What it is asked to give back, and has not answered. Of slots: it is asked how many are under way there.
    pub back: Option<Back>,
    /// The most that is known to be used of a quota, in millionths: what it said when it was asked last.
    pub used: u32,
}

/// A part of a quota that a region is asked to give back; of slots nothing, only how many it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Back {
    /// How much of the whole, in millionths.
    pub millionths: u32,
    /// The same in the limit's unit, rounded up.
    pub units: u64,
    /// Which one: the serial of the share when it was asked.
    pub serial: i64,
}

/// What a region says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gave {
    /// Which one.
    pub serial: i64,
    /// Whether it is charged to the region's own count. Of slots: whether all that are under way are counted.
    pub done: bool,
    /// What the region had used then, or had under way, in millionths.
    pub used: u32,
}

/// What a region wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Want {
    /// How much is asked there each second, in the limit's unit.
    pub asked: u64,
    /// Of a quota, the most that was needed in this period; of slots, the most that were needed lately. In millionths.
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
    /// Whether it may be asked to give back: there is one count, and the share has stood for [`RESTED_MS`].
    pub may_give: bool,
    /// What it says of what it was asked back.
    pub gave: Option<Gave>,
}

/// Since when shares stand as they do, as far as one has seen it oneself, by a clock that never steps. What was not seen has
/// not settled.
#[derive(Debug, Clone)]
pub struct Watch<K>(HashMap<K, (i64, u64)>);

/// How one of so many regions stands that never stood before. Of a quota each has what is never lent, of all else all have the same.
pub fn first(divided: Divided, regions: usize) -> Standing {
    let millionths = match divided {
        Divided::Rate | Divided::Slots { .. } => equal(regions),
        Divided::Quota { .. } => floor(regions),
    };
    Standing {
        millionths,
        held: millionths,
        serial: 1,
        ..Standing::default()
    }
}

/// Divides the limit anew between all of its regions.
pub fn divide(divided: Divided, regions: &mut [Region]) {
    match divided {
        Divided::Rate => {
            for region in regions.iter_mut().filter(|it| it.settled) {
                region.standing.held = region.standing.millionths;
            }
            follow(regions, STEP, |want| want.asked);
        }
        Divided::Slots { moves: true } => {
            regions.iter_mut().for_each(Region::release_slots);
            follow(regions, 1, |want| u64::from(want.needed));
        }
        Divided::Slots { moves: false } => {}
        Divided::Quota { period, amount } => divide_quota(regions, period, amount),
    }
}

/// Lets shares follow what is wanted, by this measure of it. Where nothing is, what is more than the floor by this `rest` is let go:
/// of few slots a little more is a whole one.
fn follow(regions: &mut [Region], rest: u32, wanted: fn(Want) -> u64) {
    let all: u128 = regions.iter().map(|it| u128::from(wanted(it.want))).sum();
    if all == 0 {
        return;
    }
    let (floor, lent) = (floor(regions.len()), lent(regions.len()));
    let target = |want: Want| {
        let part = u128::from(lent) * u128::from(wanted(want)) / all;
        floor + u32::try_from(part).unwrap_or(0)
    };
    for region in regions.iter_mut() {
        let target = target(region.want);
        let step = if target == floor { rest } else { STEP };
        if target.saturating_add(step) <= region.standing.millionths {
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
        // Never to one that is over: what was lent in it must not be lent again.
        if region.standing.period < period {
            region.standing.period = period;
            region.standing.held = floor;
            (region.standing.given, region.standing.back) = (0, None);
            region.standing.used = 0;
            region.standing.set(floor);
        }
    }
    if regions.iter().any(|it| it.standing.period != period) {
        return;
    }
    for region in regions.iter_mut() {
        if let Some(gave) = region.gave {
            region.standing.gave(gave);
        }
    }
    let mut free = unheld(regions);
    let mut short = vec![false; regions.len()];
    for (region, short_of) in regions.iter_mut().zip(&mut short) {
        let grant = grant(region.want, amount);
        let standing = &mut region.standing;
        let missing = region.want.needed.saturating_sub(standing.millionths);
        let left = standing.millionths.saturating_sub(region.want.needed);
        if region.want == Want::default() || left >= grant / 2 {
            continue;
        }
        *short_of = true;
        // The last of it is lent in ever smaller parts, so that none of it lies where it is not used.
        let most = (free / 2).max(free.min(GRANT_MIN / 10));
        let more = missing.saturating_add(grant).min(most);
        if more > 0 {
            free -= more;
            standing.set(standing.millionths + more);
        }
    }
    if free < GRANT_MAX && short.contains(&true) {
        for (region, _) in regions.iter_mut().zip(short).filter(|(_, short)| !short) {
            region.ask_back(floor, amount);
        }
    }
}

/// How much of so much a region gets at a time: what lasts for [`GRANT_SECONDS`].
fn grant(want: Want, amount: u64) -> u32 {
    let burn = u128::from(want.asked) * u128::from(GRANT_SECONDS) * u128::from(WHOLE)
        / u128::from(amount.max(1));
    let grant = u32::try_from(burn).unwrap_or(u32::MAX);
    grant.clamp(GRANT_MIN, GRANT_MAX)
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
        self.has_stood(of, (serial, SETTLED_MS), now_ms)
    }

    /// Whether a share has had this serial for so long.
    pub fn has_stood(&self, of: &K, (serial, for_ms): (i64, u64), now_ms: u64) -> bool {
        let since = self.0.get(of).filter(|it| it.0 == serial);
        since.is_some_and(|(_, since_ms)| now_ms.saturating_sub(*since_ms) >= for_ms)
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

// === impl Region ===

impl Region {
    /// What is under way does not end when a share becomes less. So when nobody can believe in the larger one any longer, the region is
    /// asked how many it has: from then on that only becomes less, until it fits, and what it has let go is nobody's. It is asked
    /// until it fits, and any answer will do, however late.
    fn release_slots(&mut self) {
        let standing = &mut self.standing;
        let asked = standing.back.filter(|it| it.serial == standing.serial);
        let answers = |gave: &Gave| gave.done && asked.is_some_and(|it| it.serial == gave.serial);
        if let Some(gave) = self.gave.filter(answers) {
            let under_way = gave.used.max(standing.millionths);
            standing.held = standing.held.min(under_way);
        }
        let asks = standing.held > standing.millionths && (asked.is_some() || self.settled);
        standing.back = asks.then_some(Back {
            millionths: 0,
            units: 0,
            serial: standing.serial,
        });
    }

    /// Asks for half of what it does not use, as far as is known, and never for what is never lent: it says what it really used with
    /// its answer. One of which nothing is asked may use less by now than it said, and is asked for a little at least.
    fn ask_back(&mut self, floor: u32, amount: u64) {
        let standing = &mut self.standing;
        if !self.may_give || standing.back.is_some() {
            return;
        }
        let (soon, least) = match self.want.asked {
            0 => (0, GRANT_MIN),
            _ => (grant(self.want, amount), 0),
        };
        let kept = standing.used.saturating_add(soon);
        let spare = standing.millionths.saturating_sub(kept) / 2;
        // No more than one reservation can say.
        let most = u128::from(UNITS_MAX) * u128::from(WHOLE) / u128::from(amount.max(1));
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let lent = standing.millionths.saturating_sub(floor);
        let millionths = spare.max(least).min(lent);
        if millionths < GRANT_MIN {
            return;
        }
        let millionths = millionths.min(most);
        let units = (u128::from(millionths) * u128::from(amount)).div_ceil(u128::from(WHOLE));
        let units = u64::try_from(units).unwrap_or(u64::MAX);
        standing.serial += 1;
        standing.back = Some(Back {
            millionths,
            units,
            serial: standing.serial,
        });
    }
}

// === impl Standing ===

impl Standing {
    /// The region has answered; what it says of another question is not heard.
    fn gave(&mut self, gave: Gave) {
        let Some(back) = self.back.filter(|it| it.serial == gave.serial) else {
            return;
        };
        (self.back, self.used) = (None, gave.used);
        self.serial += 1;
        if gave.done {
            self.millionths = self.millionths.saturating_sub(back.millionths);
            // It cannot use more, whatever is believed there.
            self.held = self.millionths;
            self.given = self.given.saturating_add(back.units);
        }
    }

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
