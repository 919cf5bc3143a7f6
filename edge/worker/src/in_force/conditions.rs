//! The conditions of models, compiled when policy is put in force, so that no request waits for that.
//!
//! Knows expressions and versions; knows nothing of requests. A condition that does not compile here, which the control plane
//! refuses, is never true. What many models say alike is compiled once, so that a thousand models with the same words find
//! them where the processor has them still.

use std::{collections::HashMap, sync::Arc};

use claims::condition::Condition;
use policy::{
    by_id::ById,
    id::{ModelId, VersionId},
    model::{Model, ModelRule},
    rules::Rules,
};
use tracing::warn;

/// The rules of one model, ready for use, in their order.
pub type Ready = Arc<[Rule]>;

/// A condition, if it compiles, and the version that serves when it is true.
#[derive(Debug)]
pub struct Rule {
    /// The condition; rules of one text share it.
    pub condition: Option<Arc<Condition>>,
    /// The version.
    pub version: VersionId,
}

/// Those of a whole configuration: as many as it has models with rules.
#[derive(Debug, Default)]
pub struct Conditions {
    models: ById<ModelId, (Arc<Model>, Ready)>,
    /// What stands in any of them, by its text.
    compiled: Compiled,
}

#[derive(Debug, Default)]
struct Compiled(HashMap<String, Option<Arc<Condition>>>);

// === impl Conditions ===

impl Conditions {
    /// Those of a configuration. What stood `before` is not compiled again.
    pub fn of(rules: &Rules, before: &Self) -> Self {
        let mut all = Self::default();
        for model in rules.all_models().filter(|it| !it.rules.is_empty()) {
            let ready = all.compiled.ready(model, &before.compiled);
            all.models.insert(model.id, (Arc::clone(model), ready));
        }
        all
    }

    /// Those of a model. Those of another revision than this are made ready for the one request that still has it.
    pub fn get(&self, model: &Arc<Model>) -> Ready {
        match self.models.get(&model.id) {
            Some((of, ready)) if Arc::ptr_eq(of, model) || of.rules == model.rules => {
                Arc::clone(ready)
            }
            _ => Compiled::default().ready(model, &self.compiled),
        }
    }
}

// === impl Compiled ===

impl Compiled {
    fn ready(&mut self, model: &Model, before: &Self) -> Ready {
        let rule = |it: &ModelRule| Rule {
            condition: self.condition(model, &it.condition, before),
            version: it.version,
        };
        model.rules.iter().map(rule).collect()
    }

    fn condition(&mut self, model: &Model, text: &str, before: &Self) -> Option<Arc<Condition>> {
        if let Some(found) = self.0.get(text) {
            return found.clone();
        }
        let found = before.0.get(text).cloned();
        let found = found.unwrap_or_else(|| compile(model, text));
        self.0.insert(text.to_owned(), found.clone());
        found
    }
}

fn compile(model: &Model, text: &str) -> Option<Arc<Condition>> {
    let condition = Condition::compile(text);
    if condition.is_err() {
        warn!(model = %model.name, "a condition of it cannot be used by this build");
    }
    condition.ok().map(Arc::new)
}

#[cfg(test)]
mod tests {
    use policy::{change::Edit, id::OrganizationId, object::Object};

    use super::*;

    fn model(id: u8, texts: &[&str]) -> Model {
        let rule = |text: &&str| ModelRule {
            condition: (*text).to_owned(),
            version: VersionId::from_bytes([id; 16]),
        };
        Model {
            id: ModelId::from_bytes([id; 16]),
            organization: OrganizationId::from_bytes([1; 16]),
            name: format!("model-{id}"),
            stable: None,
            created_seconds: 0,
            endings: None,
            aliases: Vec::new(),
            alias: None,
            split: None,
            shadow: None,
            rules: texts.iter().map(rule).collect(),
        }
    }

    fn of(models: &[Model], before: &Conditions) -> (Conditions, Vec<Ready>) {
        let mut rules = Rules::default();
        for model in models {
            rules.apply(Edit::Upsert(Object::Model(model.clone())));
        }
        let conditions = Conditions::of(&rules, before);
        let models = models.iter().map(|it| Arc::new(it.clone()));
        let ready = models.map(|it| conditions.get(&it)).collect();
        (conditions, ready)
    }

    fn is_same(one: &Rule, other: &Rule) -> bool {
        let both = (one.condition.as_ref(), other.condition.as_ref());
        matches!(both, (Some(one), Some(other)) if Arc::ptr_eq(one, other))
    }

    #[test]
    fn one_text_is_compiled_once_for_all_models_and_revisions_and_forgotten_with_the_last() {
        let models = [
            model(1, &["stream", "input_tokens > 5"]),
            model(2, &["stream"]),
        ];
        let (first, ready) = of(&models, &Conditions::default());
        assert!(is_same(&ready[0][0], &ready[1][0]));
        assert!(!is_same(&ready[0][0], &ready[0][1]));
        assert_eq!(first.compiled.0.len(), 2);
        let (second, anew) = of(&models[1..], &first);
        assert!(is_same(&anew[0][0], &ready[0][0]));
        assert_eq!(second.compiled.0.len(), 1, "nobody says the other");
    }

    #[test]
    fn what_does_not_compile_is_no_condition_and_a_model_of_another_revision_has_its_own() {
        let (conditions, ready) = of(&[model(1, &["stream &&"])], &Conditions::default());
        assert!(ready[0][0].condition.is_none());
        let other = conditions.get(&Arc::new(model(1, &["stream", "stream"])));
        assert!(is_same(&other[0], &other[1]));
    }
}
