//! The policy that requests are judged by now: rules, keys, peppers and credentials.
//!
//! Knows nothing of where policy comes from; the feed holds the one [`Writer`], stages hold read handles.
//! A key that was revoked once is refused for as long as the process lives, whatever is written afterwards.

use std::{
    borrow::Borrow,
    collections::{HashMap, HashSet},
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use arc_swap::ArcSwap;
use policy::{id::ProviderId, key::Key, rules::Rules};
use zeroize::Zeroizing;

/// How many parts the key set has. A power of two, so that two writers of one reader seldom meet.
const SHARDS: usize = 256;

/// How many revoked key ids are remembered.
// Full: a key revoked then is taken out, so that it is refused as unknown, and only the control plane's
// own tombstone keeps it from coming back.
const REVOKED_MAX_PER_SHARD: usize = 40_000;

/// A read handle; cheap to clone. What it returns is that of the moment of the call.
#[derive(Clone)]
pub struct InForce {
    state: Arc<State>,
}

/// The one writer.
pub struct Writer {
    state: Arc<State>,
}

/// What is known of a key id.
#[derive(Debug, Clone)]
pub enum Standing {
    /// It may be used, if the presented text proves it and it has not expired.
    Active(Arc<Key>),
    /// It was revoked, for ever.
    Revoked,
}

/// What we present to a provider. Wiped when the last user drops it.
pub struct Credential {
    /// Whose credential it is.
    pub provider: ProviderId,
    /// The secret. Only the upstream client may read it.
    pub secret: Zeroizing<Vec<u8>>,
    /// Scheme, host and port of the only place it may be sent to.
    pub allowed_origin: String,
}

/// The secrets lane as a whole, to be published at once.
#[derive(Clone, Default)]
pub struct Secrets {
    /// By version.
    pub peppers: HashMap<u32, Zeroizing<[u8; 32]>>,
    /// By provider.
    pub credentials: HashMap<ProviderId, Arc<Credential>>,
}

/// A key set that is being built aside.
pub struct KeySet {
    shards: Vec<HashSet<Held>>,
}

struct State {
    rules: ArcSwap<Rules>,
    secrets: ArcSwap<Secrets>,
    keys: Box<[RwLock<Shard>]>,
}

// The lock is held for one lookup or one insertion, never over I/O or an await; a whole new set is built
// aside and takes it for a pointer's swap.
#[derive(Default)]
struct Shard {
    active: HashSet<Held>,
    revoked: HashSet<Box<str>>,
}

/// A key that is found by its own id, so that the id is kept once.
struct Held(Arc<Key>);

/// One writer and the first read handle, with nothing in force.
pub fn new() -> (Writer, InForce) {
    let state = Arc::new(State {
        rules: ArcSwap::default(),
        secrets: ArcSwap::default(),
        keys: (0..SHARDS).map(|_| RwLock::default()).collect(),
    });
    (
        Writer {
            state: Arc::clone(&state),
        },
        InForce { state },
    )
}

// === impl InForce ===

impl InForce {
    /// The configuration. A request takes it once and keeps it to its end.
    pub fn rules(&self) -> Arc<Rules> {
        self.state.rules.load_full()
    }

    /// What is known of a key id; `None` means: nothing.
    pub fn standing(&self, key_id: &str) -> Option<Standing> {
        let shard = self.state.read(key_id);
        if shard.revoked.contains(key_id) {
            return Some(Standing::Revoked);
        }
        shard
            .active
            .get(key_id)
            .map(|held| Standing::Active(Arc::clone(&held.0)))
    }

    /// The pepper of this version.
    pub fn pepper(&self, version: u32) -> Option<Zeroizing<[u8; 32]>> {
        self.state.secrets.load().peppers.get(&version).cloned()
    }

    /// All secrets, for the feed to look at.
    pub fn secrets(&self) -> Arc<Secrets> {
        self.state.secrets.load_full()
    }

    /// What to present to a provider.
    pub fn credential(&self, provider: ProviderId) -> Option<Arc<Credential>> {
        self.state
            .secrets
            .load()
            .credentials
            .get(&provider)
            .cloned()
    }
}

// === impl Writer ===

impl Writer {
    /// A read handle.
    pub fn reader(&self) -> InForce {
        InForce {
            state: Arc::clone(&self.state),
        }
    }

    /// Puts a configuration in force.
    pub fn publish_rules(&mut self, rules: Rules) {
        self.state.rules.store(Arc::new(rules));
    }

    /// Puts secrets in force.
    pub fn publish_secrets(&mut self, secrets: Secrets) {
        self.state.secrets.store(Arc::new(secrets));
    }

    /// Puts a key in force, unless it has ever been revoked.
    pub fn put_key(&mut self, key: Key) {
        let mut shard = self.state.write(&key.key_id);
        if !shard.revoked.contains(key.key_id.as_str()) {
            shard.active.replace(Held(Arc::new(key)));
        }
    }

    /// Takes a key out. Were it revoked, it stays so.
    pub fn remove_key(&mut self, key_id: &str) {
        self.state.write(key_id).active.remove(key_id);
    }

    /// Revokes a key, known or not, for ever. Says whether that was news.
    pub fn revoke(&mut self, key_id: &str) -> bool {
        let mut shard = self.state.write(key_id);
        shard.active.remove(key_id);
        let room = shard.revoked.len() < REVOKED_MAX_PER_SHARD;
        room && shard.revoked.insert(key_id.into())
    }

    /// Puts a whole key set in force. What has ever been revoked stays revoked.
    pub fn replace_keys(&mut self, keys: KeySet) {
        for (lock, mut active) in self.state.keys.iter().zip(keys.shards) {
            let mut shard = lock.write().unwrap_or_else(PoisonError::into_inner);
            for key_id in &shard.revoked {
                active.remove(&**key_id);
            }
            std::mem::swap(&mut shard.active, &mut active);
            // The old set is dropped after the lock, because dropping a large one takes a while.
            drop(shard);
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

// === impl State ===

// A poisoned lock is taken all the same: every edit under it is one insertion or removal, so that what it
// guards is whole even if a thread died holding it.
impl State {
    fn read(&self, key_id: &str) -> RwLockReadGuard<'_, Shard> {
        self.keys[shard_of(key_id)]
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, key_id: &str) -> RwLockWriteGuard<'_, Shard> {
        self.keys[shard_of(key_id)]
            .write()
            .unwrap_or_else(PoisonError::into_inner)
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

// === impl Credential ===

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use policy::{
        id::{OrganizationId, ProjectId},
        revision::Revision,
    };

    use super::*;

    fn key(key_id: &str) -> Key {
        Key {
            key_id: key_id.to_owned(),
            organization: OrganizationId::from_bytes([1; 16]),
            project: ProjectId::from_bytes([2; 16]),
            tag: [3; 32],
            pepper_version: 1,
            models: Vec::new(),
            expires_at_ms: None,
            config_revision: Revision(0),
        }
    }

    #[test]
    fn a_revoked_key_never_comes_back() {
        let (mut writer, in_force) = new();
        writer.put_key(key("one"));
        assert!(matches!(
            in_force.standing("one"),
            Some(Standing::Active(_))
        ));
        assert!(writer.revoke("one"));
        writer.put_key(key("one"));
        let mut older = KeySet::default();
        older.put(key("one"));
        older.put(key("two"));
        writer.replace_keys(older);
        writer.remove_key("one");
        assert!(matches!(in_force.standing("one"), Some(Standing::Revoked)));
        assert!(matches!(
            in_force.standing("two"),
            Some(Standing::Active(_))
        ));
        assert!(in_force.standing("three").is_none());
    }

    #[test]
    fn a_key_is_replaced_by_its_newer_self() {
        let (mut writer, in_force) = new();
        writer.put_key(key("one"));
        writer.put_key(Key {
            expires_at_ms: Some(7),
            ..key("one")
        });
        let Some(Standing::Active(found)) = in_force.standing("one") else {
            panic!()
        };
        assert_eq!(found.expires_at_ms, Some(7));
    }
}
