//! One target of a version, with its provider.

use std::{sync::Arc, time::Duration};

use payload::transform::Recipe;
use policy::{
    model::{Target, Version},
    provider::Provider,
};

/// One target, with its provider.
#[derive(Debug, Clone)]
pub struct Candidate {
    provider: Arc<Provider>,
    version: Arc<Version>,
    position: usize,
    /// For how long it is set aside; zero where it is not.
    pub(crate) aside: Duration,
    /// Before whom it is asked: the least first.
    pub(crate) rank: f64,
}

// === impl Candidate ===

impl Candidate {
    /// The target at this place of a version, whose provider this is.
    pub(crate) const fn new(
        provider: Arc<Provider>,
        version: Arc<Version>,
        position: usize,
    ) -> Self {
        Self {
            provider,
            version,
            position,
            aside: Duration::ZERO,
            rank: 0.0,
        }
    }

    /// The provider.
    pub const fn provider(&self) -> &Arc<Provider> {
        &self.provider
    }

    /// What the version changes, if anything.
    pub fn recipe(&self) -> Option<&Recipe> {
        self.version.recipe.as_deref()
    }

    /// The target.
    pub fn target(&self) -> &Target {
        &self.version.targets[self.position]
    }

    /// Its place in the version.
    pub const fn position(&self) -> usize {
        self.position
    }
}
