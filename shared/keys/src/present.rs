//! Reads the text of a key that somebody presents, and checks it against what is known.
//!
//! Looks at the length before anything else, then at the grammar, then at the checksum, and hashes only
//! what passed: garbage costs a CRC at most. What was parsed only borrows the text, and is not `Debug`.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::{
    digits::{CHECKSUM_CHARS, KEY_ID_CHARS, SECRET_CHARS, checksum},
    family::{FAMILIES, Family, prefix},
    tag::{secret_sha256, tag},
};

/// What follows the prefix, in bytes.
const AFTER_PREFIX_BYTES: usize = KEY_ID_CHARS + 1 + SECRET_CHARS + CHECKSUM_CHARS;
/// The shortest prefix is four bytes, the longest nine.
const TEXT_BYTES_MIN: usize = 4 + AFTER_PREFIX_BYTES;
const TEXT_BYTES_MAX: usize = 9 + AFTER_PREFIX_BYTES;

/// A well-formed key, not yet known to be anyone's.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    family: Family,
    key_id: &'a str,
    secret: &'a str,
}

/// Why a text is not a key. Says nothing of the text itself, so that it may be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Too short or too long for any family.
    Length,
    /// Begins like no family.
    Prefix,
    /// The parts have other widths or other characters than `[0-9A-Za-z]`.
    Shape,
    /// Mistyped or cut: the checksum does not fit.
    Checksum,
}

/// Reads a key. Accepts exactly what [`crate::mint()`] can write: no spaces around it, no other case.
pub fn parse(text: &str) -> Result<Presented<'_>, Malformed> {
    if !(TEXT_BYTES_MIN..=TEXT_BYTES_MAX).contains(&text.len()) {
        return Err(Malformed::Length);
    }
    let (family, rest) = FAMILIES
        .into_iter()
        .find_map(|family| Some((family, text.strip_prefix(prefix(family))?)))
        .ok_or(Malformed::Prefix)?;
    let (key_id, rest) = rest.split_once('_').ok_or(Malformed::Shape)?;
    let (secret, _) = rest
        .split_at_checked(SECRET_CHARS)
        .ok_or(Malformed::Shape)?;
    let fits = key_id.len() == KEY_ID_CHARS && rest.len() == SECRET_CHARS + CHECKSUM_CHARS;
    if !fits || !is_digits(key_id) || !is_digits(rest) {
        return Err(Malformed::Shape);
    }
    let (before, claimed) = text
        .split_at_checked(text.len() - CHECKSUM_CHARS)
        .ok_or(Malformed::Shape)?;
    // The checksum is no secret: anyone can compute it from the rest.
    if checksum(before) != claimed.as_bytes() {
        return Err(Malformed::Checksum);
    }
    Ok(Presented {
        family,
        key_id,
        secret,
    })
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

// === impl Presented ===

impl Presented<'_> {
    /// The part that may be shown: 12 characters.
    pub fn key_id(&self) -> &str {
        self.key_id
    }

    /// Which kind of key it claims to be. Trust it only after a match: the prefix is under the checksum,
    /// not the hash.
    pub fn family(&self) -> Family {
        self.family
    }

    /// SHA-256 over the 43 characters of the secret.
    pub fn secret_sha256(&self) -> [u8; 32] {
        secret_sha256(self.secret.as_bytes())
    }

    /// Whether this is the key with that tag, compared in constant time.
    pub fn matches(&self, pepper: &[u8; 32], expected: &[u8; 32]) -> bool {
        tag(pepper, self.key_id, &self.secret_sha256())
            .ct_eq(expected)
            .into()
    }

    /// Whether the secret has that SHA-256, compared in constant time.
    pub fn matches_sha256(&self, expected: &[u8; 32]) -> bool {
        self.secret_sha256().ct_eq(expected).into()
    }
}

// === impl Malformed ===

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "the key is too short or too long",
            Self::Prefix => "the key does not begin with slc_live_, slc_test_, slo_, slj_ or sla_",
            Self::Shape => "the key has a wrong shape",
            Self::Checksum => "the key is mistyped or cut: its checksum does not fit",
        })
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
#[path = "present_test.rs"]
mod tests;
