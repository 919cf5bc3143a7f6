//! Decides what a caller may use: a [`Caller`] and a model name become a [`Grant`].
//!
//! Pure, given the rules. A model that does not exist and one that the key may not use are the same refusal,
//! so that nobody can learn the names of others' models.

use std::{fmt, sync::Arc};

use policy::{model::Model, provider::Provider, rules::Rules};

use crate::identify::Caller;

/// Proof that a caller may use a model.
#[derive(Debug, Clone)]
pub struct Grant {
    caller: Caller,
    model: Arc<Model>,
}

/// There is no such model for this caller. The name is the client's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the client asked for.
    pub model: String,
}

/// The caller may not pass anything through to a provider of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// The provider of this name, if its operators let requests be passed through to it and the caller may do that. A key
/// that is held to some models may not: which of them a path of the provider's would reach is not known.
pub fn passage(rules: &Rules, caller: &Caller, name: &str) -> Result<Arc<Provider>, Closed> {
    let provider = rules.provider_named(caller.key().organization, name);
    let open = provider.filter(|it| it.passthrough && caller.key().models.is_empty());
    open.map(Arc::clone).ok_or(Closed)
}

/// Whether the caller may use the model of this name.
pub fn grant(rules: &Rules, caller: Caller, name: &str) -> Result<Grant, Refusal> {
    let model = rules.model(caller.key().organization, name);
    match model.filter(|model| is_usable(&caller, model)) {
        Some(model) => Ok(Grant {
            model: Arc::clone(model),
            caller,
        }),
        None => Err(Refusal {
            model: name.to_owned(),
        }),
    }
}

/// Every model that the caller may use, by name.
pub fn models(rules: &Rules, caller: &Caller) -> Vec<Arc<Model>> {
    let usable = rules
        .models(caller.key().organization)
        .filter(|model| is_usable(caller, model));
    let mut models: Vec<_> = usable.map(Arc::clone).collect();
    models.sort_by(|one, other| one.name.cmp(&other.name));
    models
}

fn is_usable(caller: &Caller, model: &Model) -> bool {
    let models = &caller.key().models;
    model.stable.is_some() && (models.is_empty() || models.contains(&model.id))
}

// === impl Grant ===

impl Grant {
    /// Who.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What.
    pub const fn model(&self) -> &Arc<Model> {
        &self.model
    }
}

// === impl Closed ===

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "there is no such provider, it is not open for passing through, or the key is held to models",
        )
    }
}

impl std::error::Error for Closed {}

// === impl Refusal ===

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the model does not exist, or the key may not use it")
    }
}

impl std::error::Error for Refusal {}
