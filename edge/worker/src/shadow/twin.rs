//! One copy of a request, with all that it is asked with.
//!
//! Plain facts, put together while the rules are at hand. What it holds of the edge's bounds is given back when it is dropped.

use policy::id::ShadowId;

use crate::{
    admit::{Limits, another_id},
    request::{Arrival, Request},
    route::Plan,
    shadow::seats::Seat,
};

/// A copy.
pub struct Twin {
    /// Whose.
    pub shadow: ShadowId,
    /// Where it goes.
    pub plan: Plan,
    /// What it asks, as the client sent it.
    pub request: Request,
    /// That no limit counts it, and for whom its client asked.
    pub limits: Limits,
    /// Whether the request was held to what it may generate, so that the copy is held to the same.
    pub is_held: bool,
    /// Of which request it is a copy, and when that came.
    pub of: Arrival,
    /// Its place among the copies.
    pub seat: Seat,
}

// === impl Twin ===

impl Twin {
    /// As what it is known itself. It came when the request did, so that its times can be compared; it stands in no trace.
    pub fn arrival(&self) -> Arrival {
        Arrival {
            id: another_id(self.of.at_ms),
            trace: None,
            ..self.of
        }
    }
}
