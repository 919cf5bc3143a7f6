//! The issuers of clients' tokens, their expressions compiled when policy is put in force, so that no request waits for that.
//!
//! Knows which URL is whose; knows nothing of keys or tokens. An issuer whose expressions do not compile here, which the
//! control plane refuses, has no mapping, and none of its tokens is taken.

use std::{collections::HashMap, sync::Arc};

use claims::mapping::Mapping;
use policy::{id::IssuerId, issuer::Issuer, rules::Rules};
use tracing::warn;

/// An issuer, ready for use.
#[derive(Debug)]
pub struct Trusted {
    /// As operators want it.
    pub issuer: Arc<Issuer>,
    /// What claims mean; `None` where that cannot be told.
    pub mapping: Option<Mapping>,
}

/// Those of a whole configuration.
#[derive(Debug, Default)]
pub struct Issuers {
    all: HashMap<IssuerId, Arc<Trusted>>,
    // Several organizations may trust one issuer, each for audiences of its own.
    by_url: HashMap<String, Vec<Arc<Trusted>>>,
}

// === impl Issuers ===

impl Issuers {
    /// Those of a configuration. What stood `before` is not compiled again.
    pub fn of(rules: &Rules, before: &Self) -> Self {
        let mut issuers = Self::default();
        for issuer in rules.issuers() {
            let stands = before.all.get(&issuer.id).filter(|it| it.issuer == *issuer);
            let trusted = stands.map_or_else(|| compile(issuer), Arc::clone);
            let same = issuers.by_url.entry(issuer.url.clone()).or_default();
            same.push(Arc::clone(&trusted));
            issuers.all.insert(issuer.id, trusted);
        }
        issuers
    }

    /// Every one, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Trusted>> {
        self.all.values()
    }

    /// The issuer with this id.
    pub fn get(&self, id: IssuerId) -> Option<&Arc<Trusted>> {
        self.all.get(&id)
    }

    /// Those that say so in `iss`.
    pub fn at(&self, url: &str) -> &[Arc<Trusted>] {
        self.by_url.get(url).map_or(&[], Vec::as_slice)
    }

    /// Who issues tokens for `resource`, as RFC 9728 has it; `None` where nobody does, or nobody says what the resource is.
    /// Where several organizations trust issuers, whoever asks is told of none: it is nobody's but theirs.
    pub fn told(&self, resource: &str) -> Option<Vec<u8>> {
        let mut trusted = self.all().filter(|it| !it.issuer.disabled).peekable();
        let organization = trusted.peek()?.issuer.organization;
        let of_one = self.all().all(|it| it.issuer.organization == organization);
        if resource.is_empty() {
            return None;
        }
        let mut urls: Vec<&str> = trusted.map(|it| it.issuer.url.as_str()).collect();
        urls.sort_unstable();
        urls.dedup();
        let mut told = serde_json::json!({
            "resource": resource,
            "bearer_methods_supported": ["header"],
        });
        if let (true, Some(told)) = (of_one, told.as_object_mut()) {
            told.insert("authorization_servers".to_owned(), urls.into());
        }
        Some(told.to_string().into_bytes())
    }

    /// Whether it is this one that is trusted now, unchanged.
    pub fn holds(&self, trusted: &Arc<Trusted>) -> bool {
        self.get(trusted.issuer.id)
            .is_some_and(|it| Arc::ptr_eq(it, trusted))
    }

    /// Whether exactly the same ones are here.
    pub fn is_as(&self, other: &Self) -> bool {
        self.all.len() == other.all.len() && self.all.values().all(|it| other.holds(it))
    }
}

fn compile(issuer: &Arc<Issuer>) -> Arc<Trusted> {
    let mapping = Mapping::compile(&issuer.mapping);
    if let Err((field, _)) = &mapping {
        warn!(issuer = %issuer.name, field, "its expression cannot be used by this build");
    }
    Arc::new(Trusted {
        issuer: Arc::clone(issuer),
        mapping: mapping.ok(),
    })
}
