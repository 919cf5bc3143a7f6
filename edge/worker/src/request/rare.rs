//! What only some requests have, kept apart so that the others carry one empty place for all of it.
//!
//! Knows what there may be; knows nothing of what it is for.

use dialect::preferences::Preferences;
use http::HeaderMap;

use crate::request::{held::Held, tags::Tags, whose::Whose};

/// Where keys and the like stand. They are never kept.
const KEYS: [&str; 5] = [
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "proxy-authorization",
    "cookie",
];

/// What only some requests have.
#[derive(Clone, Default)]
pub(super) struct Rare {
    /// Whose it is, as its headers say.
    pub(super) whose: Option<Box<Whose>>,
    /// Headers that are no key, for the rules of versions.
    pub(super) spare: Option<HeaderMap>,
    /// What the client marks it with.
    pub(super) tags: Option<Box<Tags>>,
    /// What the client prefers.
    pub(super) preferences: Option<Box<Preferences>>,
    /// How far it is held to what is reserved for it.
    pub(super) held: Option<Held>,
}

/// What a version may send on: all but the keys. What is forwarded anyway may be named, too.
pub(super) fn spare(mut rest: HeaderMap, forwarded: &HeaderMap) -> HeaderMap {
    for name in KEYS {
        rest.remove(name);
    }
    for (name, value) in forwarded {
        rest.insert(name.clone(), value.clone());
    }
    rest
}

/// Names and values, of those that are texts.
pub(super) fn texts(headers: Option<&HeaderMap>) -> Vec<(String, String)> {
    let named = each(headers).map(|(name, text)| (name.to_owned(), text.to_owned()));
    named.collect()
}

/// The same, one after the other.
pub(super) fn each(headers: Option<&HeaderMap>) -> impl Iterator<Item = (&str, &str)> {
    let all = headers.into_iter().flatten();
    all.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
}

// === impl Rare ===

impl Rare {
    /// Whether there is anything in a head's.
    pub(super) const fn is_any(&self) -> bool {
        self.whose.is_some()
            || self.spare.is_some()
            || self.tags.is_some()
            || self.preferences.is_some()
    }
}
