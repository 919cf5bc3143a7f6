//! The conditions of models, compiled when policy is put in force, so that no request waits for that.
//!
//! Knows expressions and versions; knows nothing of requests. A condition that does not compile here, which the control plane
//! refuses, is never true.

use std::{collections::HashMap, sync::Arc};

use claims::condition::Condition;
use policy::{
    id::{ModelId, VersionId},
    model::Model,
    rules::Rules,
};
use tracing::warn;

/// The rules of one model, ready for use, in their order.
pub type Ready = Arc<[Rule]>;

/// A condition, if it compiles, and the version that serves when it is true.
#[derive(Debug)]
pub struct Rule {
    /// The condition.
    pub condition: Option<Condition>,
    /// The version.
    pub version: VersionId,
}

/// Those of a whole configuration: as many as it has models with rules.
#[derive(Debug, Default)]
pub struct Conditions(HashMap<ModelId, (Arc<Model>, Ready)>);

// === impl Conditions ===

impl Conditions {
    /// Those of a configuration. What stood `before` is not compiled again.
    pub fn of(rules: &Rules, before: &Self) -> Self {
        let conditional = rules.all_models().filter(|it| !it.rules.is_empty());
        let ready = conditional.map(|model| (model.id, (Arc::clone(model), before.get(model))));
        Self(ready.collect())
    }

    /// Those of a model. Those of another revision than this are compiled for the one request that still has it.
    pub fn get(&self, model: &Arc<Model>) -> Ready {
        match self.0.get(&model.id) {
            Some((of, ready)) if Arc::ptr_eq(of, model) || of.rules == model.rules => {
                Arc::clone(ready)
            }
            _ => compile(model),
        }
    }
}

fn compile(model: &Model) -> Ready {
    let rule = |it: &policy::model::ModelRule| {
        let condition = Condition::compile(&it.condition);
        if condition.is_err() {
            warn!(model = %model.name, "a condition of it cannot be used by this build");
        }
        Rule {
            condition: condition.ok(),
            version: it.version,
        }
    };
    model.rules.iter().map(rule).collect()
}
