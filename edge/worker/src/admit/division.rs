//! What a request demands of limits that regions hold together: of each, of this region's share.
//!
//! Knows shares and demands; knows nothing of counters. What was asked is noted, so that shares follow it.

use std::sync::Arc;

use counters::Demand;
use policy::{
    limit::{Limit, Mode},
    share::WHOLE,
};

use crate::in_force::shares::{Asked, Part, Shares};

/// The shares of one request's demands.
pub struct Division {
    shares: Arc<Shares>,
    /// Of each demand of which this region has a share, its place and that share.
    parts: Vec<(usize, Part)>,
}

// === impl Division ===

impl Division {
    /// Of demands of which some are of limits that regions hold together.
    pub const fn new(shares: Arc<Shares>) -> Self {
        Self {
            shares,
            parts: Vec::new(),
        }
    }

    /// Puts this region's share in the place of each such limit's amount; gives the limit of which it has none and that refuses
    /// then. Of others of which it has none nothing is demanded.
    pub fn divide(&mut self, demands: &mut Vec<Demand>, now_ms: u64) -> Option<Arc<Limit>> {
        let part = |demand: &Demand| self.shares.part(&demand.applied, now_ms);
        let nothing = |demand: &Demand| part(demand).is_some_and(|part| part.count.is_none());
        let refuses =
            |demand: &&Demand| demand.applied.limit.terms.mode == Mode::Hard && nothing(demand);
        if let Some(demand) = demands.iter().find(refuses) {
            return Some(Arc::clone(&demand.applied.limit));
        }
        let parts = demands.iter().map(part).collect::<Vec<_>>();
        let mut parts = parts.into_iter();
        let mut kept = Vec::new();
        demands.retain_mut(|demand| {
            let Some(part) = parts.next().flatten() else {
                kept.push(None);
                return true;
            };
            let Some(count) = part.count else {
                return false;
            };
            demand.applied.count = count;
            demand.applied.given = part.given;
            kept.push(Some(part));
            true
        });
        let kept = kept.into_iter().enumerate();
        self.parts = kept
            .filter_map(|(place, part)| part.map(|part| (place, part)))
            .collect();
        None
    }

    /// Notes what was demanded, and what is left of each share when that is held. What was `refused` is still to be held, and
    /// so is what was served `over` a limit that only warns.
    pub fn note(&self, demands: &[Demand], remaining: &[i64], (refused, over): (bool, &[usize])) {
        for (place, part) in &self.parts {
            let Some(demand) = demands.get(*place) else {
                continue;
            };
            let open = refused || over.contains(place);
            let needed = remaining.get(*place).map_or(0, |left| {
                needed(part, *left, if open { demand.amount } else { 0 })
            });
            let is_level = part.period > 0 || demand.applied.count.is_slots();
            let asked = Asked {
                units: demand.amount,
                needed: if is_level { needed } else { 0 },
                period: part.period,
            };
            self.shares.note(demand.applied.limit.id, asked);
        }
    }
}

/// What part of the whole this region needs for all that it has used, when so much is left of its share and so much more is
/// asked; rounded up, in millionths.
fn needed(part: &Part, left: i64, more: u64) -> u32 {
    let Some(share) = part.count.map(|count| count.amount()) else {
        return 0;
    };
    let used = i128::from(share) - i128::from(left) + i128::from(more);
    let used = u128::try_from(used).unwrap_or(0);
    let needed = (used * u128::from(part.millionths)).div_ceil(u128::from(share.max(1)));
    u32::try_from(needed.min(u128::from(WHOLE) * 100)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use policy::applying::Count;

    use super::*;

    #[test]
    fn what_is_needed_is_a_part_of_the_whole() {
        let part = Part {
            count: Some(Count::Slots(250)),
            millionths: 250_000,
            period: 1,
            given: 0,
        };
        assert_eq!(needed(&part, 250, 0), 0);
        assert_eq!(needed(&part, 100, 0), 150_000);
        assert_eq!(needed(&part, 0, 500), 750_000);
        assert_eq!(needed(&part, -50, 0), 300_000);
    }
}
