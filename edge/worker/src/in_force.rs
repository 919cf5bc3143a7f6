//! The policy that requests are judged by now: rules, keys, peppers and credentials.
//!
//! Knows nothing of where policy comes from; the feed holds the one [`Writer`], stages hold read handles.
//! A key that was revoked once is refused for as long as the process lives, whatever is written afterwards.

pub mod keys;
pub mod mappings;
pub mod conditions;
pub mod issuers;
pub mod shares;

use std::{collections::HashMap, fmt, sync::Arc};

use arc_swap::ArcSwap;
use policy::{
    by_id::ById, id::ProviderId, key::Key, model::Model, provider::Provider, rules::Rules,
};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::in_force::{
    conditions::{Conditions, Ready},
    issuers::Issuers,
    keys::{KeySet, KeysInForce, Revoked},
    mappings::{Custom, Mappings},
    shares::Shares,
};

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
    /// Where it may be exchanged for a token, beside where its provider's kind does.
    pub exchange_origins: Vec<String>,
}

/// The secrets lane as a whole, to be published at once.
#[derive(Clone, Default)]
pub struct Secrets {
    /// By version.
    pub peppers: HashMap<u32, Zeroizing<[u8; 32]>>,
    /// By provider.
    pub credentials: ById<ProviderId, Arc<Credential>>,
}

struct State {
    rules: ArcSwap<Rules>,
    mappings: ArcSwap<Mappings>,
    conditions: ArcSwap<Conditions>,
    issuers: ArcSwap<Issuers>,
    issuers_news: watch::Sender<u64>,
    secrets: ArcSwap<Secrets>,
    keys: KeysInForce,
    cuts: watch::Sender<u64>,
    shares: Arc<Shares>,
}

/// One writer and the first read handle, with nothing in force.
pub fn new() -> (Writer, InForce) {
    let state = Arc::new(State {
        rules: ArcSwap::default(),
        mappings: ArcSwap::default(),
        conditions: ArcSwap::default(),
        issuers: ArcSwap::default(),
        issuers_news: watch::Sender::new(0),
        secrets: ArcSwap::default(),
        keys: KeysInForce::default(),
        cuts: watch::Sender::new(0),
        shares: Arc::default(),
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

    /// The mapping of a custom provider; `None` where it has none that can be used.
    pub fn mapping(&self, provider: &Arc<Provider>) -> Option<Arc<Custom>> {
        self.state.mappings.load().get(provider)
    }

    /// The conditions of a model that has some.
    pub fn conditions(&self, model: &Arc<Model>) -> Ready {
        self.state.conditions.load().get(model)
    }

    /// The issuers of clients' tokens.
    pub fn issuers(&self) -> Arc<Issuers> {
        self.state.issuers.load_full()
    }

    /// How often any of them has changed, and news of it.
    pub fn issuers_news(&self) -> watch::Receiver<u64> {
        self.state.issuers_news.subscribe()
    }

    /// What is known of a key id; `None` means: nothing.
    pub fn standing(&self, key_id: &str) -> Option<Standing> {
        match self.state.keys.active(key_id) {
            Ok(key) => key.map(Standing::Active),
            Err(Revoked) => Some(Standing::Revoked),
        }
    }

    /// Whether what is under way for a key is to be cut.
    pub fn is_cut(&self, key_id: &str) -> bool {
        self.state.keys.is_cut(key_id)
    }

    /// How often anything was to be cut, and news of it.
    pub fn cuts(&self) -> watch::Receiver<u64> {
        self.state.cuts.subscribe()
    }

    /// The shares of limits that regions hold together.
    pub fn shares(&self) -> Arc<Shares> {
        Arc::clone(&self.state.shares)
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
        // First, so that no request meets a provider whose mapping is still to be compiled.
        let mappings = Mappings::of(&rules, &self.state.mappings.load());
        self.state.mappings.store(Arc::new(mappings));
        let conditions = Conditions::of(&rules, &self.state.conditions.load());
        self.state.conditions.store(Arc::new(conditions));
        let stood = self.state.issuers.load_full();
        let issuers = Issuers::of(&rules, &stood);
        if !issuers.is_as(&stood) {
            self.state.issuers.store(Arc::new(issuers));
            self.state.issuers_news.send_modify(|count| *count += 1);
        }
        self.state.rules.store(Arc::new(rules));
    }

    /// Puts secrets in force.
    pub fn publish_secrets(&mut self, secrets: Secrets) {
        self.state.secrets.store(Arc::new(secrets));
    }

    /// Puts a key in force, unless it has ever been revoked.
    pub fn put_key(&mut self, key: Key) {
        self.state.keys.put(key);
    }

    /// Takes a key out. Were it revoked, it stays so.
    pub fn remove_key(&mut self, key_id: &str) {
        self.state.keys.remove(key_id);
    }

    /// Revokes a key, known or not, for ever, and perhaps has what is under way for it cut. Says whether the first was
    /// news.
    pub fn revoke(&mut self, key_id: &str, cut_streams: bool) -> bool {
        let news = self.state.keys.revoke(key_id);
        if cut_streams && self.state.keys.cut(key_id) {
            self.state.cuts.send_modify(|count| *count += 1);
        }
        news
    }

    /// Puts a whole key set in force. What has ever been revoked stays revoked.
    pub fn replace_keys(&mut self, keys: KeySet) {
        self.state.keys.replace(keys);
    }
}

// === impl Credential ===

impl Credential {
    /// Whether it is not presented itself, but what it is exchanged for.
    pub fn is_exchanged(&self) -> bool {
        credential::is_exchanged(&self.secret)
    }
}

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
            secret_created_at_ms: 0,
            previous: None,
            disabled: false,
            scope: None,
            labels: None,
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
        assert!(writer.revoke("one", false));
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
    fn what_is_under_way_is_cut_only_when_that_is_asked_for_and_once() {
        let (mut writer, in_force) = new();
        let mut cuts = in_force.cuts();
        assert!(writer.revoke("one", false));
        assert!(!in_force.is_cut("one") && !cuts.has_changed().unwrap());
        // It was revoked before, which is no news; the other is.
        assert!(!writer.revoke("one", true));
        assert!(in_force.is_cut("one") && !in_force.is_cut("two"));
        assert_eq!(*cuts.borrow_and_update(), 1);
        assert!(!writer.revoke("one", true));
        assert!(!cuts.has_changed().unwrap());
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
