//! What this edge knows beside the rules when it decides where a request goes: how targets do, what they cost, and the conditions
//! of models, compiled.
//!
//! Holds them and decides nothing.

use std::{rc::Rc, sync::Arc};

use shaping::Lanes;

use crate::{in_force::InForce, tariff::Tariffs};

/// How targets fare.
#[derive(Clone)]
pub struct Fares {
    /// How they answer; one for all cores.
    pub lanes: Arc<Lanes>,
    /// What they cost.
    pub tariffs: Rc<Tariffs>,
    /// Where compiled conditions are.
    pub in_force: InForce,
}

// === impl Fares ===

impl Fares {
    /// Of these.
    pub const fn new(lanes: Arc<Lanes>, tariffs: Rc<Tariffs>, in_force: InForce) -> Self {
        Self {
            lanes,
            tariffs,
            in_force,
        }
    }
}
