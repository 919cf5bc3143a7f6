//! What must be true of a key.

use std::fmt;

use crate::{name::ModelName, segment::Slug, violation::Violations};

/// The most models that a key may be held to.
pub const MODELS_MAX: usize = 256;

/// An expiry that is over already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidExpiry;

/// Reads the models that a key of `organization` may ask for; empty means: all of them.
pub fn models(
    organization: &Slug,
    names: &[String],
    violations: &mut Violations,
) -> Vec<ModelName> {
    if names.len() > MODELS_MAX {
        violations.add("key.models", format!("must hold at most {MODELS_MAX}"));
        return Vec::new();
    }
    let mut models: Vec<ModelName> = Vec::with_capacity(names.len());
    for (at, name) in names.iter().enumerate() {
        let field = format!("key.models[{at}]");
        let Some(model) = violations.take(&field, ModelName::parse(name)) else {
            continue;
        };
        if model.organization != *organization {
            violations.add(field, "must be a model of the same organization");
        } else if models.contains(&model) {
            violations.add(field, "must stand there once");
        } else {
            models.push(model);
        }
    }
    models
}

/// Whether something may be made that stops working at `at_ms`; both in milliseconds since 1970.
pub fn expire(at_ms: u64, now_ms: u64) -> Result<(), InvalidExpiry> {
    if at_ms > now_ms {
        Ok(())
    } else {
        Err(InvalidExpiry)
    }
}

impl fmt::Display for InvalidExpiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be in the future")
    }
}

impl std::error::Error for InvalidExpiry {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_held_to_models_of_its_own_organization() {
        let acme = Slug::parse("acme").unwrap();
        let names = [
            "organizations/acme/models/chat",
            "organizations/evil/models/chat",
            "organizations/acme/models/chat",
            "chat",
        ]
        .map(str::to_owned);
        let mut violations = Violations::new();
        assert_eq!(models(&acme, &names, &mut violations).len(), 1);
        let fields: Vec<_> = violations
            .into_vec()
            .into_iter()
            .map(|it| it.field)
            .collect();
        assert_eq!(fields, ["key.models[1]", "key.models[2]", "key.models[3]"]);
    }

    #[test]
    fn a_key_cannot_be_made_expired() {
        assert_eq!(expire(2, 1), Ok(()));
        assert_eq!(expire(1, 1), Err(InvalidExpiry));
        assert_eq!(expire(0, 1), Err(InvalidExpiry));
    }
}
