//! What an entry of the audit trail says, as one JSON object.
//!
//! Knows words and how they are written; knows nothing of chains. No secret comes here: what is shown of a message is
//! what the contract shows without them.

use domain::access::Place;
use serde_json::{Map, Value};
use store::audit::{About, Stamp};

/// Who did it, from where, and what was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// The id of the operator key; empty when nobody knows.
    pub actor: String,
    /// The address that it came from; empty when nobody knows.
    pub source: String,
    /// The method.
    pub method: String,
    /// The resource name of what it is about; may be empty.
    pub object: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Result {
    /// Something changed.
    Changed {
        /// The policy revision; zero when none was taken.
        revision: u64,
        /// What stood before, as JSON; null when nothing did, or it is not told.
        before: Value,
        /// What was answered, as JSON.
        after: Value,
    },
    /// It was denied.
    Denied {
        /// Why.
        reason: String,
    },
}

// === impl Deed ===

impl Deed {
    /// What the entry is found by.
    pub fn about(&self) -> About {
        let organization = match Place::of(&self.object) {
            Ok(Place::Organization(name)) => Some(name.organization.to_string()),
            Ok(Place::Project(name)) => Some(name.organization.to_string()),
            Ok(Place::Everywhere) | Err(_) => None,
        };
        About {
            organization,
            actor: self.actor.clone(),
            object: self.object.clone(),
        }
    }

    /// The entry, at its place in the chain.
    pub fn text(&self, result: &Result, stamp: Stamp<'_>) -> String {
        let mut entry = Map::new();
        let mut put = |name: &str, value: Value| drop(entry.insert(name.to_owned(), value));
        put("chain", stamp.chain.into());
        put("sequence", stamp.sequence.into());
        put("at_ms", stamp.at_ms.into());
        put("actor", self.actor.as_str().into());
        put("source", self.source.as_str().into());
        put("method", self.method.as_str().into());
        put("object", self.object.as_str().into());
        match result {
            Result::Changed {
                revision,
                before,
                after,
            } => {
                put("result", "changed".into());
                put("revision", (*revision).into());
                put("before", before.clone());
                put("after", after.clone());
            }
            Result::Denied { reason } => {
                put("result", "denied".into());
                put("reason", reason.as_str().into());
            }
        }
        Value::Object(entry).to_string()
    }
}

/// The resource name in a message that is shown: its own, or that of the one noun in it.
pub fn name_in(shown: &Value) -> Option<&str> {
    let own = shown.get("name").and_then(Value::as_str);
    own.or_else(|| {
        shown
            .as_object()?
            .values()
            .find_map(|it| it.get("name")?.as_str())
    })
}
