//! How far a request can be held to what is reserved for it, where a strict limit asks for that.
//!
//! Knows what a body says of its output; knows nothing of limits or providers.

use dialect::{
    crossing::ceiling::Ceiling,
    request::{Endpoint, Scanned},
};

/// How far a request can be held to what is reserved for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// It generates no more than this, be it by the provider's word or because it is ended there.
    To(Ceiling),
    /// Nobody can tell its provider how much it may generate.
    Unbounded,
}

/// How far a request of this endpoint can be held: to what it says itself that it may generate, and to `each` in each answer where
/// it says nothing.
pub(super) fn held(endpoint: Endpoint, scanned: &Scanned, each: u64) -> Held {
    let said = scanned.output_tokens_max;
    let each = match endpoint {
        Endpoint::Infer | Endpoint::Embeddings => 0,
        it if it.counts() => 0,
        Endpoint::Invoke => return Held::Unbounded,
        // Only a body of a family is written anew, with what its client did not say.
        it if it.family().is_none() => match said {
            Some(said) => said,
            None => return Held::Unbounded,
        },
        _ => said.unwrap_or(each),
    };
    let all = each.saturating_mul(scanned.choices.max(1));
    Held::To(Ceiling { each, all })
}

// === impl Held ===

impl Held {
    /// What it is held to.
    pub const fn ceiling(self) -> Option<Ceiling> {
        match self {
            Self::To(ceiling) => Some(ceiling),
            Self::Unbounded => None,
        }
    }
}
