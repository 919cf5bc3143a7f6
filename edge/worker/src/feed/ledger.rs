//! Which objects of one lane have been received, and at which revision: what the state hash is taken over.
//!
//! Knows no object, only names and numbers. An object that was refused counts like any other, since the hash
//! compares what both ends have seen; that it was refused is kept beside it.

use std::collections::{HashMap, HashSet};

use policy::{hash::StateHash, revision::Revision};

/// The number of a kind, which this build may not know, and the key of an object.
pub type Name = (u8, Box<[u8]>);

/// The received objects of one lane.
#[derive(Debug, Default, Clone)]
pub struct Ledger {
    revisions: HashMap<Name, Revision>,
    refused: HashSet<Name>,
    hash: StateHash,
}

impl Ledger {
    /// The state hash.
    pub fn hash(&self) -> StateHash {
        self.hash
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.revisions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.revisions.is_empty()
    }

    /// The objects of which the newest state was refused.
    pub fn refused(&self) -> &HashSet<Name> {
        &self.refused
    }

    /// The revision of an object that was received.
    pub fn revision(&self, name: &Name) -> Option<Revision> {
        self.revisions.get(name).copied()
    }

    /// An object was received, and taken or refused.
    pub fn put(&mut self, name: Name, revision: Revision, refused: bool) {
        let here = StateHash::of_number(name.0, &name.1, revision);
        self.hash = self.hash.plus(here);
        if refused {
            self.refused.insert(name.clone());
        } else if !self.refused.is_empty() {
            self.refused.remove(&name);
        }
        if let Some(before) = self.revisions.get(&name).copied() {
            self.hash = self
                .hash
                .minus(StateHash::of_number(name.0, &name.1, before));
        }
        self.revisions.insert(name, revision);
    }

    /// An object is gone.
    pub fn remove(&mut self, name: &Name) {
        self.refused.remove(name);
        if let Some(before) = self.revisions.remove(name) {
            self.hash = self
                .hash
                .minus(StateHash::of_number(name.0, &name.1, before));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(kind: u8, key: &[u8]) -> Name {
        (kind, key.into())
    }

    #[test]
    fn the_hash_is_that_of_what_is_there_however_it_came() {
        let mut ledger = Ledger::default();
        ledger.put(name(7, b"one"), Revision(1), false);
        ledger.put(name(7, b"two"), Revision(2), true);
        ledger.put(name(7, b"one"), Revision(3), false);
        ledger.put(name(9, b"gone"), Revision(4), false);
        ledger.remove(&name(9, b"gone"));
        ledger.remove(&name(9, b"never"));

        let mut straight = Ledger::default();
        straight.put(name(7, b"two"), Revision(2), false);
        straight.put(name(7, b"one"), Revision(3), false);
        assert_eq!(ledger.hash(), straight.hash());
        assert_eq!(ledger.refused().len(), 1);
        ledger.put(name(7, b"two"), Revision(5), false);
        assert!(ledger.refused().is_empty());
    }
}
