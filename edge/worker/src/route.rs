//! Decides where a request goes: a [`Grant`] becomes a [`Plan`], ordered targets of one version.
//!
//! Pure, given the rules and the request's id; does no I/O and knows nothing of how targets fare. A target whose provider is not in
//! force, or is another organization's, is left out; a plan without targets is refused.

use std::{fmt, sync::Arc};

use payload::transform::Recipe;
use policy::{
    id::VersionId,
    key::Key,
    model::{Model, Target, Version},
    price_book::PriceBook,
    provider::Provider,
    revision::Revision,
    rules::Rules,
    split::Part,
};

use crate::{
    assign::{self, Asking},
    authorize::Grant,
    request::Arrival,
};

/// Where a request may go, the best first.
#[derive(Debug, Clone)]
pub struct Plan {
    grant: Grant,
    label: String,
    version: Arc<Version>,
    candidates: Vec<Candidate>,
    revision: Revision,
    book: Option<Arc<PriceBook>>,
    client: Option<u32>,
}

/// One target, with its provider.
#[derive(Debug, Clone)]
pub struct Candidate {
    provider: Arc<Provider>,
    version: Arc<Version>,
    position: usize,
}

/// Why there is nowhere to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The model refers to something that is not in force here: this.
    Missing(&'static str),
    /// The key is held to other providers than the model has.
    Forbidden,
}

/// The plan for a grant.
pub fn plan(rules: &Rules, grant: Grant, asking: Asking<'_>) -> Result<Plan, Refusal> {
    let assigned = assign::assign(rules, grant.model(), grant.caller(), asking);
    let client = assigned.and_then(|it| it.client);
    let version = assigned.map(|it| it.version);
    let (version, mut candidates) = targets(rules, grant.model(), version)?;
    if candidates.len() < version.targets.len() {
        // Nobody is refused for this, so nobody else counts it.
        metrics::counter!("sluice_config_dangling_reference_total").increment(1);
    }
    hold_to(grant.caller().key(), &mut candidates)?;
    if let Some(arrival) = asking.arrival {
        draw(&mut candidates, arrival);
    }
    let label = format!("{}@{}", grant.model().name, version.name);
    let book = rules.price_book(grant.model().organization).cloned();
    Ok(Plan {
        grant,
        label,
        version,
        candidates,
        revision: rules.revision(),
        book,
        client,
    })
}

/// This version of a model, and those of its targets that are in force; at least one.
pub fn targets(
    rules: &Rules,
    model: &Model,
    version: Option<VersionId>,
) -> Result<(Arc<Version>, Vec<Candidate>), Refusal> {
    let version = version.and_then(|id| rules.version(id));
    let version = version.filter(|version| version.model == model.id);
    let version = version.ok_or(Refusal::Missing("version"))?;
    let candidates: Vec<_> = (0..version.targets.len())
        .filter_map(|position| {
            let provider = rules.provider(version.targets[position].provider)?;
            (provider.organization == model.organization).then(|| Candidate {
                provider: Arc::clone(provider),
                version: Arc::clone(version),
                position,
            })
        })
        .collect();
    if candidates.is_empty() {
        return Err(Refusal::Missing("provider"));
    }
    Ok((Arc::clone(version), candidates))
}

/// Puts targets that have a weight first, drawn one after the other by their weights, so that the others of them are asked
/// in turn where the first does not answer. Those without one stay behind them in their order. Plain versions, of which
/// none has a weight, are left alone.
fn draw(candidates: &mut [Candidate], arrival: &Arrival) {
    if candidates.len() < 2 || candidates.iter().all(|it| it.target().weight == 0) {
        return;
    }
    // Stable, and so few that nothing is allocated.
    candidates.sort_by_key(|it| it.target().weight == 0);
    let mut chance = fastrand::Rng::with_seed(seed(arrival));
    let mut left = &mut *candidates;
    loop {
        let weights = left.iter().map(|it| u64::from(it.target().weight));
        let sum: u64 = weights.clone().sum();
        if sum == 0 {
            return;
        }
        let mut drawn = chance.u64(0..sum);
        let mut weights = weights;
        let at = weights.position(|weight| match drawn.checked_sub(weight) {
            None => true,
            Some(beyond) => {
                drawn = beyond;
                false
            }
        });
        let Some(first) = left.get_mut(..=at.unwrap_or(0)) else {
            return;
        };
        first.rotate_right(1);
        let Some((_, rest)) = left.split_first_mut() else {
            return;
        };
        left = rest;
    }
}

/// The end of a request's id, which is drawn by chance.
fn seed(arrival: &Arrival) -> u64 {
    u64::try_from(arrival.id.as_u128() & u128::from(u64::MAX)).unwrap_or(0)
}

/// Leaves out what the key is not to be used with; at least one is left.
pub fn hold_to(key: &Key, candidates: &mut Vec<Candidate>) -> Result<(), Refusal> {
    let Some(scope) = key.scope.as_deref() else {
        return Ok(());
    };
    candidates.retain(|it| scope.takes_provider(it.provider.id));
    if candidates.is_empty() {
        return Err(Refusal::Forbidden);
    }
    Ok(())
}

// === impl Plan ===

impl Plan {
    /// Who may use what.
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// `model@version`, for people, once the plan is done with.
    pub fn into_label(self) -> String {
        self.label
    }

    /// The version that serves.
    pub const fn version(&self) -> &Arc<Version> {
        &self.version
    }

    /// The rollout that assigned the version, if one did.
    pub fn rollout(&self) -> Option<Part> {
        let split = self.grant.model().split.as_deref()?;
        self.client.map(|client| Part {
            rollout: split.rollout,
            client,
        })
    }

    /// The targets; never empty.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The organization's own prices, if it has any.
    pub const fn price_book(&self) -> Option<&Arc<PriceBook>> {
        self.book.as_ref()
    }

    /// The configuration that decided.
    pub const fn revision(&self) -> Revision {
        self.revision
    }
}

// === impl Candidate ===

impl Candidate {
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
}

// === impl Refusal ===

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => {
                write!(f, "the model's {what} is not in force on this edge yet")
            }
            Self::Forbidden => {
                f.write_str("the key may not be used with any provider of the model")
            }
        }
    }
}

impl std::error::Error for Refusal {}
