//! What counts a quota in each region, and what edges do to it: use, give back, and forget with it.

use std::collections::{HashMap, HashSet};

use policy::{
    applying::{Count, Measure},
    calendar::Span,
    share::{give_back_id, part, period},
};

use super::{
    Back, Edge, Fault, Gave, Name, PERIOD_MS, QUOTA, Region, START_MS, Standing, WHOLE, World,
};

/// The counts of one region, by period.
#[derive(Debug, Default)]
pub(super) struct Keeper(HashMap<u64, Kept>);

#[derive(Debug, Clone, Default)]
struct Kept {
    /// What was used, and the same with what was given back.
    used: u64,
    counted: u64,
    /// What was charged to be given back, by its ids.
    charged: HashSet<[u8; 16]>,
    /// The most of the count that anybody there ever took for the region's.
    most: u64,
}

/// The quota in the period of this moment, of which a unit is a millionth.
pub(super) fn quota(wall_ms: u64) -> Count {
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

// === impl Keeper ===

impl Keeper {
    pub(super) fn believe(&mut self, period: u64, bound: u64) {
        let kept = self.0.entry(period).or_default();
        kept.most = kept.most.max(bound);
    }

    /// All is forgotten but what the ledger says: what was used, and what the rows say was given back. Of a period that is over
    /// nothing is: a Redis admits nothing of it any more, and rows begin the next one later than any Redis.
    fn forget(&mut self, standing: Option<&Standing>, knows_given: bool) {
        let now = standing.map_or(0, |it| it.period);
        for (period, kept) in self.0.iter_mut().filter(|it| *it.0 >= now) {
            let standing = standing.filter(|it| it.period == *period && knows_given);
            let given = standing.map_or(0, |it| it.given + it.back.map_or(0, |back| back.units));
            kept.counted = kept.used + given;
            kept.charged.clear();
        }
    }
}

/// What was used of each period, and what could be used still by what was believed at any time, is within the whole.
pub(super) fn judge(keepers: &[Keeper]) -> Result<(), String> {
    let open = |kept: &Kept| kept.used + kept.most.saturating_sub(kept.counted);
    let mut all: HashMap<u64, u64> = HashMap::new();
    for (period, kept) in keepers.iter().flat_map(|it| &it.0) {
        *all.entry(*period).or_default() += open(kept);
    }
    match all.iter().find(|it| *it.1 > u64::from(WHOLE)) {
        Some((period, all)) => Err(format!(
            "so much of a quota is used or open: {all} in {}",
            period - START_MS.min(*period)
        )),
        None => Ok(()),
    }
}

/// Takes what would be asked back without a word.
pub(super) fn take_unasked(regions: &mut [Region]) {
    for region in regions {
        let standing = &mut region.standing;
        if let Some(Back { millionths, .. }) = standing.back.take() {
            standing.millionths -= millionths;
            standing.held = standing.millionths;
        }
    }
}

// === impl World ===

impl World {
    /// Somebody uses some of the quota by what this edge believes.
    pub(super) fn spend(&mut self, at: usize) {
        let edge = &self.edges[at];
        let (quota, bound) = edge.bound(&self.names, self.now_ms);
        let kept = self.keepers[edge.region].0.entry(period(&quota));
        let kept = kept.or_default();
        let more = self.random.u64(0..60_000);
        if kept.counted + more <= bound {
            (kept.counted, kept.used) = (kept.counted + more, kept.used + more);
        }
    }

    /// The counts of this edge's region are lost, and restored from the ledger.
    pub(super) fn forget(&mut self, at: usize) {
        let region = self.edges[at].region;
        self.seats[region].forget(self.now_ms);
        let standing = self.rows.get(&QUOTA).and_then(|it| it.get(region));
        self.keepers[region].forget(standing, self.fault != Fault::ForgetsGiven);
    }

    /// An edge is asked to give back, and charges that as it would a request.
    pub(super) fn give(&mut self, at: usize, asked: Option<(u64, Back)>) {
        let edge = &mut self.edges[at];
        let Some((of, back)) = asked else {
            edge.gave.remove(&QUOTA);
            return;
        };
        let said = edge.gave.get(&QUOTA);
        if said.is_some_and(|it| it.serial == back.serial) {
            return;
        }
        edge.gave.remove(&QUOTA);
        let (quota, bound) = edge.bound(&self.names, self.now_ms);
        // Redis may not answer.
        if period(&quota) != of || self.random.u32(0..8) == 0 {
            return;
        }
        let kept = self.keepers[edge.region].0.entry(of).or_default();
        let serial = match self.fault {
            Fault::ChargesOnce => 0,
            _ => back.serial.unsigned_abs(),
        };
        let id = give_back_id(&QUOTA, &self.names[edge.region], of, serial);
        let mut done = kept.charged.contains(&id);
        if !done && kept.counted + back.units <= bound {
            kept.counted += back.units;
            kept.charged.insert(id);
            done = true;
        }
        self.given += u32::from(done);
        let used = u32::try_from(kept.used).unwrap();
        let gave = Gave {
            serial: back.serial,
            done: done || self.fault == Fault::GivesWhatIsUsed,
            used: used.min(WHOLE),
        };
        edge.gave.insert(QUOTA, gave);
    }
}

// === impl Edge ===

impl Edge {
    /// The quota as this edge sees it, and how much may be counted of it in its region.
    pub(super) fn bound(&self, names: &[Name], now_ms: u64) -> (Count, u64) {
        let wall_ms = now_ms.saturating_add_signed(self.wall_ms);
        let quota = quota(wall_ms);
        let believed = self.believed((&QUOTA, names), &quota, now_ms);
        let share = part(quota, believed, names.len()).map_or(0, |it| it.amount());
        let at = (self.at_ms(now_ms), wall_ms);
        let given = self.lessee.leases().given(&QUOTA, &quota, at);
        (quota, share + given)
    }
}
