//! A stream of a provider's that passes as it is, and is read on the side.
//!
//! Knows how it is framed. Never changes a byte, and lets none pass behind what cannot be read.

use bytes::Bytes;
use dialect::{
    crossing::{Decoder, stream::Aside},
    events,
    neutral::{Family, Seed},
};

/// A stream that passes as it is, and is watched.
pub struct Passing {
    pub(super) family: Family,
    pub(super) framing: Framing,
    pub(super) aside: Aside,
    /// Something that cannot be read did not go on.
    pub(super) cut: bool,
}

/// How a stream is framed that passes as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Events,
    /// One array that grows. It has no place for an event of ours.
    Array,
}

// === impl Passing ===

impl Passing {
    /// Nothing has passed.
    pub(super) fn new(family: Family, framing: Framing) -> Self {
        Self {
            family,
            framing,
            aside: onlooker(family),
            cut: false,
        }
    }

    pub(super) fn push(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) {
        self.aside.push(&bytes);
        let at = (self.aside.watch().is_unreadable() && self.framing == Framing::Events)
            .then(|| events::unreadable_at(&bytes))
            .flatten();
        self.cut = at.is_some();
        match at {
            Some(0) => {}
            Some(at) => out.push(bytes.slice(..at)),
            None => out.push(bytes),
        }
    }
}

/// Reads a stream and writes nothing, so that nothing is made from its seed.
pub(super) fn onlooker(family: Family) -> Aside {
    let seed = Seed {
        request_id: String::new(),
        now_seconds: 0,
    };
    Aside::new(Decoder::new(family, &seed, false))
}

/// A chat's stream, read again for all that it says: its meter only counts.
pub(super) fn reread(passed: &[Bytes]) -> Aside {
    let mut aside = onlooker(Family::Chat);
    for bytes in passed {
        aside.push(bytes);
    }
    aside.finish();
    aside
}
