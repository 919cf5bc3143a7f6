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
        path::{Path, Step},
        rule::Rule,
        sample::Sample,
        splice::{self, Bounds, Changed, End},
    },
    value::Json,
};

/// The most rules of one transform. Full: it is refused.
pub const RULES_MAX: usize = 64;

/// The most programs among the rules of one transform. Full: it is refused.
pub const PROGRAMS_MAX: usize = 4;

/// The member that says the model. Whoever routed by it sends what it says: no rule may.
const MODEL: &str = "model";

/// The most bytes of a value in a rule. Full: the rule is refused.
pub const VALUE_BYTES_MAX: usize = 64 << 10;

/// The most bytes of instructions in a rule. Full: the rule is refused.
pub const TEXT_BYTES_MAX: usize = 64 << 10;

/// How much of what a sample became stands in an error, in bytes. Full: it is cut.
const SHOWN_BYTES_MAX: usize = 4 << 10;

/// How deep a value in a rule may be, so that it is not too deep wherever a path leads.
const VALUE_DEPTH_MAX: u32 = DEPTH_MAX / 2;

/// Rules that can be applied.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transform {
    acts: Vec<Act>,
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
    Only(Vec<Family>, Box<Self>),
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
        let transform = Self {
            acts: acts.collect::<Result<_, _>>()?,
        };
        if transform.acts.iter().filter(|act| act.runs()).count() > PROGRAMS_MAX {
            return Err(Fault::TooManyPrograms);
        }
        Ok(transform)
    }

    /// How many rules there are: each reads the payload, and most copy it.
    pub fn rules(&self) -> usize {
        self.acts.len()
    }

    /// Whether a program is among the rules.
    pub fn runs_programs(&self) -> bool {
        self.acts.iter().any(Act::runs)
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
            let Some(act) = act.of_family(family) else {
                continue;
            };
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

    /// Tries the rules with sample payloads, and says what each became.
    pub fn check(&self, samples: &[Sample<'_>]) -> Result<Vec<String>, Fault> {
        let tried = samples.iter().enumerate().map(|(index, sample)| {
            let became = self.apply(sample.family, sample.body.as_bytes());
            let became = became.map_err(|fault| fault.to_string());
            let became = became.map(|it| String::from_utf8(it).unwrap_or_default());
            match (became, sample.becomes) {
                (Err(why), _) => Err(Fault::Sample { index, why }),
                (Ok(became), Some(becomes)) if tight(&became) != tight(becomes) => {
                    let mut shown = became;
                    if shown.len() > SHOWN_BYTES_MAX {
                        shown.truncate(shown.floor_char_boundary(SHOWN_BYTES_MAX));
                        shown.push('…');
                    }
                    let why = format!("becomes {shown}");
                    Err(Fault::Sample { index, why })
                }
                (Ok(became), _) => Ok(became),
            }
        });
        tried.collect()
    }
}

/// The text without the white space between its tokens.
fn tight(text: &str) -> Vec<u8> {
    let (mut in_text, mut escaped) = (false, false);
    let mut tight = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        if !in_text && matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            continue;
        }
        in_text ^= byte == b'"' && !escaped;
        escaped = in_text && byte == b'\\' && !escaped;
        tight.push(byte);
    }
    tight
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
            Rule::Set { path, value } => Self::Set(open(path)?, checked(value)?),
            Rule::Default { path, value } => Self::Default(open(path)?, checked(value)?),
            Rule::Clamp { path, min, max } => {
                Self::Clamp(open(path)?, bounds(min.as_ref(), max.as_ref())?)
            }
            Rule::Rename { from, to } => {
                let (from, to) = (open(from)?, open(to)?);
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
            Rule::Remove { path } => Self::Remove(open(path)?),
            Rule::PrependSystem(words) => Self::Instruct(End::Front, instructions(words)?),
            Rule::AppendSystem(words) => Self::Instruct(End::Back, instructions(words)?),
            Rule::Jq(program) => {
                Self::Run(Program::compile(program).map_err(|fault| fault.to_string())?)
            }
            Rule::Only(families, rule) => match Self::of(rule)? {
                Self::Only(..) => return Err("name the dialects once".to_owned()),
                act => Self::Only(families.clone(), Box::new(act)),
            },
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
            Self::Run(_) | Self::Only(..) => Ok(None),
        }
    }

    /// What is to be done with a body of this family, if anything.
    fn of_family(&self, family: Family) -> Option<&Self> {
        match self {
            Self::Only(families, act) => families.contains(&family).then_some(act),
            act => Some(act),
        }
    }

    fn runs(&self) -> bool {
        match self {
            Self::Only(_, act) => act.runs(),
            act => matches!(act, Self::Run(_)),
        }
    }
}

/// A path that a rule may lead along.
fn open(text: &str) -> Result<Path, String> {
    let path = Path::parse(text)?;
    match path.steps().first() {
        Some(Step::Name(name)) if name.eq_ignore_ascii_case(MODEL) => {
            Err("the model is told by the targets of the version: no rule may name it".to_owned())
        }
        _ => Ok(path),
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
