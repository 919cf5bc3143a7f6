//! Maps by ids that are random already: nobody outside chooses them, so that nothing needs to be hashed.
//!
//! Knows nothing of what the ids stand for. Not for what clients choose: names, texts and their hashes.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A map whose keys are random.
pub type ById<K, V> = HashMap<K, V, BuildHasherDefault<Random>>;

/// An odd number of which half of the bits are set: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Takes the last bytes of an id for its hash.
#[derive(Debug, Default, Clone, Copy)]
pub struct Random(u64);

// === impl Random ===

impl Hasher for Random {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // A time stands first in most ids, and two bits of the ninth byte are alike in all UUIDs: multiplying spreads
        // what is random over those bits, too, of which a map takes the highest.
        if let Some(last) = bytes.last_chunk() {
            self.0 ^= u64::from_be_bytes(*last).wrapping_mul(SPREAD);
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
