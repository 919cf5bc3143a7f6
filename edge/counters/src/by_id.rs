//! Maps by ids that are random already: nobody outside chooses them, so that nothing needs to be hashed.
//!
//! Knows nothing of what the ids stand for.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A map whose keys are random.
pub(crate) type ById<K, V> = HashMap<K, V, BuildHasherDefault<Random>>;

/// Takes the last bytes of an id for its hash.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Random(u64);

// === impl Random ===

impl Hasher for Random {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // A time stands first in most ids.
        if let Some(last) = bytes.last_chunk() {
            self.0 ^= u64::from_le_bytes(*last);
        }
    }

    fn write_u128(&mut self, id: u128) {
        self.write(&id.to_be_bytes());
    }

    // All ids of a map are of one length.
    fn write_usize(&mut self, _length: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_differ_in_their_last_bytes_are_told_apart() {
        let mut map = ById::default();
        for number in 0..1_000_u128 {
            let mut id = [7; 16];
            id[8..].copy_from_slice(&number.to_be_bytes()[8..]);
            map.insert(id, number);
        }
        assert_eq!(map.len(), 1_000);
        let mut id = [7; 16];
        id[8..].copy_from_slice(&500_u64.to_be_bytes());
        assert_eq!(map.get(&id), Some(&500));
    }
}
