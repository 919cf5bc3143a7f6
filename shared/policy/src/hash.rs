//! The state hash: what two ends compare to know that they hold the same objects.
//!
//! The sum modulo 2^256 of SHA-256(kind ‖ key length ‖ key ‖ revision) over all live objects: adding and
//! taking away cost one digest, whatever the size of the state. It finds bugs, not adversaries.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::{object::Kind, revision::Revision};

/// A state hash: 32 bytes, little-endian as a number.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct StateHash([u8; 32]);

impl StateHash {
    /// Takes bytes as a hash.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of a state that holds this one object.
    pub fn of(kind: Kind, key: &[u8], revision: Revision) -> Self {
        Self::of_number(kind as u8, key, revision)
    }

    /// As [`Self::of`], for a kind that this build may not know.
    pub fn of_number(kind: u8, key: &[u8], revision: Revision) -> Self {
        let mut digest = Sha256::new();
        digest.update([kind]);
        digest.update((key.len() as u64).to_be_bytes());
        digest.update(key);
        digest.update(revision.0.to_be_bytes());
        Self(digest.finalize().into())
    }

    /// The hash of the two states together.
    pub fn plus(self, other: Self) -> Self {
        let mut sum = [0; 32];
        let mut carry = 0;
        for (at, byte) in sum.iter_mut().enumerate() {
            let digit = u16::from(self.0[at]) + u16::from(other.0[at]) + carry;
            *byte = digit.to_le_bytes()[0];
            carry = digit >> 8;
        }
        Self(sum)
    }

    /// The hash of this state without the other.
    pub fn minus(self, other: Self) -> Self {
        let negated = Self(other.0.map(|byte| !byte));
        let mut one = [0; 32];
        one[0] = 1;
        self.plus(negated).plus(Self(one))
    }
}

impl fmt::Debug for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_can_be_taken_away_in_any_order() {
        let one = StateHash::of(Kind::Key, b"one", Revision(1));
        let two = StateHash::of(Kind::Model, b"two", Revision(2));
        assert_eq!(one.plus(two), two.plus(one));
        assert_eq!(one.plus(two).minus(one), two);
        assert_eq!(one.minus(one), StateHash::default());
        assert_ne!(one, StateHash::of(Kind::Key, b"one", Revision(2)));
    }
}
