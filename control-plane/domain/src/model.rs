//! What must be true of a model.

use claims::condition::Condition;
use policy::model::RULES_MAX;

use crate::{
    name::{ModelName, VersionName},
    segment::Slug,
    violation::Violations,
};

/// A condition on requests, and the version that serves when it is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The condition.
    pub condition: String,
    /// The version.
    pub version: VersionName,
}

/// Checks the rules of a model of this organization: each a condition and the name of a version.
pub fn rules(organization: &Slug, asked: &[(&str, &str)]) -> Result<Vec<Rule>, Violations> {
    let mut violations = Violations::new();
    if asked.len() > RULES_MAX {
        violations.add("model.rules", format!("must hold at most {RULES_MAX}"));
        return Err(violations);
    }
    let mut rules = Vec::with_capacity(asked.len());
    for (at, (condition, version)) in asked.iter().enumerate() {
        if let Err(why) = Condition::compile(condition) {
            violations.add(format!("model.rules[{at}].condition"), why.to_string());
        }
        let field = format!("model.rules[{at}].version");
        let version = violations.take(&field, VersionName::parse(version));
        if let Some(version) = version {
            if version.organization != *organization {
                violations.add(field, "must be a version of the same organization");
            }
            rules.push(Rule {
                condition: (*condition).to_owned(),
                version,
            });
        }
    }
    violations.done()?;
    Ok(rules)
}

/// The stable version that an operator names for a model; empty text means: none. Only a version of this same
/// model can serve it.
pub fn stable_version(model: &ModelName, text: &str) -> Result<Option<VersionName>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let version = VersionName::parse(text).map_err(|why| why.to_string())?;
    if version.parent() == *model {
        Ok(Some(version))
    } else {
        Err("must be a version of this model".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_has_a_condition_that_compiles_and_a_version_of_its_organization() {
        let acme = Slug::parse("acme").unwrap();
        let own = "organizations/acme/models/other/versions/v1";
        let rules = |asked: &[(&str, &str)]| super::rules(&acme, asked);
        assert_eq!(rules(&[("input_tokens > 9", own)]).unwrap().len(), 1);
        let foreign = "organizations/evil/models/other/versions/v1";
        let wrong = [("model == 'a'", own), ("stream", foreign), ("stream", "v1")];
        let wrong = rules(&wrong).unwrap_err().into_vec();
        let fields: Vec<_> = wrong.iter().map(|it| it.field.as_str()).collect();
        let expected = ["[0].condition", "[1].version", "[2].version"];
        assert_eq!(fields, expected.map(|it| format!("model.rules{it}")));
        assert!(rules(&[("stream", own); RULES_MAX + 1]).is_err());
    }

    #[test]
    fn a_model_is_served_by_its_own_versions_only() {
        let model = ModelName::parse("organizations/acme/models/chat").unwrap();
        let own = "organizations/acme/models/chat/versions/v1";
        assert_eq!(
            stable_version(&model, own),
            Ok(Some(VersionName::parse(own).unwrap()))
        );
        assert_eq!(stable_version(&model, ""), Ok(None));
        assert!(stable_version(&model, "organizations/acme/models/other/versions/v1").is_err());
        assert!(stable_version(&model, "organizations/evil/models/chat/versions/v1").is_err());
        assert!(stable_version(&model, "v1").is_err());
    }
}
