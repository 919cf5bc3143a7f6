//! What must be true of the rules of a version, and of the payloads that they are tried with.
//!
//! Owns the bounds on samples. Compiles every rule and runs it over every sample, which may take seconds where programs
//! are long: not for a thread that serves others.

use std::sync::Arc;

use payload::{
    family::Family,
    object::Object,
    transform::{
        Fault, Recipe, Rule, Sample, Unusable,
        headers::{HEADERS_MAX, HeaderRule},
    },
};

use crate::violation::Violations;

/// The most samples of a version.
pub const SAMPLES_MAX: usize = 16;

/// The most bytes of the samples of a version, bodies and what they must become.
pub const SAMPLES_BYTES_MAX: usize = 256 << 10;

/// The most bytes of what the samples become, all together, so that a reply can hold them.
pub const BECOME_BYTES_MAX: usize = 1 << 20;

const RULES: &str = "model_version.transform_rules";
const HEADERS: &str = "model_version.header_rules";
const SAMPLES: &str = "model_version.samples";

/// A sample of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Its dialect.
    pub family: Family,
    /// The payload, JSON.
    pub body: String,
    /// What it must become; absent if it must only become something.
    pub expected: Option<String>,
}

/// Rules that work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The rules; `None` when there are none.
    pub recipe: Option<Arc<Recipe>>,
    /// The samples.
    pub samples: Vec<Tried>,
    /// What each of them became.
    pub becomes: Vec<String>,
}

/// Checks the rules of a version and tries them with its samples.
pub fn check(
    rules: &[Rule],
    header_rules: &[HeaderRule],
    samples: Vec<Tried>,
) -> Result<Checked, Violations> {
    let mut violations = Violations::new();
    let recipe = Recipe::compile(rules, header_rules);
    let recipe = recipe.map_err(|why| unusable(why, &mut violations)).ok();
    bound(&samples, &mut violations);
    let Some(recipe) = recipe.filter(|_| violations.is_empty()) else {
        return Err(violations);
    };
    let mut becomes = Vec::with_capacity(samples.len());
    let mut bytes_left = BECOME_BYTES_MAX;
    for (at, sample) in samples.iter().enumerate() {
        match sample.tried(&recipe, bytes_left) {
            Ok(became) => {
                bytes_left = bytes_left.saturating_sub(became.len());
                becomes.push(became);
            }
            // The first one that fails ends it: a program may have taken a second to.
            Err(why) => {
                violations.add(format!("{SAMPLES}[{at}]"), why);
                break;
            }
        }
    }
    violations.done()?;
    Ok(Checked {
        recipe: (!recipe.is_empty()).then(|| Arc::new(recipe)),
        samples,
        becomes,
    })
}

fn unusable(why: Unusable, violations: &mut Violations) {
    match why {
        Unusable::Transform(Fault::Rule { index, why }) => {
            violations.add(format!("{RULES}[{index}]"), why);
        }
        Unusable::Headers(Fault::Rule { index, why }) => {
            violations.add(format!("{HEADERS}[{index}]"), why);
        }
        Unusable::Headers(Fault::TooManyRules) => {
            violations.add(HEADERS, format!("must hold at most {HEADERS_MAX}"));
        }
        Unusable::Headers(_) | Unusable::HeaderRules(_) => {
            violations.add(HEADERS, why.to_string());
        }
        Unusable::TooLong | Unusable::Rules(_) | Unusable::Transform(_) => {
            violations.add(RULES, why.to_string());
        }
    }
}

fn bound(samples: &[Tried], violations: &mut Violations) {
    if samples.len() > SAMPLES_MAX {
        violations.add(SAMPLES, format!("must hold at most {SAMPLES_MAX}"));
    }
    let bytes: usize = samples
        .iter()
        .map(|it| it.body.len() + it.expected.as_ref().map_or(0, String::len))
        .sum();
    if bytes > SAMPLES_BYTES_MAX {
        let why = format!("must have at most {SAMPLES_BYTES_MAX} bytes together");
        violations.add(SAMPLES, why);
    }
}

// === impl Tried ===

impl Tried {
    /// The sample as a text can be written of it.
    pub fn sample(&self) -> Sample<'_> {
        Sample {
            family: self.family,
            body: &self.body,
            becomes: self.expected.as_deref(),
        }
    }

    /// What the rules make of it, or what is to be done.
    fn tried(&self, recipe: &Recipe, bytes_max: usize) -> Result<String, String> {
        let became = recipe.transform().check(&[self.sample()]);
        let became = became.map_err(|fault| match fault {
            Fault::Sample { why, .. } if why.starts_with("rules[") => format!("transform_{why}"),
            Fault::Sample { why, .. } => why,
            fault => fault.to_string(),
        })?;
        let became = became.into_iter().next().unwrap_or_default();
        if became.len() > bytes_max {
            return Err(format!(
                "with those before it becomes more than {BECOME_BYTES_MAX} bytes"
            ));
        }
        if model(&self.body) != model(&became) {
            return Err("becomes a body for another model: leave `model` as it is".to_owned());
        }
        Ok(became)
    }
}

/// What a body says of its model.
fn model(body: &str) -> Option<String> {
    let mut members = Object::parse(body).ok()?;
    members.raw("model").ok().flatten().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(body: &str, expected: Option<&str>) -> Tried {
        Tried {
            family: Family::Chat,
            body: body.to_owned(),
            expected: expected.map(str::to_owned),
        }
    }

    fn refused(rules: &str, samples: Vec<Tried>) -> (String, String) {
        let rules = Rule::parse_all(rules).unwrap();
        let violations = check(&rules, &[], samples).unwrap_err().into_vec();
        let [violation] = violations.as_slice() else {
            panic!("{violations:?}")
        };
        (violation.field.clone(), violation.description.clone())
    }

    #[test]
    fn rules_that_work_show_what_samples_become() {
        let rules = Rule::parse_all(r#"[{"set":{"path":"n","value":1}}]"#).unwrap();
        let samples = vec![sample(r#"{"model":"m"}"#, None)];
        let checked = check(&rules, &[], samples).unwrap();
        assert_eq!(checked.becomes, [r#"{"model":"m","n":1}"#]);
        assert!(checked.recipe.is_some());
        assert!(check(&[], &[], Vec::new()).unwrap().recipe.is_none());
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let set = r#"[{"set":{"path":"n","value":1}}]"#;
        for (rules, samples, field, says) in [
            (
                r#"[{"jq":"."},{"jq":"env"}]"#,
                Vec::new(),
                "model_version.transform_rules[1]",
                "line 1, column 1: there is no `env`",
            ),
            (
                set,
                vec![sample("{}", None), sample("{}", Some(r#"{"n": 2}"#))],
                "model_version.samples[1]",
                r#"becomes {"n":1}"#,
            ),
            (
                r#"[{"jq":"last(repeat(.))"}]"#,
                vec![sample("{}", None)],
                "model_version.samples[0]",
                "transform_rules[0]: the program took too many steps",
            ),
            (
                r#"[{"clamp":{"path":"t","max":1}}]"#,
                vec![sample(r#"{"t":"warm"}"#, None)],
                "model_version.samples[0]",
                "t must be a number",
            ),
            (
                r#"[{"jq":"del(.model)"}]"#,
                vec![sample(r#"{"model":"m"}"#, None)],
                "model_version.samples[0]",
                "becomes a body for another model: leave `model` as it is",
            ),
            (
                set,
                vec![sample("[", None)],
                "model_version.samples[0]",
                "the body must be one JSON object",
            ),
        ] {
            let found = refused(rules, samples);
            assert_eq!(found.0, field);
            assert!(found.1.starts_with(says), "{}", found.1);
        }
        let many = vec![sample("{}", None); SAMPLES_MAX + 1];
        assert_eq!(refused(set, many).0, SAMPLES);
        let long = sample(&" ".repeat(SAMPLES_BYTES_MAX + 1), None);
        assert_eq!(refused(set, vec![long]).0, SAMPLES);
        let grown = r#"[{"jq":"{a: (\"x\" * 2000000)}"}]"#;
        assert_eq!(
            refused(grown, vec![sample("{}", None)]).0,
            "model_version.samples[0]"
        );
    }
}
