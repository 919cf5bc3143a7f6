//! Decides where a request goes: a [`Grant`] becomes a [`Plan`], ordered targets of one version.
//!
//! Does no I/O: hangs on the rules, on what the request says, and on how targets fare on this edge. A target whose provider is
//! not in force, or is another organization's, is left out; a plan without targets is refused. Operators who ask where a
//! request would go are answered by the same function.

mod candidate;
pub mod notes;
pub mod decision;
mod order;
pub mod hedge;
mod balance;
mod prefer;
pub mod able;

use std::{fmt, sync::Arc};

use crate::{
    asking::Asking,
    assign::{self, Chooser},
    authorize::Grant,
};
use policy::{
    id::VersionId,
    key::Key,
    model::{Model, Version},
    price_book::PriceBook,
    revision::Revision,
    routing::Balance,
    rules::Rules,
    split::Part,
};

pub use self::candidate::Candidate;

use self::{
    able::{Unable, hold_to_able},
    balance::{Choosing, by_balance},
    decision::Decision,
    notes::{Note, Notes, Told, Why},
    prefer::{arrange, hold_to_best, hold_to_client, hold_to_guard},
};

/// Where a request may go, the best first.
#[derive(Debug, Clone)]
pub struct Plan {
    grant: Grant,
    version: Arc<Version>,
    candidates: Vec<Candidate>,
    revision: Revision,
    book: Option<Arc<PriceBook>>,
    chooser: Chooser,
    // Rare, and so a pointer: this rides in the future of every request.
    rare: Option<Box<Rare>>,
}

/// What only some plans have.
#[derive(Debug, Clone, Default)]
struct Rare {
    /// Whose the version is, where that is another model than the client asked for.
    owner: Option<Arc<Model>>,
    /// What became of which target.
    notes: Vec<Note>,
    /// The same as text, where the request is traced.
    told: Option<Told>,
}

/// Why there is nowhere to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The model refers to something that is not in force here: this.
    Missing(&'static str),
    /// The key is held to other providers than the model has.
    Forbidden,
    /// The project's data may not go to any provider of the model.
    DataPolicy,
    /// None of the model's targets is one that the client wants.
    Unmet,
    /// None of them can serve it.
    Unable(Unable),
}

/// The plan for a grant.
pub fn plan(rules: &Rules, grant: Grant, asking: Asking<'_>) -> Result<Plan, Refusal> {
    let mut notes = Notes::default();
    let mut plan = plan_noted(rules, grant, asking, &mut notes)?;
    if notes.all().is_empty() {
        return Ok(plan);
    }
    let told = || {
        notes.told(&plan.version.targets, |target| {
            let provider = rules.provider(target.provider);
            provider.map_or("?", |it| it.name.as_str())
        })
    };
    let told = if asking.is_traced() { told() } else { None };
    let rare = plan.rare.get_or_insert_default();
    (rare.told, rare.notes) = (told, notes.into_all());
    Ok(plan)
}

/// The same; what became of each target is noted.
pub fn plan_noted(
    rules: &Rules,
    grant: Grant,
    asking: Asking<'_>,
    notes: &mut Notes,
) -> Result<Plan, Refusal> {
    let assigned = assign::assign(rules, grant.model(), grant.caller(), asking);
    let chooser = assigned.map_or(Chooser::Release, |it| {
        it.chooser(grant.model(), asking.named)
    });
    let version = assigned.map(|it| it.version);
    plan_for(rules, grant, (version, chooser, asking), notes)
}

/// The plan for a grant whose request is copied to this version, by the same rules as any other.
pub fn to_version(
    rules: &Rules,
    grant: Grant,
    version: VersionId,
    asking: Asking<'_>,
) -> Result<Plan, Refusal> {
    let to = (Some(version), Chooser::Release, asking);
    plan_for(rules, grant, to, &mut Notes::default())
}

fn plan_for(
    rules: &Rules,
    grant: Grant,
    (version, chooser, asking): (Option<VersionId>, Chooser, Asking<'_>),
    notes: &mut Notes,
) -> Result<Plan, Refusal> {
    let (version, mut candidates) = targets(rules, grant.model(), version, notes)?;
    if candidates.len() < version.targets.len() {
        // Nobody is refused for this, so nobody else counts it.
        metrics::counter!("sluice_config_dangling_reference_total").increment(1);
    }
    let key = grant.caller().key();
    hold_to(key, &mut candidates, notes)?;
    let guard = rules.guard(key.project);
    hold_to_guard(guard.map(|it| &**it), &mut candidates, notes)?;
    hold_to_able(asking, &mut candidates, notes)?;
    let book = rules.price_book(grant.model().organization).cloned();
    let (wanted, sort) = (asking.preferences(), asking.sort());
    let choosing = Choosing {
        balance: match sort {
            Some(_) => Balance::Weighted,
            None => version.routing.balance,
        },
        caller: grant.caller(),
        asking,
        book: book.as_ref(),
    };
    if let Some(wanted) = wanted {
        hold_to_client(wanted, &mut candidates, choosing, notes)?;
    }
    by_balance(&mut candidates, choosing, notes);
    if wanted.is_some() || sort.is_some() {
        arrange(&mut candidates, (wanted, sort), choosing, notes);
    }
    if let Some(fares) = asking.fares {
        order::by_health(&mut candidates, &fares.lanes, notes);
    }
    hold_to_best(wanted, &mut candidates, notes);
    let is_others = version.model != grant.model().id;
    let owner = is_others.then(|| rules.model_with_id(version.model));
    let owner = owner.flatten().map(Arc::clone);
    Ok(Plan {
        grant,
        version,
        candidates,
        revision: rules.revision(),
        book,
        chooser,
        rare: owner.map(|it| {
            Box::new(Rare {
                owner: Some(it),
                ..Rare::default()
            })
        }),
    })
}

/// This version of a model, and those of its targets that are in force; at least one.
pub fn targets(
    rules: &Rules,
    model: &Model,
    version: Option<VersionId>,
    notes: &mut Notes,
) -> Result<(Arc<Version>, Vec<Candidate>), Refusal> {
    let version = version.and_then(|id| rules.version(id));
    // A condition may name a version of another model of the organization.
    let is_own = |version: &Version| {
        let owner = || rules.model_with_id(version.model);
        version.model == model.id || owner().is_some_and(|it| it.organization == model.organization)
    };
    let version = version.filter(|version| is_own(version));
    let version = version.ok_or(Refusal::Missing("version"))?;
    let mut candidates = Vec::with_capacity(version.targets.len());
    for (position, target) in version.targets.iter().enumerate() {
        match rules.provider(target.provider) {
            Some(provider) if provider.organization == model.organization => {
                let (provider, version) = (Arc::clone(provider), Arc::clone(version));
                candidates.push(Candidate::new(provider, version, position));
            }
            Some(_) => notes.say(position, Why::Foreign),
            None => notes.say(position, Why::Missing),
        }
    }
    if candidates.is_empty() {
        return Err(Refusal::Missing("provider"));
    }
    Ok((Arc::clone(version), candidates))
}

/// Leaves out what the key is not to be used with; at least one is left.
pub fn hold_to(
    key: &Key,
    candidates: &mut Vec<Candidate>,
    notes: &mut Notes,
) -> Result<(), Refusal> {
    let Some(scope) = key.scope.as_deref() else {
        return Ok(());
    };
    candidates.retain(|it| {
        let takes = scope.takes_provider(it.provider().id);
        if !takes {
            notes.say(it.position(), Why::Key);
        }
        takes
    });
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

    /// Whose the version is: mostly that of the model that is asked for.
    pub fn owner(&self) -> &Arc<Model> {
        let owner = self.rare.as_ref().and_then(|it| it.owner.as_ref());
        owner.unwrap_or(self.grant.model())
    }

    /// The version that serves.
    pub const fn version(&self) -> &Arc<Version> {
        &self.version
    }

    /// The rollout that assigned the version, if one did.
    pub fn rollout(&self) -> Option<Part> {
        let split = self.grant.model().split.as_deref()?;
        let Chooser::Rollout(client) = self.chooser else {
            return None;
        };
        Some(Part {
            rollout: split.rollout,
            client,
        })
    }

    /// The targets; never empty.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// How many of the targets are to be asked before anybody waits for one: the rest is set aside.
    pub fn well(&self) -> usize {
        let aside = self.candidates.iter().rev();
        let aside = aside.take_while(|it| !it.aside.is_zero()).count();
        self.candidates.len().saturating_sub(aside)
    }

    /// What became of which target, where the request is traced and anything did.
    pub fn told(&self) -> Option<&str> {
        self.rare.as_ref()?.told.as_ref().map(Told::text)
    }

    /// The same, and what chose the version, as the record keeps it.
    pub fn decision(&self) -> Decision {
        let notes = self.rare.as_ref().map(|it| it.notes.clone());
        let places = self.candidates.iter().map(Candidate::position);
        let version = Arc::clone(&self.version);
        let alias = self.grant.model().alias.as_deref();
        Decision::new(self.chooser, version, places, notes.unwrap_or_default())
            .asked_by(alias.map(|it| it.name.as_str()))
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
            Self::DataPolicy => f.write_str(
                "the project demands of providers what none of the model's is known to do with data",
            ),
            Self::Unable(_) => f.write_str("the model has no target that can serve such a request"),
            Self::Unmet => f.write_str(
                "the model has no target that meets all that the request prefers: prefer less, or ask another model",
            ),
        }
    }
}

impl std::error::Error for Refusal {}
