//! What serves a request, for people, and what ends of it.
//!
//! Whoever asks a model that has its time is told on every answer until then, and afterwards refused.

use std::sync::Arc;

use policy::{
    deprecation::{Deprecation, sooner},
    model::Model,
};

use crate::{authorize, route::Plan};

/// What serves a request.
#[derive(Debug, Clone, Default)]
pub struct Label {
    /// `model@version`; empty where no model is named.
    pub text: String,
    /// By what that is deprecated, if it is.
    pub ending: Option<Arc<Deprecation>>,
}

/// Whether what a plan asks for is still to be had at this time.
pub fn alive(plan: &Plan, at_ms: u64) -> Result<(), authorize::Refusal> {
    let Some(ending) = plan.ending().filter(|it| it.is_over(at_ms)) else {
        return Ok(());
    };
    let model = plan.grant().model();
    let is_own = model
        .deprecation()
        .is_some_and(|it| Arc::ptr_eq(it, ending));
    let name = if is_own {
        of(model, &model.name)
    } else {
        of(model, &plan.label().text)
    };
    let deprecation = Arc::clone(ending);
    Err(authorize::Refusal::Retired { name, deprecation })
}

/// What is told of a model, behind the alias by which it was asked for, if it was: a client may know no other name.
pub fn of(model: &Model, text: &str) -> String {
    match &model.alias {
        None => text.to_owned(),
        Some(alias) => format!("{} ({text})", alias.name),
    }
}

// === impl Plan ===

impl Plan {
    /// By what the model that is asked for, or the version that serves, is deprecated: what ends first of them.
    pub fn ending(&self) -> Option<&Arc<Deprecation>> {
        let model = self.grant().model();
        let version = self.owner().deprecation_of(self.version().id);
        sooner(model.deprecation(), version)
    }

    /// What serves.
    pub fn label(&self) -> Label {
        Label {
            text: format!("{}@{}", self.owner().name, self.version().name),
            ending: self.ending().cloned(),
        }
    }
}
