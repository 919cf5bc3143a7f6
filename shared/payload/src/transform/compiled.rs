//! Rules that were checked, and what they make of a payload.
//!
//! Owns the bounds on rules. Every rule finds the payload as the one before it left it; each that changes something costs
//! one copy of it.

use std::borrow::Cow;

use crate::{
    family::Family,
    jq::Program,
    json::{self, DEPTH_MAX},
    object::Misfit,
    transform::{
        fault::Fault,
        instruction,
        path::Path,
        rule::Rule,
        splice::{self, Bounds, Changed, End},
    },
    value::Json,
};

/// The most rules of one transform. Full: it is refused.
pub const RULES_MAX: usize = 64;

/// The most bytes of a value in a rule. Full: the rule is refused.
pub const VALUE_BYTES_MAX: usize = 64 << 10;

/// The most bytes of instructions in a rule. Full: the rule is refused.
pub const TEXT_BYTES_MAX: usize = 64 << 10;

/// How deep a value in a rule may be, so that it is not too deep wherever a path leads.
const VALUE_DEPTH_MAX: u32 = DEPTH_MAX / 2;

/// Rules that can be applied.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transform {
    acts: Vec<Act>,
}

/// A payload that a version was given to be tried with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample<'a> {
    /// Its dialect.
    pub family: Family,
    /// The payload.
    pub body: &'a str,
    /// What it must become, byte for byte; absent if it must only become something.
    pub becomes: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq)]
enum Act {
    Set(Path, Json),
    Default(Path, Json),
    Clamp(Path, Bounds),
    Rename(Path, Path),
    Remove(Path),
    Instruct(End, String),
    Run(Program),
}

// === impl Transform ===

impl Transform {
    /// Checks rules, all that can be known without a payload.
    pub fn compile(rules: &[Rule]) -> Result<Self, Fault> {
        if rules.len() > RULES_MAX {
            return Err(Fault::TooManyRules);
        }
        let acts = rules
            .iter()
            .enumerate()
            .map(|(index, rule)| Act::of(rule).map_err(|why| Fault::Rule { index, why }));
        Ok(Self {
            acts: acts.collect::<Result<_, _>>()?,
        })
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.acts.is_empty()
    }

    /// What the rules make of a body in this dialect.
    pub fn apply(&self, family: Family, body: &[u8]) -> Result<Vec<u8>, Fault> {
        let text = str::from_utf8(body).map_err(|_| Misfit::new("must be text in UTF-8"))?;
        json::members(text, |_, _| Ok::<_, json::Fault>(()))
            .map_err(|fault| Misfit::new(format!("must be one JSON object: {fault}")))?;
        let mut text = Cow::Borrowed(text);
        for (index, act) in self.acts.iter().enumerate() {
            let changed = match act {
                Act::Run(program) => {
                    Some(run(program, &text).map_err(|fault| Fault::Program { index, fault })?)
                }
                act => act.splice(family, &text)?,
            };
            if let Some(changed) = changed {
                text = Cow::Owned(changed);
            }
        }
        Ok(text.into_owned().into_bytes())
    }

    /// Tries the rules with sample payloads.
    pub fn check(&self, samples: &[Sample<'_>]) -> Result<(), Fault> {
        for (index, sample) in samples.iter().enumerate() {
            let became = self.apply(sample.family, sample.body.as_bytes());
            let why = match (became, sample.becomes) {
                (Err(fault), _) => fault.to_string(),
                (Ok(became), Some(becomes)) if became != becomes.as_bytes() => {
                    format!("becomes {}", String::from_utf8_lossy(&became))
                }
                (Ok(_), _) => continue,
            };
            return Err(Fault::Sample { index, why });
        }
        Ok(())
    }
}

/// The payload that a program gives, which must be an object.
fn run(program: &Program, text: &str) -> Result<String, crate::jq::Fault> {
    let output = program.run(text.as_bytes())?;
    let output = String::from_utf8(output).unwrap_or_default();
    if output.starts_with('{') {
        return Ok(output);
    }
    Err(crate::jq::Fault::Raised(
        "the output is not an object".to_owned(),
    ))
}

// === impl Act ===

impl Act {
    fn of(rule: &Rule) -> Result<Self, String> {
        Ok(match rule {
            Rule::Set { path, value } => Self::Set(Path::parse(path)?, checked(value)?),
            Rule::Default { path, value } => Self::Default(Path::parse(path)?, checked(value)?),
            Rule::Clamp { path, min, max } => {
                Self::Clamp(Path::parse(path)?, bounds(min.as_ref(), max.as_ref())?)
            }
            Rule::Rename { from, to } => {
                let (from, to) = (Path::parse(from)?, Path::parse(to)?);
                if from.member().is_none() || to.member().is_none() {
                    return Err(
                        "only members have names: elements of arrays cannot be renamed".to_owned(),
                    );
                }
                if from.steps().starts_with(to.steps()) || to.steps().starts_with(from.steps()) {
                    return Err("one of the paths leads through the other".to_owned());
                }
                Self::Rename(from, to)
            }
            Rule::Remove { path } => Self::Remove(Path::parse(path)?),
            Rule::PrependSystem(words) => Self::Instruct(End::Front, instructions(words)?),
            Rule::AppendSystem(words) => Self::Instruct(End::Back, instructions(words)?),
            Rule::Jq(program) => {
                Self::Run(Program::compile(program).map_err(|fault| fault.to_string())?)
            }
        })
    }

    fn splice(&self, family: Family, text: &str) -> Changed {
        match self {
            Self::Set(path, value) => splice::set(text, path.steps(), value.as_str(), false),
            Self::Default(path, value) => splice::set(text, path.steps(), value.as_str(), true),
            Self::Clamp(path, bounds) => splice::clamp(text, path, bounds),
            Self::Rename(from, to) => splice::rename(text, from, to),
            Self::Remove(path) => splice::remove(text, path.steps()),
            Self::Instruct(end, words) => instruction::add(text, family, *end, words),
            Self::Run(_) => Ok(None),
        }
    }
}

fn checked(value: &Json) -> Result<Json, String> {
    let raw = value.as_str().trim_ascii();
    if raw.len() > VALUE_BYTES_MAX {
        return Err(format!(
            "a value of more than {VALUE_BYTES_MAX} bytes is too long"
        ));
    }
    let depth = usize::try_from(DEPTH_MAX - VALUE_DEPTH_MAX).unwrap_or_default();
    let deeper = format!("{}{raw}{}", "[".repeat(depth), "]".repeat(depth));
    match json::value(&deeper, 0) {
        Ok(place) if place == (0..deeper.len()) && json::value(raw, 0) == Ok(0..raw.len()) => {
            Ok(Json::of(raw))
        }
        Err(json::Fault::TooDeep { .. }) => Err("the value is nested too deeply".to_owned()),
        _ => Err("the value is not JSON".to_owned()),
    }
}

fn bounds(min: Option<&Json>, max: Option<&Json>) -> Result<Bounds, String> {
    let bound = |bound: &Json| {
        let raw = bound.as_str();
        let is_number = json::value(raw, 0) == Ok(0..raw.len());
        match raw.parse::<f64>() {
            Ok(number) if is_number && number.is_finite() => Ok((number, raw.to_owned())),
            _ => Err("a bound must be a number".to_owned()),
        }
    };
    let (min, max) = (min.map(bound).transpose()?, max.map(bound).transpose()?);
    match (&min, &max) {
        (None, None) => Err("name a bound: min, max or both".to_owned()),
        (Some((min, _)), Some((max, _))) if min > max => Err("min is more than max".to_owned()),
        _ => Ok(Bounds { min, max }),
    }
}

fn instructions(words: &str) -> Result<String, String> {
    match words.len() {
        0 => Err("instructions must not be empty".to_owned()),
        1..=TEXT_BYTES_MAX => Ok(words.to_owned()),
        _ => Err(format!(
            "instructions of more than {TEXT_BYTES_MAX} bytes are too long"
        )),
    }
}
