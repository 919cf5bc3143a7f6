//! What only some requests have, kept apart so that the others carry one empty place for all of it.
//!
//! Knows what there may be; knows nothing of what it is for.

use http::{HeaderMap, HeaderValue};

use crate::request::{held::Held, tags::Tags};

/// What only some requests have.
#[derive(Default)]
pub(super) struct Rare {
    /// For whom the client says it asks.
    pub(super) end_user: Option<HeaderValue>,
    /// Headers that are no key, for the rules of versions.
    pub(super) spare: Option<HeaderMap>,
    /// What the client marks it with.
    pub(super) tags: Option<Box<Tags>>,
    /// How far it is held to what is reserved for it.
    pub(super) held: Option<Held>,
}

// === impl Rare ===

impl Rare {
    /// Whether there is anything in a head's.
    pub(super) const fn is_any(&self) -> bool {
        self.end_user.is_some() || self.spare.is_some() || self.tags.is_some()
    }
}
