//! The newest changes, kept in memory so that edges are served without asking the database.
//!
//! Owns what a change means to edges of one remit, and the bound of what is kept. Knows nothing of streams or SQL.
//! The changes are without a gap: after `start` every revision up to the newest is here.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use policy::{
    change::Operation,
    hash::StateHash,
    object::Lane,
    region::Audience,
    remit::{Owner, Remit},
    revision::Revision,
};

/// The most changes that are kept.
pub const CHANGES_MAX: usize = 65_536; // Full: the oldest go; an edge behind them gets a snapshot.

/// The most bytes of keys and values that are kept.
pub const BYTES_MAX: usize = 64 << 20; // Full: as above.

/// What a change costs beside its key and value: numbers, tags and lengths on the wire, a few hashes here.
pub const CHANGE_OVERHEAD_BYTES: usize = 64;

/// One change as the log has it, with what it does to the state hash.
#[derive(Debug, Clone)]
pub struct Logged {
    /// Its number.
    pub revision: Revision,
    /// Its lane.
    pub lane: Lane,
    /// The number of the object's kind; perhaps one that this build does not know.
    pub kind: u8,
    /// What is done.
    pub operation: Operation,
    /// Which object.
    pub key: Bytes,
    /// Whose the object is.
    pub owner: Owner,
    /// For whom the object was before; `None` when there was none.
    pub before: Option<Audience>,
    /// For whom it is now; `None` when it is gone.
    pub after: Option<Audience>,
    /// The object, as stored; of a revocation what it asks for, and otherwise empty.
    pub value: Bytes,
    /// The configuration that an edge must have before it may get this; zero for none.
    pub needs_config: Revision,
    /// What an edge that saw the object before takes from its hash.
    pub removed: StateHash,
    /// What an edge that sees it now adds to its hash.
    pub added: StateHash,
    /// When it was logged, just before its commit, milliseconds since 1970.
    pub logged_at_ms: u64,
}

/// The newest changes.
#[derive(Debug, Default)]
pub struct Ring {
    changes: VecDeque<Arc<Logged>>,
    bytes: usize,
    start: Revision,
}

// === impl Logged ===

impl Logged {
    /// What an edge of this remit must do; `None` when the change is not its business.
    pub fn operation_for(&self, remit: &Remit) -> Option<Operation> {
        match (
            self.is_for(remit, self.before.as_ref()),
            self.is_for(remit, self.after.as_ref()),
        ) {
            (_, true) => Some(self.operation),
            // The object lives on elsewhere or is gone: here it must not stay.
            (true, false) => Some(Operation::Delete),
            (false, false) => None,
        }
    }

    /// The hash of a remit after this change, from the one before.
    pub fn forward(&self, remit: &Remit, hash: StateHash) -> StateHash {
        let mut hash = hash;
        if self.is_for(remit, self.before.as_ref()) {
            hash = hash.minus(self.removed);
        }
        if self.is_for(remit, self.after.as_ref()) {
            hash = hash.plus(self.added);
        }
        hash
    }

    /// The hash of a remit before this change, from the one after.
    pub fn backward(&self, remit: &Remit, hash: StateHash) -> StateHash {
        let nothing = StateHash::default();
        hash.minus(self.forward(remit, nothing))
    }

    fn is_for(&self, remit: &Remit, audience: Option<&Audience>) -> bool {
        audience.is_some_and(|audience| remit.may_have(self.owner, audience))
    }

    /// How much it counts for where bytes are bounded.
    pub fn bytes(&self) -> usize {
        self.key.len() + self.value.len() + CHANGE_OVERHEAD_BYTES
    }
}

// === impl Ring ===

impl Ring {
    /// An empty ring that goes on from `start`.
    pub fn from(start: Revision) -> Self {
        Self {
            start,
            ..Self::default()
        }
    }

    /// Adds the next change.
    pub fn push(&mut self, change: Arc<Logged>) {
        self.bytes += change.bytes();
        self.changes.push_back(change);
        while self.changes.len() > CHANGES_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.changes.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes();
            self.start = oldest.revision;
        }
    }

    /// The changes after `revision`, oldest first; `None` when some of them are no longer kept.
    pub fn after(
        &self,
        revision: Revision,
    ) -> Option<impl DoubleEndedIterator<Item = &Arc<Logged>>> {
        if revision < self.start {
            return None;
        }
        let first = self
            .changes
            .partition_point(|change| change.revision <= revision);
        Some(self.changes.range(first..))
    }
}

#[cfg(test)]
mod tests {
    use policy::region::Region;

    use super::*;

    fn region(name: &str) -> Region {
        Region::try_from(name).unwrap()
    }

    fn remit(name: &str) -> Remit {
        Remit::of(region(name))
    }

    fn only(name: &str) -> Audience {
        Audience::only(vec![region(name)])
    }

    fn change(number: u64, before: Option<Audience>, after: Option<Audience>) -> Logged {
        Logged {
            revision: Revision(number),
            lane: Lane::Config,
            kind: 1,
            operation: Operation::Upsert,
            key: Bytes::from_static(b"key"),
            owner: Owner::Unknown,
            before,
            after,
            value: Bytes::from_static(b"value"),
            needs_config: Revision(0),
            removed: StateHash::of_number(1, b"key", Revision(number - 1)),
            added: StateHash::of_number(1, b"key", Revision(number)),
            logged_at_ms: 0,
        }
    }

    #[test]
    fn an_object_that_moves_away_is_deleted_where_it_was_and_made_where_it_goes() {
        let moved = change(2, Some(only("east")), Some(only("west")));
        assert_eq!(moved.operation_for(&remit("east")), Some(Operation::Delete));
        assert_eq!(moved.operation_for(&remit("west")), Some(Operation::Upsert));
        assert_eq!(moved.operation_for(&remit("north")), None);
        let everywhere = change(2, Some(Audience::everywhere()), Some(only("west")));
        assert_eq!(
            everywhere.operation_for(&remit("east")),
            Some(Operation::Delete)
        );
    }

    #[test]
    fn the_hash_goes_back_the_way_it_came() {
        let here = StateHash::of_number(1, b"key", Revision(1));
        for (name, after) in [("east", StateHash::default()), ("west", here)] {
            let moved = change(2, Some(only("east")), Some(only("north")));
            let forward = moved.forward(&remit(name), here);
            assert_eq!(forward, after);
            assert_eq!(moved.backward(&remit(name), forward), here);
        }
    }

    #[test]
    fn what_no_longer_fits_is_gone_and_the_ring_says_so() {
        let mut ring = Ring::from(Revision(1));
        for number in 2..=CHANGES_MAX as u64 + 2 {
            ring.push(Arc::new(change(number, None, None)));
        }
        assert!(ring.after(Revision(1)).is_none());
        assert_eq!(ring.after(Revision(2)).unwrap().count(), CHANGES_MAX);
        let newest = Revision(CHANGES_MAX as u64 + 2);
        assert_eq!(ring.after(newest).unwrap().count(), 0);
    }
}
