//! Maps by ids: nobody outside chooses them, so that one multiplication is hash enough.
//!
//! Knows nothing of what the ids stand for. Not for what clients choose: names, texts and their hashes.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A map whose keys are ids.
pub type ById<K, V> = HashMap<K, V, BuildHasherDefault<Halves>>;

/// What is laid over the halves of an id before they are multiplied, so that neither is a small number: digits of pi.
const OVER: [u64; 2] = [0xC0AC_29B7_C97C_50DD, 0x4528_21E6_38D0_1377];

/// Multiplies the halves of an id.
#[derive(Debug, Default, Clone, Copy)]
pub struct Halves(u64);

// === impl Halves ===

impl Hasher for Halves {
    fn finish(&self) -> u64 {
        self.0
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the halves of the product are laid over each other"
    )]
    fn write(&mut self, bytes: &[u8]) {
        // Both halves count: ids that differ in one half alone would all belong in one place of a map if the other were taken, and each
        // look-up would go through all of them.
        if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            let first = self.0 ^ u64::from_le_bytes(*first) ^ OVER[0];
            let last = u64::from_le_bytes(*last) ^ OVER[1];
            let product = u128::from(first) * u128::from(last);
            self.0 = (product >> 64) as u64 ^ product as u64;
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
    use std::{collections::HashSet, hash::BuildHasher};

    use super::*;

    /// Of a thousand ids of these bytes with a number at this place, in how many of 2,048 places of a map they belong, and how many of
    /// its 128 marks they have.
    fn spread(bytes: [u8; 16], at: usize) -> [usize; 2] {
        let hash = |number: u16| {
            let mut id = bytes;
            id[at..at + 2].copy_from_slice(&number.to_le_bytes());
            BuildHasherDefault::<Halves>::default().hash_one(id)
        };
        let hashes: Vec<u64> = (0..1_000).map(hash).collect();
        let count = |part: fn(&u64) -> u64| hashes.iter().map(part).collect::<HashSet<_>>().len();
        [count(|it| it % 2_048), count(|it| it >> 57)]
    }

    #[test]
    fn ids_are_spread_wherever_they_differ() {
        for bytes in [[0; 16], [4; 16], [0xFF; 16]] {
            for at in 0..15 {
                let [places, marks] = spread(bytes, at);
                // By chance they would be 791 and 128; alike, as good as one.
                assert!(
                    places > 400 && marks > 64,
                    "{bytes:?} {at}: {places}, {marks}"
                );
            }
        }
    }

    #[test]
    fn an_id_is_found_again() {
        let mut map = ById::default();
        for number in 0..1_000_u128 {
            map.insert(number.to_be_bytes(), number);
        }
        assert_eq!(map.len(), 1_000);
        assert_eq!(map.get(&500_u128.to_be_bytes()), Some(&500));
        assert_eq!(map.get(&1_000_u128.to_be_bytes()), None);
    }
}
