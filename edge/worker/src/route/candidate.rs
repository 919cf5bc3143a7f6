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
    /// Whether that is by the word of other edges alone.
    pub(crate) is_hinted: bool,
    /// Before whom it is asked: the least first.
    pub(crate) rank: f64,
    /// What it weighs beside the others when one is drawn; zero where it has no weight.
    pub(crate) weighs: u64,
    /// By how much its weight is scaled.
    scale: f64,
}

// === impl Candidate ===

impl Candidate {
    /// The target at this place of a version, whose provider this is.
    pub(crate) fn new(provider: Arc<Provider>, version: Arc<Version>, position: usize) -> Self {
        let weight = version.targets.get(position).map_or(0, |it| it.weight);
        Self {
            weighs: weight.into(),
            scale: 1.0,
            provider,
            version,
            position,
            aside: Duration::ZERO,
            is_hinted: false,
            rank: 0.0,
        }
    }

    /// Scales its weight, as those of all others of its version are.
    pub(crate) fn scale(&mut self, scale: f64) {
        self.scale = scale;
        let weight = f64::from(self.target().weight);
        if weight > 0.0 {
            // In thousandths, so that what is small keeps its share.
            self.weighs = thousandths(weight * scale).max(1);
        }
    }

    /// What its weight is now.
    pub(crate) fn weight_now(&self) -> f64 {
        f64::from(self.target().weight) * self.scale
    }

    /// The version whose target it is.
    pub(crate) const fn version(&self) -> &Arc<Version> {
        &self.version
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

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a weight of at most a thousand, scaled by at most ten, and above zero"
)]
fn thousandths(weight: f64) -> u64 {
    (weight * 1e3) as u64
}
