//! A request once more, for a copy of which its client never hears.
//!
//! Knows what a request is made of; knows nothing of why it is copied.

use policy::traffic::Class;

use crate::request::{Request, budget::Share};

// === impl Request ===

impl Request {
    /// The same as the client sent it, in the lowest class, held in this share; `None` where that has no room for it. Tensors and custom
    /// payloads are not copied.
    pub fn twin(&self, mut share: Share) -> Option<Self> {
        if self.tensors.is_some() {
            return None;
        }
        share.grow(self.body.len()).ok()?;
        Some(Self {
            endpoint: self.endpoint,
            events: self.events,
            forwarded: self.forwarded.clone(),
            scanned: self.scanned.clone(),
            tensors: None,
            class: Some(Class::Batch),
            body: self.body.clone(),
            rare: self.rare.clone(),
            tells_cost: false,
            read_after_us: self.read_after_us,
            share,
        })
    }
}
