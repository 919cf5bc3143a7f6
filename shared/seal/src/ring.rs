//! Several sealing keys, one of which seals, and the envelope that names which.
//!
//! An envelope is a version byte, the id of the sealing key, a key of its own sealed under that, and the value sealed under
//! its own key for its context. So another sealing key needs only the own key sealed anew, without the value and without
//! knowing its context. What was sealed before there were envelopes names no key, and is tried with each.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::key::{CannotOpen, ID_BYTES, KeyId, SEALING_BYTES, SealingKey, random};

/// What the first byte of an envelope says; a value without one begins with 1.
const VERSION: u8 = 2;

/// Where the own key begins.
const HEAD_BYTES: usize = 1 + ID_BYTES;

/// How long the own key is, sealed.
const OWN_BYTES: usize = 32 + SEALING_BYTES;

/// How much longer an envelope is than what is in it, in bytes.
pub const ENVELOPE_BYTES: usize = HEAD_BYTES + OWN_BYTES + SEALING_BYTES;

/// The most keys that only open.
pub const OPENING_KEYS_MAX: usize = 8; // Full: no ring is made; take those away that nothing needs any more.

/// The key that seals, and those that only open. Not `Debug`; clones share one copy.
#[derive(Clone)]
pub struct Ring {
    sealing: SealingKey,
    opening: Arc<[SealingKey]>,
}

/// More than [`OPENING_KEYS_MAX`] keys only open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyKeys;

// === impl Ring ===

impl Ring {
    /// The key that seals, and those that only open what it does not.
    pub fn new(sealing: SealingKey, opening: Vec<SealingKey>) -> Result<Self, TooManyKeys> {
        if opening.len() > OPENING_KEYS_MAX {
            return Err(TooManyKeys);
        }
        Ok(Self {
            sealing,
            opening: opening.into(),
        })
    }

    /// Which key seals.
    pub const fn sealing_id(&self) -> KeyId {
        self.sealing.id()
    }

    /// Which keys only open.
    pub fn opening_ids(&self) -> impl Iterator<Item = KeyId> {
        self.opening.iter().map(SealingKey::id)
    }

    /// What every value begins with that the sealing key sealed: the version byte and its id.
    pub fn mark(&self) -> Vec<u8> {
        [&[VERSION], self.sealing.id().as_bytes().as_slice()].concat()
    }

    /// Which key a sealed value names; `None` where it is from before there were envelopes.
    pub fn named(sealed: &[u8]) -> Option<KeyId> {
        let (&version, rest) = sealed.split_first()?;
        let id = rest.first_chunk::<ID_BYTES>()?;
        (version == VERSION).then(|| KeyId::from_bytes(*id))
    }

    /// Seals a value for a context. The result is [`ENVELOPE_BYTES`] longer than `plain`.
    ///
    /// # Panics
    /// As [`SealingKey::seal`].
    pub fn seal(&self, plain: &[u8], context: &[u8]) -> Vec<u8> {
        let own = Zeroizing::new(random::<32>());
        let under_own = SealingKey::from_bytes(own.as_slice())
            .expect("32 bytes are a key")
            .seal(plain, context);
        self.envelope(own.as_slice(), &under_own)
    }

    /// Opens what a key of this ring sealed for this context.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
        let Some(id) = Self::named(sealed) else {
            return self.open_bare(sealed, context);
        };
        let (own, under_own) = self.own(id, sealed)?;
        SealingKey::from_bytes(&own)
            .map_err(|_| CannotOpen::Other)?
            .open(under_own, context)
    }

    /// The same value under the key that seals now; `None` where it is already. Of an envelope only its own key is sealed
    /// anew; the context is needed where there is none.
    pub fn renew(&self, sealed: &[u8], context: &[u8]) -> Result<Option<Vec<u8>>, CannotOpen> {
        match Self::named(sealed) {
            Some(id) if id == self.sealing.id() => Ok(None),
            Some(id) => {
                let (own, under_own) = self.own(id, sealed)?;
                Ok(Some(self.envelope(&own, under_own)))
            }
            None => {
                let plain = self.open_bare(sealed, context)?;
                Ok(Some(self.seal(&plain, context)))
            }
        }
    }

    fn envelope(&self, own: &[u8], under_own: &[u8]) -> Vec<u8> {
        let mut sealed = self.mark();
        sealed.reserve_exact(OWN_BYTES + under_own.len());
        let head = sealed.clone();
        sealed.extend(self.sealing.seal(own, &head));
        sealed.extend_from_slice(under_own);
        sealed
    }

    /// The own key of an envelope, and what is sealed under it.
    fn own<'a>(
        &self,
        id: KeyId,
        sealed: &'a [u8],
    ) -> Result<(Zeroizing<Vec<u8>>, &'a [u8]), CannotOpen> {
        let mut keys = std::iter::once(&self.sealing).chain(self.opening.iter());
        let key = keys.find(|key| key.id() == id);
        let key = key.ok_or(CannotOpen::NoKey(id))?;
        let (head, rest) = sealed
            .split_at_checked(HEAD_BYTES)
            .ok_or(CannotOpen::Other)?;
        let (own, under_own) = rest.split_at_checked(OWN_BYTES).ok_or(CannotOpen::Other)?;
        Ok((key.open(own, head)?, under_own))
    }

    fn open_bare(&self, sealed: &[u8], context: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
        let mut keys = std::iter::once(&self.sealing).chain(self.opening.iter());
        keys.find_map(|key| key.open(sealed, context).ok())
            .ok_or(CannotOpen::Other)
    }
}

impl From<SealingKey> for Ring {
    fn from(sealing: SealingKey) -> Self {
        Self {
            sealing,
            opening: Arc::default(),
        }
    }
}

// === impl TooManyKeys ===

impl std::fmt::Display for TooManyKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at most {OPENING_KEYS_MAX} keys may only open")
    }
}

impl std::error::Error for TooManyKeys {}

#[cfg(test)]
#[path = "ring_test.rs"]
mod tests;
