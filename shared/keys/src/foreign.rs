//! Keys that somebody else minted, known by the SHA-256 of their text.
//!
//! Such a text has no key id in it, so its id is made from its hash: it tells nothing of the text, nobody can steer
//! it, and it is found where all others are. Whatever the text, looking it up costs two hashes.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    digits::{self, KEY_ID_CHARS},
    family::{FAMILIES, prefix},
    tag::{secret_sha256, tag},
};

/// How long a foreign text may be, in bytes.
pub const FOREIGN_BYTES: std::ops::RangeInclusive<usize> = 16..=512;

/// The random bits that a foreign text must have at the least, for a fast hash to be safe.
pub const FOREIGN_BITS_MIN: f64 = 128.0;

/// A text that may be a foreign key. Holds its hash alone, and is not `Debug`.
pub struct Foreign {
    key_id: [u8; KEY_ID_CHARS],
    sha256: [u8; 32],
}

/// Reads a text that is not one of ours; `None` when it is none that could have been imported.
pub fn foreign(text: &str) -> Option<Foreign> {
    let fits = FOREIGN_BYTES.contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !FAMILIES.iter().any(|it| text.starts_with(prefix(*it)));
    fits.then(|| Foreign::of(secret_sha256(text.as_bytes())))
}

/// The random bits of a text of `characters` drawn from an alphabet of so many.
pub fn entropy_bits(characters: u32, alphabet: u32) -> f64 {
    f64::from(characters) * f64::from(alphabet.max(1)).log2()
}

// === impl Foreign ===

impl Foreign {
    /// The key whose text has this SHA-256.
    pub fn of(sha256: [u8; 32]) -> Self {
        let mut hash = Sha256::new_with_prefix(b"sluice: the id of a foreign key\0");
        hash.update(sha256);
        let drawn: [u8; 32] = hash.finalize().into();
        let mut number = [0; 16];
        number.copy_from_slice(&drawn[..16]);
        let key_id = digits::key_id_of(u128::from_be_bytes(number));
        Self { key_id, sha256 }
    }

    /// The part that may be shown: 12 characters.
    pub fn key_id(&self) -> &str {
        // Digits of ours, so it is text.
        std::str::from_utf8(&self.key_id).unwrap_or_default()
    }

    /// SHA-256 of the text.
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Whether this is the key with that tag, compared in constant time.
    pub fn matches(&self, pepper: &[u8; 32], expected: &[u8; 32]) -> bool {
        tag(pepper, self.key_id(), &self.sha256)
            .ct_eq(expected)
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Family, mint};

    #[test]
    fn a_foreign_text_is_found_by_what_only_its_hash_makes() {
        let text = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789";
        let shown = foreign(text).unwrap();
        let imported = Foreign::of(Sha256::digest(text).into());
        assert_eq!(shown.key_id(), imported.key_id());
        assert_eq!(shown.key_id().len(), 12);
        let tag = tag(&[7; 32], imported.key_id(), imported.sha256());
        assert!(shown.matches(&[7; 32], &tag));
        let other = foreign("sk-proj-abcdefghijklmnopqrstuvwxyz0123456788").unwrap();
        assert!(other.key_id() != shown.key_id() && !other.matches(&[7; 32], &tag));
    }

    #[test]
    fn a_text_of_ours_or_of_no_key_is_not_foreign() {
        let ours = mint(Family::Live);
        let long = "a".repeat(513);
        for text in [
            ours.text.as_str(),
            "slo_x_yyyyyyyyyyyyyyy",
            "short",
            "with a space inside",
            &long,
        ] {
            assert!(foreign(text).is_none(), "{text}");
        }
    }

    #[test]
    fn bits_are_those_of_the_drawn_part() {
        assert!(entropy_bits(32, 16) >= FOREIGN_BITS_MIN);
        assert!(entropy_bits(31, 16) < FOREIGN_BITS_MIN);
        assert!(entropy_bits(22, 62) >= FOREIGN_BITS_MIN);
        assert!(entropy_bits(1_000, 0) < FOREIGN_BITS_MIN);
    }
}
