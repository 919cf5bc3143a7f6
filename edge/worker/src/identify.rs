//! Finds out who calls: a key text becomes a [`Caller`].
//!
//! Knows keys and peppers; knows nothing of models or limits. An unknown key and a wrong secret are the same
//! refusal, the tag is compared in constant time, and a key whose project is not in force opens nothing.

use std::{fmt, sync::Arc};

use keys::Family;
use lifecycle::clock::Clock;
use policy::{key::Key, rules::Rules, traffic::Traffic};

use crate::{
    in_force::{InForce, Standing},
    request::Head,
};

/// Tells callers by their keys.
#[derive(Clone)]
pub struct Identify {
    in_force: InForce,
    clock: Clock,
}

/// Someone who has proved a key.
#[derive(Debug, Clone)]
pub struct Caller {
    key: Arc<Key>,
    traffic: Traffic,
}

/// Why nobody has been identified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no key in the request.
    NoKey,
    /// The text is no key of ours: malformed, unknown, or with a wrong secret.
    Unknown,
    /// The key was revoked.
    Revoked,
    /// The key has expired.
    Expired,
    /// The key refers to something that is not in force here: this.
    Dangling(&'static str),
}

// === impl Identify ===

impl Identify {
    /// Reads keys and peppers from `in_force`.
    pub const fn new(in_force: InForce, clock: Clock) -> Self {
        Self { in_force, clock }
    }

    /// Who sends this head.
    pub fn caller(&self, rules: &Rules, head: &Head) -> Result<Caller, Refusal> {
        self.caller_with(rules, head.key_text())
    }

    /// Who has this key's text.
    pub fn caller_with(&self, rules: &Rules, text: Option<&str>) -> Result<Caller, Refusal> {
        let text = text.ok_or(Refusal::NoKey)?;
        let presented = keys::parse(text).map_err(|_| Refusal::Unknown)?;
        if !matches!(presented.family(), Family::Live | Family::Test) {
            return Err(Refusal::Unknown);
        }
        let key = match self.in_force.standing(presented.key_id()) {
            Some(Standing::Active(key)) => key,
            Some(Standing::Revoked) => return Err(Refusal::Revoked),
            None => return Err(Refusal::Unknown),
        };
        let pepper = self.in_force.pepper(key.pepper_version);
        let pepper = pepper.ok_or(Refusal::Dangling("pepper"))?;
        if !presented.matches(&pepper, &key.tag) {
            return Err(Refusal::Unknown);
        }
        if self.has_expired(&key) {
            return Err(Refusal::Expired);
        }
        rules
            .organization(key.organization)
            .ok_or(Refusal::Dangling("organization"))?;
        let project = rules
            .project(key.project)
            .filter(|project| project.organization == key.organization)
            .ok_or(Refusal::Dangling("project"))?;
        let traffic = project.traffic;
        Ok(Caller { key, traffic })
    }

    /// Whether a caller of before would still be one, as far as its key goes.
    pub fn still(&self, caller: &Caller) -> Result<(), Refusal> {
        match self.in_force.standing(&caller.key.key_id) {
            Some(Standing::Active(key)) if self.has_expired(&key) => Err(Refusal::Expired),
            Some(Standing::Active(_)) => Ok(()),
            Some(Standing::Revoked) => Err(Refusal::Revoked),
            None => Err(Refusal::Unknown),
        }
    }

    fn has_expired(&self, key: &Key) -> bool {
        let expires_at_ms = key.expires_at_ms;
        expires_at_ms.is_some_and(|expires_at_ms| expires_at_ms <= self.clock.now_ms())
    }
}

// === impl Caller ===

impl Caller {
    /// How its requests are treated where there is not room for all.
    pub const fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// The key that was proved.
    pub const fn key(&self) -> &Arc<Key> {
        &self.key
    }
}

// === impl Refusal ===

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("send a key: `Authorization: Bearer slc_live_…`"),
            Self::Unknown => f.write_str("the key is not valid"),
            Self::Revoked => f.write_str("the key was revoked"),
            Self::Expired => f.write_str("the key has expired"),
            Self::Dangling(what) => write!(f, "the key's {what} is not in force on this edge yet"),
        }
    }
}

impl std::error::Error for Refusal {}
