//! What is counted for each model, provider and organization: handles, looked up once for each and kept.
//!
//! Labels are names that policy knows, never what a client wrote, and never more than the bounds below, whatever is
//! asked. A request whose handles are kept looks two up by their ids and allocates nothing.

pub mod names;
pub mod class;
pub mod pair;

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
    sync::Arc,
};

use metrics::Counter;
use policy::{
    by_id::ById,
    id::{ModelId, OrganizationId, ProviderId},
    provider::Provider,
};

use spans::Tracer;

use crate::{access_log::AccessLog, in_force::InForce};

use self::{
    class::CLASSES,
    names::{NONE, Names},
    pair::Pair,
};

/// How many models, providers and organizations a core keeps handles of.
// Full: all of a kind are forgotten, and looked up anew when they are needed.
const KEPT_MAX: usize = 4_096;

/// What all cores share of what is watched.
#[derive(Clone, Default)]
pub struct Watched {
    /// Which names may be labels of metrics.
    pub names: Names,
    /// Takes the spans of requests that are traced.
    pub tracer: Tracer,
    /// Takes the lines of the access log.
    pub access_log: AccessLog,
}

/// The handles of one core.
pub struct Series {
    /// Takes the spans of requests that are traced.
    pub tracer: Tracer,
    /// Takes the lines of the access log.
    pub access_log: AccessLog,
    names: Names,
    in_force: InForce,
    // Each borrowed for one look-up, never over an await.
    models: RefCell<ById<ModelId, Rc<ModelSeries>>>,
    providers: RefCell<ById<ProviderId, Rc<ProviderSeries>>>,
    organizations: RefCell<ById<OrganizationId, Rc<OrganizationSeries>>>,
}

/// What is counted of one model, by who serves it.
pub struct ModelSeries {
    name: Arc<str>,
    // As many as a model has providers; bounded as all that is kept.
    pairs: RefCell<Vec<(Option<ProviderId>, Rc<Pair>)>>,
}

/// What is counted of one provider.
pub struct ProviderSeries {
    name: Arc<str>,
    /// Requests that it answered after another target had failed.
    pub fallbacks: Counter,
    // A closed set of words: the codes of failures, and outcomes.
    attempts: RefCell<Vec<(&'static str, Counter)>>,
}

/// What is counted of one organization.
pub struct OrganizationSeries {
    /// Tokens in.
    pub input: Counter,
    /// Tokens out.
    pub output: Counter,
    /// Billionths of a dollar.
    pub cost: Counter,
    name: Arc<str>,
    requests: [OnceCell<Counter>; CLASSES.len()],
}

/// Says what this module measures.
pub fn describe() {
    pair::describe();
    metrics::describe_counter!(
        "sluice_attempt_total",
        "Targets that were asked, by provider and what came of it"
    );
    metrics::describe_counter!(
        "sluice_fallback_total",
        "Requests that this provider answered after another target had failed"
    );
    metrics::describe_counter!(
        "sluice_organization_request_total",
        "Requests that were let in, by organization and class of status"
    );
    metrics::describe_counter!(
        "sluice_organization_tokens_total",
        "Tokens used, by organization and direction"
    );
    metrics::describe_counter!(
        "sluice_organization_cost_nanodollars_total",
        "What requests cost whose cost is known, by organization, in billionths of a dollar"
    );
}

// === impl Series ===

impl Series {
    /// Nothing looked up yet. Names of organizations come from `in_force`.
    pub fn new(watched: Watched, in_force: InForce) -> Self {
        let Watched {
            names,
            tracer,
            access_log,
        } = watched;
        Self {
            tracer,
            access_log,
            names,
            in_force,
            models: RefCell::default(),
            providers: RefCell::default(),
            organizations: RefCell::default(),
        }
    }

    /// Of the model that has this id and name; an empty name is that of none.
    pub fn model(&self, id: ModelId, name: &str) -> Rc<ModelSeries> {
        kept(&self.models, id, || ModelSeries {
            name: Arc::from(if name.is_empty() { NONE } else { name }),
            pairs: RefCell::default(),
        })
    }

    /// Of a provider.
    pub fn provider(&self, provider: &Provider) -> Rc<ProviderSeries> {
        kept(&self.providers, provider.id, || {
            ProviderSeries::new(self.names.provider(&provider.name))
        })
    }

    /// Of an organization.
    pub fn organization(&self, id: OrganizationId) -> Rc<OrganizationSeries> {
        kept(&self.organizations, id, || {
            let rules = self.in_force.rules();
            let name = rules.organization(id).map_or(NONE, |it| it.name.as_str());
            OrganizationSeries::new(self.names.organization(name))
        })
    }

    /// Of a model at the provider that served it, or at none.
    pub fn pair(
        &self,
        model: &ModelSeries,
        served: Option<(ProviderId, &ProviderSeries)>,
    ) -> Rc<Pair> {
        let id = served.map(|(id, _)| id);
        let mut pairs = model.pairs.borrow_mut();
        if let Some((_, pair)) = pairs.iter().find(|(known, _)| *known == id) {
            return Rc::clone(pair);
        }
        if pairs.len() >= KEPT_MAX {
            pairs.clear();
        }
        let provider = served.map_or(NONE, |(_, it)| &*it.name);
        let (model, provider) = self.names.pair(&model.name, provider);
        let pair = Rc::new(Pair::new(model, provider));
        pairs.push((id, Rc::clone(&pair)));
        pair
    }
}

fn kept<K: Eq + std::hash::Hash, V>(
    all: &RefCell<ById<K, Rc<V>>>,
    key: K,
    make: impl FnOnce() -> V,
) -> Rc<V> {
    let mut all = all.borrow_mut();
    if let Some(known) = all.get(&key) {
        return Rc::clone(known);
    }
    if all.len() >= KEPT_MAX {
        all.clear();
    }
    let new = Rc::new(make());
    all.insert(key, Rc::clone(&new));
    new
}

// === impl ModelSeries ===

impl ModelSeries {
    /// The model's own name, whatever it is counted under.
    pub fn name(&self) -> &str {
        &self.name
    }
}

// === impl ProviderSeries ===

impl ProviderSeries {
    fn new(name: Arc<str>) -> Self {
        let fallbacks = metrics::counter!("sluice_fallback_total", "provider" => name.to_string());
        Self {
            name,
            fallbacks,
            attempts: RefCell::default(),
        }
    }

    /// It was asked, and this came of it.
    pub fn attempt(&self, outcome: &'static str) {
        let mut attempts = self.attempts.borrow_mut();
        if let Some((_, counter)) = attempts.iter().find(|(word, _)| *word == outcome) {
            return counter.increment(1);
        }
        let provider = self.name.to_string();
        let counter =
            metrics::counter!("sluice_attempt_total", "provider" => provider, "outcome" => outcome);
        counter.increment(1);
        attempts.push((outcome, counter));
    }
}

// === impl OrganizationSeries ===

impl OrganizationSeries {
    fn new(name: Arc<str>) -> Self {
        let tokens = |direction| {
            let name = name.to_string();
            metrics::counter!("sluice_organization_tokens_total", "organization" => name, "direction" => direction)
        };
        let (input, output) = (tokens("input"), tokens("output"));
        let label = name.to_string();
        let cost = metrics::counter!("sluice_organization_cost_nanodollars_total", "organization" => label);
        Self {
            input,
            output,
            cost,
            name,
            requests: Default::default(),
        }
    }

    /// A request has ended with a status of this class.
    pub fn request(&self, class: usize) {
        let Some((counter, word)) = self.requests.get(class).zip(CLASSES.get(class)) else {
            return;
        };
        let counter = counter.get_or_init(|| {
            let name = self.name.to_string();
            metrics::counter!("sluice_organization_request_total", "organization" => name, "class" => *word)
        });
        counter.increment(1);
    }
}

#[cfg(test)]
#[path = "series_test.rs"]
mod tests;
