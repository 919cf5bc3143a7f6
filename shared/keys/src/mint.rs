//! Mints keys.
//!
//! Owns the one place where a secret comes to be; never keeps it. Whatever is minted, `parse` reads back.

use zeroize::Zeroizing;

use crate::{
    digits::{self, CHECKSUM_CHARS, KEY_ID_CHARS, SECRET_CHARS},
    family::{Family, prefix},
    tag::secret_sha256,
};

/// A new key. Shown once and then forgotten: only the id and the hash are kept. Not `Debug`.
pub struct Minted {
    /// The text that the owner presents.
    pub text: Zeroizing<String>,
    /// The part that may be shown and stored: 12 characters of `[0-9A-Za-z]`.
    pub key_id: String,
    /// SHA-256 over the 43 characters of the secret.
    pub secret_sha256: [u8; 32],
}

/// Makes a key: `<prefix><key id, 12>_<secret, 43><CRC-32 of all before it, 6>`, the secret being 256
/// random bits.
pub fn mint(family: Family) -> Minted {
    renew(family, digits::key_id())
}

/// Makes another secret for the key with this id, which stays: 12 characters of `[0-9A-Za-z]`.
pub fn renew(family: Family, key_id: String) -> Minted {
    let secret = digits::secret();
    // The capacity is exact, because a string that grows leaves its old bytes behind.
    let length = prefix(family).len() + KEY_ID_CHARS + 1 + SECRET_CHARS + CHECKSUM_CHARS;
    let mut text = Zeroizing::new(String::with_capacity(length));
    text.push_str(prefix(family));
    text.push_str(&key_id);
    text.push('_');
    text.extend(secret.iter().map(|byte| char::from(*byte)));
    let checksum = digits::checksum(&text);
    text.extend(checksum.map(char::from));
    Minted {
        text,
        key_id,
        secret_sha256: secret_sha256(&secret[..]),
    }
}
