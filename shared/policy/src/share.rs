//! The share of a region in a limit that regions hold together, and what an edge may believe of it.
//!
//! Knows no clock: moments are passed in, in milliseconds of a clock that never steps. Knows nothing of how shares are made. A
//! share of what refills, or of what is under way at once, is believed for a term that begins before it was read; a share of a quota
//! is believed for as long as its period lasts, because what a region gives back of it is charged to its own count first. Where
//! nothing is believed there is the floor, which is never lent.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};

use crate::{
    applying::{Count, Measure},
    id::LimitId,
    limit::Rate,
    region::Region,
};

/// A whole limit: shares are in millionths.
pub const WHOLE: u32 = 1_000_000;

/// What of each limit is never lent: each of its regions has an equal part of it, whatever happens.
pub const RESERVED: u32 = 200_000;

/// How long a share of what refills or is under way may be believed, from before it was read.
pub const TERM_MS: u32 = 20_000;

/// Before the end of a quota's period there is only the floor for so long, so that a share is not used of the period after by a
/// Redis whose clock is ahead.
pub const TURN_MS: u64 = 1_000;

/// How many questions may be unanswered.
// Full: the oldest is forgotten, and its answer believed by nobody.
const ASKED_MAX: usize = 32;

/// A region's part of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// In millionths.
    pub millionths: u32,
    /// Of which period: [`period`]. Zero for all but quotas.
    pub period: u64,
    /// Of a quota, how much of what is counted in its region was given back and not used, in the limit's unit. It is no part of
    /// the share.
    pub given: u64,
}

/// A share and how long it is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lease {
    share: Share,
    until_ms: u64,
}

/// The shares that an edge believes in.
#[derive(Debug, Clone, Default)]
pub struct Leases(HashMap<LimitId, Lease>);

/// What an edge asks for, and what it is told.
#[derive(Debug, Default)]
pub struct Lessee {
    number: u64,
    asked: VecDeque<(u64, u64)>,
    leases: Leases,
}

/// What is never lent of a limit that so many regions hold together, for each of them. One that is alone has it all.
pub fn floor(regions: usize) -> u32 {
    if regions == 1 {
        return WHOLE;
    }
    of_each(RESERVED, regions)
}

/// The same part for each of so many regions.
pub fn equal(regions: usize) -> u32 {
    of_each(WHOLE, regions)
}

fn of_each(all: u32, regions: usize) -> u32 {
    u32::try_from(regions).map_or(0, |regions| all / regions.max(1))
}

/// Which period a count is in: of a quota its first moment and one more, of all else zero.
pub const fn period(count: &Count) -> u64 {
    match count {
        Count::Level(Measure::Quota { span, .. }) => span.from_ms + 1,
        Count::Level(Measure::Rate(_)) | Count::Slots(_) => 0,
    }
}

/// So much of a count as a share of it is; `None` where that is nothing. The burst of a rate is divided evenly and for good, so
/// that it is not there twice when a share moves.
pub fn part(count: Count, millionths: u32, regions: usize) -> Option<Count> {
    let of = |amount: u64| {
        let part = u128::from(amount) * u128::from(millionths) / u128::from(WHOLE);
        u64::try_from(part).ok().filter(|part| *part > 0)
    };
    Some(match count {
        Count::Level(Measure::Rate(rate)) => {
            let burst = rate.burst() / u64::try_from(regions.max(1)).ok()?;
            let rate = Rate::new(of(rate.amount())?, rate.window_ms(), burst).ok()?;
            Count::Level(Measure::Rate(rate))
        }
        Count::Level(Measure::Quota { amount, span }) => {
            let amount = of(amount)?;
            Count::Level(Measure::Quota { amount, span })
        }
        Count::Slots(most) => Count::Slots(of(most)?),
    })
}

/// The reservation by which a region gives back part of a quota: the same for all of its edges, and another's for each time it is
/// asked.
pub fn give_back_id(limit: &LimitId, here: &Region, period: u64, serial: u64) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(b"give back");
    hash.update(limit.as_bytes());
    hash.update(period.to_be_bytes());
    hash.update(serial.to_be_bytes());
    hash.update(here.as_str().as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id
}

// === impl Leases ===

impl Leases {
    /// What part of a count is this region's, in millionths: the share that is believed at `at_ms`, or else the floor. `now_ms` is
    /// what people's clocks say. Nothing in a region that is none of them.
    pub fn millionths(
        &self,
        (limit, regions): (&LimitId, &[Region]),
        here: Option<&Region>,
        count: &Count,
        (at_ms, now_ms): (u64, u64),
    ) -> u32 {
        if !here.is_some_and(|here| regions.contains(here)) {
            return 0;
        }
        let floor = floor(regions.len());
        let share = self.believed(limit, count, (at_ms, now_ms));
        share.map_or(floor, |it| it.millionths.min(WHOLE))
    }

    /// How much of what is counted of a quota here was given back and not used, as far as is known. Nothing where nothing is
    /// believed of its period, nor at its very end: the period after has nothing of it.
    pub fn given(&self, limit: &LimitId, count: &Count, at: (u64, u64)) -> u64 {
        self.believed(limit, count, at).map_or(0, |it| it.given)
    }

    fn believed(
        &self,
        limit: &LimitId,
        count: &Count,
        (at_ms, now_ms): (u64, u64),
    ) -> Option<Share> {
        let turns = match count {
            Count::Level(Measure::Quota { span, .. }) => {
                now_ms.saturating_add(TURN_MS) >= span.to_ms
            }
            Count::Level(Measure::Rate(_)) | Count::Slots(_) => false,
        };
        let lease = self.0.get(limit).filter(|it| at_ms < it.until_ms && !turns);
        let share = lease.map(|it| it.share);
        share.filter(|it| it.period == period(count))
    }
}

// === impl Lessee ===

impl Lessee {
    /// Asks anew, at `at_ms`: gives the number of the question.
    pub fn ask(&mut self, at_ms: u64) -> u64 {
        if self.asked.len() >= ASKED_MAX {
            self.asked.pop_front();
        }
        self.number += 1;
        self.asked.push_back((self.number, at_ms));
        self.number
    }

    /// Takes an answer: to which question, for how long it may be believed, and what it says. An answer to what was not asked,
    /// or was answered, is none.
    pub fn told(
        &mut self,
        number: u64,
        term_ms: u32,
        shares: impl IntoIterator<Item = (LimitId, Share)>,
    ) -> bool {
        let Some(place) = self.asked.iter().position(|it| it.0 == number) else {
            return false;
        };
        let Some((_, asked_ms)) = self.asked.drain(..=place).next_back() else {
            return false;
        };
        let term_ms = asked_ms.saturating_add(u64::from(term_ms.min(TERM_MS)));
        let lease = |(limit, share): (LimitId, Share)| {
            let is_quota = share.period > 0;
            let until_ms = if is_quota { u64::MAX } else { term_ms };
            (limit, Lease { share, until_ms })
        };
        self.leases.0 = shares.into_iter().map(lease).collect();
        true
    }

    /// Forgets what was asked, because no answer can come any more; and what is believed where the region is another.
    pub fn begin(&mut self, elsewhere: bool) {
        self.asked.clear();
        if elsewhere {
            self.leases = Leases::default();
        }
    }

    /// What is believed.
    pub const fn leases(&self) -> &Leases {
        &self.leases
    }
}

#[cfg(test)]
#[path = "share_test.rs"]
mod tests;
