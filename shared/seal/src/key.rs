//! The sealing key, its id, and the sealed form of a value.
//!
//! A sealed value is a version byte, a random nonce of 96 bits, the ciphertext and its tag of 128 bits. The
//! context goes in as associated data, so that a value opens only in the place for which it was sealed. One
//! key seals at most 2^32 values; a control plane that seals a thousand a second for a month and an edge
//! that never rests stay below it.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use zeroize::Zeroizing;

/// What the first byte of a sealed value says: AES-256-GCM, as above.
const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;

/// How much longer a sealed value is than the plain one, in bytes.
pub const SEALING_BYTES: usize = 1 + NONCE_LEN + TAG_BYTES;

/// What comes before a key where its id is made, so that the hash is of no other use.
const ID_WORD: &[u8] = b"sluice sealing key id\0";

/// How long an id is, in bytes.
pub(crate) const ID_BYTES: usize = 8;

/// A key of 256 bits. Not `Debug`; clones share one copy.
#[derive(Clone)]
pub struct SealingKey {
    key: Arc<LessSafeKey>,
    id: KeyId,
}

/// Which key: the first 8 bytes of a SHA-256 over it. A key is random, so its hash tells nothing of it. Shown as 16 hex
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; ID_BYTES]);

/// The text is not a key. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidKey;

/// Why a value did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannotOpen {
    /// Another key or context sealed it, or it was changed. Which of these cannot be known.
    Other,
    /// It names a key that is not here.
    NoKey(KeyId),
}

// === impl SealingKey ===

impl SealingKey {
    /// Reads a key from 64 hex digits, or from base64 (either alphabet, padded or not) of 32 bytes. Space
    /// around it is left away, since a file ends with a line break.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let text = text.trim().as_bytes();
        let bytes = if text.len() == 64 {
            from_hex(text)
        } else {
            from_base64(text)
        };
        Self::from_bytes(&bytes.ok_or(InvalidKey)?)
    }

    /// The text of a fresh key, for an operator to keep: 64 hex digits.
    pub fn generate_text() -> Zeroizing<String> {
        let drawn = Zeroizing::new(random::<32>());
        let mut text = Zeroizing::new(String::with_capacity(64));
        for byte in drawn.iter() {
            for half in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(half.into(), 16));
            }
        }
        text
    }

    /// Seals a value for a context. The result is [`SEALING_BYTES`] longer than `plain`.
    ///
    /// # Panics
    /// When `plain` is above 64 GiB, which the mode cannot seal; whatever comes here has a far smaller bound.
    pub fn seal(&self, plain: &[u8], context: &[u8]) -> Vec<u8> {
        let nonce = random::<NONCE_LEN>();
        let mut sealed = Vec::with_capacity(plain.len() + SEALING_BYTES);
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = self
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context),
                &mut sealed[1 + NONCE_LEN..],
            )
            .expect("a value below 64 GiB can always be sealed");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Opens what [`Self::seal`] sealed with this key for this context.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
        let (&version, rest) = sealed.split_first().ok_or(CannotOpen::Other)?;
        let (&nonce, rest) = rest
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(CannotOpen::Other)?;
        if version != VERSION || rest.len() < TAG_BYTES {
            return Err(CannotOpen::Other);
        }
        let mut opened = Zeroizing::new(rest.to_vec());
        let length = self
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context),
                &mut opened,
            )
            .map_err(|_| CannotOpen::Other)?
            .len();
        opened.truncate(length);
        Ok(opened)
    }

    /// Which key it is.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidKey> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| InvalidKey)?;
        let named = Zeroizing::new([ID_WORD, bytes].concat());
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&digest(&SHA256, &named).as_ref()[..ID_BYTES]);
        Ok(Self {
            key: Arc::new(LessSafeKey::new(key)),
            id: KeyId(id),
        })
    }
}

// === impl KeyId ===

impl KeyId {
    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut drawn = [0; N];
    SystemRandom::new()
        .fill(&mut drawn)
        .expect("the random source aborts rather than fail");
    drawn
}

fn from_hex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(32));
    for pair in text.chunks_exact(2) {
        let (high, low) = (
            char::from(pair[0]).to_digit(16)?,
            char::from(pair[1]).to_digit(16)?,
        );
        bytes.push(u8::try_from(high << 4 | low).ok()?);
    }
    Some(bytes)
}

/// Reads 43 characters, with one `=` after them or none. Spare bits must be zero: a key has one text.
fn from_base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.strip_suffix(b"=").unwrap_or(text);
    if text.len() != 43 {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(32));
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text {
        bits = (bits << 6 | sextet(*letter)?) & 0xfff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count).to_le_bytes()[0]);
        }
    }
    (bits.trailing_zeros() >= 2).then_some(bytes)
}

fn sextet(letter: u8) -> Option<u32> {
    let value = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(value.into())
}

// === impl errors ===

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sealing key is 32 bytes, written as 64 hex digits or in base64")
    }
}

impl std::error::Error for InvalidKey {}

impl fmt::Display for CannotOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other => f.write_str(
                "cannot be opened: sealed with another key, for another place, or damaged",
            ),
            Self::NoKey(id) => write!(
                f,
                "was sealed with the key {id}, which is not here: give it in seal.open_key_files and start again"
            ),
        }
    }
}

impl std::error::Error for CannotOpen {}

#[cfg(test)]
#[path = "key_test.rs"]
mod tests;
