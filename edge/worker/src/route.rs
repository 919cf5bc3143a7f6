//! Decides where a request goes: a [`Grant`] becomes a [`Plan`], ordered targets of one version.
//!
//! Pure, given the rules; does no I/O and knows nothing of how targets fare. A target whose provider is not in
//! force, or is another organization's, is left out; a plan without targets is refused.

use std::{fmt, sync::Arc};

use payload::transform::Recipe;
use policy::{
    model::{Target, Version},
    price_book::PriceBook,
    provider::Provider,
    revision::Revision,
    rules::Rules,
};

use crate::authorize::Grant;

/// Where a request may go, the best first.
#[derive(Debug, Clone)]
pub struct Plan {
    grant: Grant,
    label: String,
    version: Arc<Version>,
    candidates: Vec<Candidate>,
    revision: Revision,
    book: Option<Arc<PriceBook>>,
}

/// One target, with its provider.
#[derive(Debug, Clone)]
pub struct Candidate {
    provider: Arc<Provider>,
    version: Arc<Version>,
    position: usize,
}

/// The model refers to something that is not in force here: this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// What is missing.
    pub missing: &'static str,
}

/// The plan for a grant.
pub fn plan(rules: &Rules, grant: Grant) -> Result<Plan, Refusal> {
    let model = grant.model();
    let version = model.stable.and_then(|id| rules.version(id));
    let version = version.filter(|version| version.model == model.id);
    let version = version.ok_or(Refusal { missing: "version" })?;
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
        return Err(Refusal {
            missing: "provider",
        });
    }
    if candidates.len() < version.targets.len() {
        // Nobody is refused for this, so nobody else counts it.
        metrics::counter!("sluice_config_dangling_reference_total").increment(1);
    }
    let label = format!("{}@{}", model.name, version.name);
    let (version, revision) = (Arc::clone(version), rules.revision());
    let book = rules.price_book(model.organization).cloned();
    Ok(Plan {
        grant,
        label,
        version,
        candidates,
        revision,
        book,
    })
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
        write!(
            f,
            "the model's {} is not in force on this edge yet",
            self.missing
        )
    }
}

impl std::error::Error for Refusal {}
