//! The keys that may be used now, and those that never may be again.
//!
//! Knows nothing of what a key opens. Cut into shards, so that readers on every core and the one writer seldom
//! meet; a key that is revoked is out of its shard before the call comes back.

use std::{
    borrow::Borrow,
    collections::HashSet,
    hash::{Hash, Hasher},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use policy::key::Key;

/// How many parts the key set has.
const SHARDS: usize = 256;

/// How many revoked key ids each part remembers: some ten million in all.
// Full: a key revoked then is taken out, so that it is refused as unknown, and only the control plane's
// own tombstone keeps it from coming back.
const REVOKED_MAX_PER_SHARD: usize = 40_000;

/// How many key ids each part remembers whose streams are to be cut: some million in all.
// Full: the key is revoked, and what is under way for it ends by itself.
const CUT_MAX_PER_SHARD: usize = 4_000;

/// The key was revoked, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked;

/// A key set that is being built aside.
pub struct KeySet {
    shards: Vec<HashSet<Held>>,
}

/// The key set in force.
pub struct KeysInForce {
    shards: Box<[RwLock<Shard>]>,
}

// The lock is held for one lookup or one insertion, never over I/O or an await; a whole new set is built
// aside and takes it for a pointer's swap.
#[derive(Default)]
struct Shard {
    active: HashSet<Held>,
    revoked: HashSet<Box<str>>,
    cut: HashSet<Box<str>>,
}

/// A key that is found by its own id, so that the id is kept once.
struct Held(Arc<Key>);

// === impl KeysInForce ===

impl KeysInForce {
    /// The key with this id, if there is one and it was never revoked.
    pub fn active(&self, key_id: &str) -> Result<Option<Arc<Key>>, Revoked> {
        let shard = self.read(key_id);
        if shard.revoked.contains(key_id) {
            return Err(Revoked);
        }
        Ok(shard.active.get(key_id).map(|held| Arc::clone(&held.0)))
    }

    /// Adds or replaces a key, unless it has ever been revoked.
    pub fn put(&self, key: Key) {
        let mut shard = self.write(&key.key_id);
        if !shard.revoked.contains(key.key_id.as_str()) {
            shard.active.replace(Held(Arc::new(key)));
        }
    }

    /// Takes a key out.
    pub fn remove(&self, key_id: &str) {
        self.write(key_id).active.remove(key_id);
    }

    /// Revokes a key, known or not. Says whether that was news.
    pub fn revoke(&self, key_id: &str) -> bool {
        let mut shard = self.write(key_id);
        shard.active.remove(key_id);
        let room = shard.revoked.len() < REVOKED_MAX_PER_SHARD;
        room && shard.revoked.insert(key_id.into())
    }

    /// Has what is under way for a key cut. Says whether that was news.
    pub fn cut(&self, key_id: &str) -> bool {
        let mut shard = self.write(key_id);
        shard.cut.len() < CUT_MAX_PER_SHARD && shard.cut.insert(key_id.into())
    }

    /// Whether what is under way for a key is to be cut.
    pub fn is_cut(&self, key_id: &str) -> bool {
        self.read(key_id).cut.contains(key_id)
    }

    /// Takes another set in place of the active keys.
    pub fn replace(&self, keys: KeySet) {
        for (lock, mut active) in self.shards.iter().zip(keys.shards) {
            let mut shard = lock.write().unwrap_or_else(PoisonError::into_inner);
            for key_id in &shard.revoked {
                active.remove(&**key_id);
            }
            std::mem::swap(&mut shard.active, &mut active);
            // The old set is dropped after the lock, because dropping a large one takes a while.
            drop(shard);
        }
    }

    // A poisoned lock is taken all the same: every edit under it is one insertion or removal, so that what it
    // guards is whole even if a thread died holding it.
    fn read(&self, key_id: &str) -> RwLockReadGuard<'_, Shard> {
        let lock = &self.shards[shard_of(key_id)];
        lock.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, key_id: &str) -> RwLockWriteGuard<'_, Shard> {
        let lock = &self.shards[shard_of(key_id)];
        lock.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for KeysInForce {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
        }
    }
}

// === impl KeySet ===

impl KeySet {
    /// Adds or replaces a key.
    pub fn put(&mut self, key: Key) {
        self.shards[shard_of(&key.key_id)].replace(Held(Arc::new(key)));
    }

    /// Whether a key is in it.
    pub fn contains(&self, key_id: &str) -> bool {
        self.shards[shard_of(key_id)].contains(key_id)
    }

    /// Takes a key out.
    pub fn remove(&mut self, key_id: &str) {
        self.shards[shard_of(key_id)].remove(key_id);
    }
}

impl Default for KeySet {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| HashSet::new()).collect(),
        }
    }
}

/// FNV-1a: a client that steers many lookups to one shard wins nothing, since readers share its lock; inside
/// the shard the standard library's keyed hash stands.
fn shard_of(key_id: &str) -> usize {
    let hash = key_id.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    (hash ^ (hash >> 16)) as usize % SHARDS
}

// === impl Held ===

impl Borrow<str> for Held {
    fn borrow(&self) -> &str {
        &self.0.key_id
    }
}

impl Hash for Held {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key_id.as_str().hash(state);
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.0.key_id == other.0.key_id
    }
}

impl Eq for Held {}
