//! What this edge knows of targets beside the rules: how they do, and what they cost.
//!
//! Holds both and decides nothing.

use std::{rc::Rc, sync::Arc};

use shaping::Lanes;

use crate::tariff::Tariffs;

/// How targets fare.
#[derive(Clone)]
pub struct Fares {
    /// How they answer; one for all cores.
    pub lanes: Arc<Lanes>,
    /// What they cost.
    pub tariffs: Rc<Tariffs>,
}

// === impl Fares ===

impl Fares {
    /// Of these.
    pub const fn new(lanes: Arc<Lanes>, tariffs: Rc<Tariffs>) -> Self {
        Self { lanes, tariffs }
    }
}
