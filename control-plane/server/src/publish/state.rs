//! All of policy as this replica knows it: live objects, their hashes, and the newest changes.
//!
//! A pure value: loaded whole, advanced by rows of the change log, asked by streams. Knows nothing of streams,
//! clocks or SQL. Values of the secrets lane stay sealed in here. It moves forward only without a gap.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::Arc,
};

use bytes::Bytes;
use policy::{
    change::Operation,
    hash::StateHash,
    object::{Kind, Lane, Object},
    region::Region,
    remit::{Owner, Remit},
    revision::{Epoch, Revision},
};
use store::{ChangeRow, Everything, HashRow};

use crate::publish::{
    live::{Live, Revoked},
    ring::{Logged, Ring},
};

/// Policy at one revision.
#[derive(Debug, Default)]
pub struct State {
    epoch: Epoch,
    revision: Revision,
    generation: u64,
    lanes: [Whole; 3],
    revoked: BTreeMap<Revision, Arc<Live>>,
    ring: Ring,
}

/// The rows do not follow what is known; only a fresh load helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The revision that should have come.
    pub expected: Revision,
    /// The one that came.
    pub found: Revision,
}

/// One lane whole.
#[derive(Debug, Default)]
struct Whole {
    objects: BTreeMap<(u8, Bytes), Arc<Live>>,
    /// By owner and region; `None` holds the objects that are for every one.
    hashes: HashMap<(Owner, Option<Region>), StateHash>,
    /// The sums of these over all owners, as the database has them, too.
    sums: HashMap<Option<Region>, StateHash>,
}

// === impl State ===

impl State {
    /// The whole as the database has it. Nothing of the log is kept: this whole need not follow the one before.
    pub fn loaded(everything: Everything, generation: u64) -> Self {
        let mut state = Self {
            epoch: everything.head.epoch,
            revision: everything.head.revision,
            generation,
            ring: Ring::from(everything.head.revision),
            ..Self::default()
        };
        for row in everything.objects {
            let lane = row.lane;
            state.insert(lane, Live::from(row));
        }
        state
    }

    /// Applies the next rows of the change log. Rows that are known already are passed over.
    pub fn advance(&mut self, rows: Vec<ChangeRow>) -> Result<(), Gap> {
        for row in rows {
            if row.revision <= self.revision {
                continue;
            }
            let expected = Revision(self.revision.0 + 1);
            if row.revision != expected {
                return Err(Gap {
                    expected,
                    found: row.revision,
                });
            }
            self.apply(row);
        }
        Ok(())
    }

    /// Which history the revision belongs to.
    pub const fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The newest change that is in here.
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// Grows by one with each load.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The newest changes.
    pub const fn ring(&self) -> &Ring {
        &self.ring
    }

    /// The state hash of a lane as an edge of this remit must have it now.
    pub fn hash(&self, lane: Lane, remit: &Remit) -> StateHash {
        let whole = self.whole(lane);
        let regions = [None, Some(remit.region.clone())];
        let sum = |hashes: [StateHash; 2]| hashes[0].plus(hashes[1]);
        let Some(organization) = remit.organization else {
            return sum(regions.map(|it| whole.sums.get(&it).copied().unwrap_or_default()));
        };
        sum(regions.map(|region| {
            let of = |owner| whole.hashes.get(&(owner, region.clone())).copied();
            let own = of(Owner::Organization(organization)).unwrap_or_default();
            own.plus(of(Owner::Installation).unwrap_or_default())
        }))
    }

    /// The same at an earlier revision; `None` when it is too old to tell, or not reached yet.
    pub fn hash_at(&self, lane: Lane, remit: &Remit, revision: Revision) -> Option<StateHash> {
        if revision > self.revision {
            return None;
        }
        let after = self
            .ring
            .after(revision)?
            .rev()
            .filter(|change| change.lane == lane);
        let hash = self.hash(lane, remit);
        Some(after.fold(hash, |hash, change| change.backward(remit, hash)))
    }

    /// Every live object and tombstone of a lane for this remit, always in the same order.
    pub fn objects(&self, lane: Lane, remit: &Remit) -> impl Iterator<Item = &Arc<Live>> {
        self.everywhere(lane).filter(|live| live.is_for(remit))
    }

    /// Whether there is such an object, and it is for this remit.
    pub fn holds(&self, (kind, key): (Kind, &[u8]), remit: &Remit) -> bool {
        let id = (kind as u8, Bytes::copy_from_slice(key));
        let live = self.whole(kind.lane()).objects.get(&id);
        live.is_some_and(|live| live.is_for(remit))
    }

    /// Every live object and tombstone of a lane.
    pub fn everywhere(&self, lane: Lane) -> impl Iterator<Item = &Arc<Live>> {
        self.whole(lane).objects.values()
    }

    /// The keys of this remit that were revoked after `revision`, as far as tombstones tell.
    pub fn revoked_after(&self, revision: Revision, remit: &Remit) -> Vec<Revoked> {
        let range = self
            .revoked
            .range((Bound::Excluded(revision), Bound::Unbounded));
        let here = range.filter(|(_, live)| live.is_for(remit));
        here.map(|(_, live)| Revoked::read(&live.key, &live.value))
            .collect()
    }

    /// Whether the hashes that the database keeps at this same revision are not these.
    pub fn differs_from(&self, rows: &[HashRow]) -> bool {
        let zero = StateHash::default();
        let mut theirs: HashMap<(Lane, Option<&Region>), StateHash> = HashMap::new();
        for row in rows.iter().filter(|row| row.hash != zero) {
            theirs.insert((row.lane, row.region.as_ref()), row.hash);
        }
        let mut ours = 0;
        for lane in Lane::ALL {
            for (region, hash) in self
                .whole(lane)
                .sums
                .iter()
                .filter(|(_, hash)| **hash != zero)
            {
                ours += 1;
                if theirs.get(&(lane, region.as_ref())) != Some(hash) {
                    return true;
                }
            }
        }
        ours != theirs.len()
    }

    fn apply(&mut self, row: ChangeRow) {
        let lane = row.lane;
        let key = Bytes::from(row.key);
        let old = self.remove(lane, row.kind, &key);
        let hash_of = |revision| StateHash::of_number(row.kind, &key, revision);
        let removed = old
            .as_ref()
            .map(|live| hash_of(live.revision))
            .unwrap_or_default();
        // Whose it is never changes; a row of before that was said does not know it of what is gone.
        let owner = match &old {
            Some(live) if live.owner != Owner::Unknown => live.owner,
            _ => row.owner,
        };
        let value = Bytes::from(row.value);
        let change = Arc::new(Logged {
            revision: row.revision,
            lane,
            kind: row.kind,
            operation: row.operation,
            owner,
            before: old.map(|live| live.audience.clone()),
            after: row.after,
            needs_config: needs_config(row.kind, row.operation, &value),
            removed,
            added: hash_of(row.revision),
            key,
            value,
            logged_at_ms: row.at_ms,
        });
        if let Some(audience) = change.after.clone() {
            self.insert(lane, Live::from_change(&change, audience));
        }
        self.revision = change.revision;
        self.ring.push(change);
    }

    fn insert(&mut self, lane: Lane, live: Live) {
        let live = Arc::new(live);
        let whole = self.whole_mut(lane);
        whole.add(&live, StateHash::plus);
        whole
            .objects
            .insert((live.kind, live.key.clone()), Arc::clone(&live));
        if live.operation == Operation::Revoke {
            self.revoked.insert(live.revision, live);
        }
    }

    fn remove(&mut self, lane: Lane, kind: u8, key: &Bytes) -> Option<Arc<Live>> {
        let whole = self.whole_mut(lane);
        let old = whole.objects.remove(&(kind, key.clone()))?;
        whole.add(&old, StateHash::minus);
        if old.operation == Operation::Revoke {
            self.revoked.remove(&old.revision);
        }
        Some(old)
    }

    const fn whole(&self, lane: Lane) -> &Whole {
        &self.lanes[lane as usize - 1]
    }

    const fn whole_mut(&mut self, lane: Lane) -> &mut Whole {
        &mut self.lanes[lane as usize - 1]
    }
}

// === impl Whole ===

impl Whole {
    fn add(&mut self, live: &Live, how: fn(StateHash, StateHash) -> StateHash) {
        let hash = StateHash::of_number(live.kind, &live.key, live.revision);
        let mut into = |region: Option<Region>| {
            let sum = self.sums.entry(region.clone()).or_default();
            *sum = how(*sum, hash);
            let of = (live.owner, region);
            let part = self.hashes.entry(of.clone()).or_default();
            *part = how(*part, hash);
            // An organization that is gone leaves nothing.
            if *part == StateHash::default() {
                self.hashes.remove(&of);
            }
        };
        if live.audience.regions().is_empty() {
            into(None);
        }
        live.audience
            .regions()
            .iter()
            .for_each(|region| into(Some(region.clone())));
    }
}

/// A key that cannot be read needs nothing: edges refuse it and say so.
fn needs_config(kind: u8, operation: Operation, value: &[u8]) -> Revision {
    if kind != Kind::Key as u8 || operation != Operation::Upsert {
        return Revision(0);
    }
    match proto::object::decode(Kind::Key, value) {
        Ok(Object::Key(key)) => key.config_revision,
        _ => Revision(0),
    }
}

#[cfg(test)]
#[path = "state_test.rs"]
mod tests;
