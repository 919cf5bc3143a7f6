//! Rules of versions, as operators see them.
//!
//! Knows the shape of messages on both sides; whether a rule makes sense is not its matter.

use payload::{
    family::Family,
    transform::{Rule, headers::HeaderRule},
    value::Json,
};

use crate::admin::{self, ClientDialect, header_rule, transform_rule};

/// A rule as operators see it.
pub fn rule_wire(rule: Rule) -> admin::TransformRule {
    use transform_rule::Rule as Wire;
    let set = |path, value: &Json| admin::SetRule {
        path,
        value: value.as_str().to_owned(),
    };
    let number = |bound: Option<Json>| bound.and_then(|it| it.as_str().parse().ok());
    let kind = match rule {
        Rule::Only(families, rule) => {
            let dialects = families.into_iter().map(|it| dialect(it).into());
            return admin::TransformRule {
                dialects: dialects.collect(),
                ..rule_wire(*rule)
            };
        }
        Rule::Set { path, value } => Wire::Set(set(path, &value)),
        Rule::Default { path, value } => Wire::Default(set(path, &value)),
        Rule::Clamp { path, min, max } => Wire::Clamp(admin::ClampRule {
            path,
            min: number(min),
            max: number(max),
        }),
        Rule::Rename { from, to } => Wire::Rename(admin::RenameRule { from, to }),
        Rule::Remove { path } => Wire::Remove(path),
        Rule::PrependSystem(words) => Wire::PrependSystem(words),
        Rule::AppendSystem(words) => Wire::AppendSystem(words),
        Rule::Jq(program) => Wire::Jq(program),
    };
    admin::TransformRule {
        rule: Some(kind),
        dialects: Vec::new(),
    }
}

/// A header rule as operators see it.
pub fn header_rule_wire(rule: HeaderRule) -> admin::HeaderRule {
    let kind = match rule {
        HeaderRule::Set { name, value } => {
            header_rule::Rule::Set(admin::SetHeaderRule { name, value })
        }
        HeaderRule::Remove(name) => header_rule::Rule::Remove(name),
        HeaderRule::Copy(name) => header_rule::Rule::Copy(name),
    };
    admin::HeaderRule { rule: Some(kind) }
}

/// The family of clients that this number of a [`ClientDialect`] names.
pub fn family(number: i32) -> Option<Family> {
    match ClientDialect::try_from(number).ok()? {
        ClientDialect::Unspecified => None,
        ClientDialect::Chat => Some(Family::Chat),
        ClientDialect::Responses => Some(Family::Responses),
        ClientDialect::Messages => Some(Family::Messages),
        ClientDialect::Gemini => Some(Family::Gemini),
    }
}

/// What operators call a family of clients; nothing for those that no client speaks to us.
pub const fn dialect(family: Family) -> ClientDialect {
    match family {
        Family::Chat => ClientDialect::Chat,
        Family::Responses => ClientDialect::Responses,
        Family::Messages => ClientDialect::Messages,
        Family::Gemini => ClientDialect::Gemini,
        Family::Converse | Family::Cohere => ClientDialect::Unspecified,
    }
}
