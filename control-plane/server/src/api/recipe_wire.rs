//! The rules and samples of a version between the wire and the domain.
//!
//! Knows the shape of messages; whether a rule makes sense is the domain's to say.

use domain::{recipe::Tried, violation::Violations};
use payload::{
    transform::{Rule, headers::HeaderRule},
    value::Json,
};
use proto::{
    admin::{self, header_rule, transform_rule},
    recipe::{dialect, family},
};

/// Which kind of rule is missing.
const NO_KIND: &str = "is required: one of set, default, clamp, rename, remove, prepend_system, \
                       append_system, jq";

/// What is missing of a header rule.
const NO_HEADER_KIND: &str = "is required: one of set, remove, copy";

/// What is wrong with a dialect.
const NO_DIALECT: &str = "must be chat, responses, messages or gemini";

/// The rules that were given; `None` and a note where one is none.
pub(crate) fn rules(
    given: Vec<admin::TransformRule>,
    violations: &mut Violations,
) -> Option<Vec<Rule>> {
    let mut rules = Vec::with_capacity(given.len());
    let wanted = given.len();
    for (at, rule) in given.into_iter().enumerate() {
        let field = format!("model_version.transform_rules[{at}]");
        rules.extend(read(rule, &field, violations));
    }
    (rules.len() == wanted).then_some(rules)
}

/// The header rules that were given; `None` and a note where one is none.
pub(crate) fn header_rules(
    given: Vec<admin::HeaderRule>,
    violations: &mut Violations,
) -> Option<Vec<HeaderRule>> {
    let mut rules = Vec::with_capacity(given.len());
    let wanted = given.len();
    for (at, rule) in given.into_iter().enumerate() {
        let field = format!("model_version.header_rules[{at}].rule");
        let kind = violations.take(&field, rule.rule.ok_or(NO_HEADER_KIND));
        rules.extend(kind.map(|kind| match kind {
            header_rule::Rule::Set(it) => HeaderRule::Set {
                name: it.name,
                value: it.value,
            },
            header_rule::Rule::Remove(name) => HeaderRule::Remove(name),
            header_rule::Rule::Copy(name) => HeaderRule::Copy(name),
        }));
    }
    (rules.len() == wanted).then_some(rules)
}

/// The samples that were given; `None` and a note where one has no dialect.
pub(crate) fn samples(
    given: Vec<admin::TransformSample>,
    violations: &mut Violations,
) -> Option<Vec<Tried>> {
    let mut samples = Vec::with_capacity(given.len());
    let wanted = given.len();
    for (at, sample) in given.into_iter().enumerate() {
        let field = format!("model_version.samples[{at}].dialect");
        let family = violations.take(&field, family(sample.dialect).ok_or(NO_DIALECT));
        samples.extend(family.map(|family| Tried {
            family,
            body: sample.body,
            expected: (!sample.expected.is_empty()).then_some(sample.expected),
        }));
    }
    (samples.len() == wanted).then_some(samples)
}

/// A sample as operators see it, and what it became where that is known.
pub(crate) fn sample_wire(sample: Tried, becomes: Option<String>) -> admin::TransformSample {
    admin::TransformSample {
        dialect: dialect(sample.family).into(),
        body: sample.body,
        expected: sample.expected.unwrap_or_default(),
        becomes: becomes.unwrap_or_default(),
    }
}

fn read(rule: admin::TransformRule, field: &str, violations: &mut Violations) -> Option<Rule> {
    use transform_rule::Rule as Wire;
    let mut families = Vec::with_capacity(rule.dialects.len());
    for (at, number) in rule.dialects.iter().enumerate() {
        let field = format!("{field}.dialects[{at}]");
        families.push(violations.take(&field, family(*number).ok_or(NO_DIALECT)));
    }
    let families: Option<Vec<_>> = families.into_iter().collect();
    let kind = violations.take(&format!("{field}.rule"), rule.rule.ok_or(NO_KIND));
    let (families, kind) = families.zip(kind)?;
    let rule = match kind {
        Wire::Set(it) => Rule::Set {
            path: it.path,
            value: Json::of(&it.value),
        },
        Wire::Default(it) => Rule::Default {
            path: it.path,
            value: Json::of(&it.value),
        },
        // What is no finite number is found out when the rule is compiled.
        Wire::Clamp(it) => Rule::Clamp {
            path: it.path,
            min: it.min.map(|bound| Json::of(&bound.to_string())),
            max: it.max.map(|bound| Json::of(&bound.to_string())),
        },
        Wire::Rename(it) => Rule::Rename {
            from: it.from,
            to: it.to,
        },
        Wire::Remove(path) => Rule::Remove { path },
        Wire::PrependSystem(words) => Rule::PrependSystem(words),
        Wire::AppendSystem(words) => Rule::AppendSystem(words),
        Wire::Jq(program) => Rule::Jq(program),
    };
    Some(if families.is_empty() {
        rule
    } else {
        Rule::Only(families, Box::new(rule))
    })
}

#[cfg(test)]
mod tests {
    use payload::family::Family;
    use proto::recipe::{header_rule_wire, rule_wire};

    use super::*;

    #[test]
    fn rules_and_samples_go_to_the_wire_and_back() {
        let text = r#"[{"set":{"path":"a","value":{"b": 1.0}}},{"default":{"path":"a","value":null},"dialects":["gemini","messages"]},{"clamp":{"path":"t","min":0,"max":1.5}},{"clamp":{"path":"t","max":4096}},{"rename":{"from":"a","to":"b"}},{"remove":{"path":"m[0]"}},{"prepend_system":"a"},{"append_system":"b"},{"jq":". | .a"}]"#;
        let parsed = Rule::parse_all(text).unwrap();
        let mut violations = Violations::new();
        let wires = parsed.iter().cloned().map(rule_wire).collect();
        assert_eq!(rules(wires, &mut violations), Some(parsed));
        let text = r#"[{"set":{"name":"x","value":"a"}},{"remove":"y"},{"copy":"z"}]"#;
        let parsed = HeaderRule::parse_all(text).unwrap();
        let wires = parsed.iter().cloned().map(header_rule_wire).collect();
        assert_eq!(header_rules(wires, &mut violations), Some(parsed));
        let sample = Tried {
            family: Family::Responses,
            body: "{}".to_owned(),
            expected: Some("{ }".to_owned()),
        };
        let wire = sample_wire(sample.clone(), Some("{}".to_owned()));
        assert_eq!(wire.becomes, "{}");
        assert_eq!(samples(vec![wire], &mut violations), Some(vec![sample]));
        assert!(violations.is_empty());
    }

    #[test]
    fn what_says_nothing_is_named() {
        let mut violations = Violations::new();
        let odd = admin::TransformRule {
            rule: None,
            dialects: vec![9],
        };
        assert_eq!(rules(vec![odd], &mut violations), None);
        assert_eq!(
            header_rules(vec![admin::HeaderRule::default()], &mut violations),
            None
        );
        assert_eq!(
            samples(vec![admin::TransformSample::default()], &mut violations),
            None
        );
        let fields: Vec<_> = violations
            .into_vec()
            .into_iter()
            .map(|it| it.field)
            .collect();
        assert_eq!(
            fields,
            [
                "model_version.transform_rules[0].dialects[0]",
                "model_version.transform_rules[0].rule",
                "model_version.header_rules[0].rule",
                "model_version.samples[0].dialect",
            ]
        );
    }
}
