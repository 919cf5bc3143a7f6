//! What claims mean here: the expressions of an issuer, compiled once and asked once for each token.
//!
//! An expression that has no result for a token refuses the token: what was meant to hold it back must not be passed over.

use policy::{glob::Glob, issuer, scope::PATTERNS_MAX};
use serde_json::{Map, Value};

use crate::expression::{Expression, InvalidExpression, Subject};

/// The longest end user, in bytes; what is longer is refused.
pub const END_USER_BYTES_MAX: usize = 255;

/// The expressions of an issuer.
#[derive(Debug, Default)]
pub struct Mapping {
    condition: Option<Expression>,
    project: Option<Expression>,
    end_user: Option<Expression>,
    models: Option<Expression>,
    request_tokens_max: Option<Expression>,
}

/// What the claims of one token mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapped {
    /// The name of the project, where an expression says it.
    pub project: Option<String>,
    /// For whom it asks, where an expression says it.
    pub end_user: Option<String>,
    /// Which models it may ask for; `None` means: as the issuer says.
    pub models: Option<Vec<Glob>>,
    /// The most tokens that one request may be expected to use.
    pub request_tokens_max: Option<u64>,
}

/// Why claims mean nothing here: the expression that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unmapped(pub &'static str);

/// The names of the expressions, as operators know them.
pub const CONDITION: &str = "condition";
/// The project's.
pub const PROJECT: &str = "project_expression";
/// The end user's.
pub const END_USER: &str = "end_user_expression";
/// The models'.
pub const MODELS: &str = "models_expression";
/// The bound's.
pub const REQUEST_TOKENS_MAX: &str = "request_tokens_max_expression";

// === impl Mapping ===

impl Mapping {
    /// Compiles the expressions; what is wrong is told with the name of the first that is.
    pub fn compile(texts: &issuer::Mapping) -> Result<Self, (&'static str, InvalidExpression)> {
        let one = |name, text: &str| match text {
            "" => Ok(None),
            text => Expression::compile(text)
                .map(Some)
                .map_err(|why| (name, why)),
        };
        Ok(Self {
            condition: one(CONDITION, &texts.condition)?,
            project: one(PROJECT, &texts.project)?,
            end_user: one(END_USER, &texts.end_user)?,
            models: one(MODELS, &texts.models)?,
            request_tokens_max: one(REQUEST_TOKENS_MAX, &texts.request_tokens_max)?,
        })
    }

    /// What these claims mean.
    pub fn apply(&self, claims: &Map<String, Value>) -> Result<Mapped, Unmapped> {
        let all = [
            &self.condition,
            &self.project,
            &self.end_user,
            &self.models,
            &self.request_tokens_max,
        ];
        if all.iter().all(|it| it.is_none()) {
            return Ok(Mapped::default());
        }
        let subject = Subject::of(claims).map_err(|_| Unmapped(CONDITION))?;
        if let Some(condition) = &self.condition
            && condition.is_true(&subject) != Ok(true)
        {
            return Err(Unmapped(CONDITION));
        }
        let text = |name, expression: &Option<Expression>| match expression {
            None => Ok(None),
            Some(it) => it.text(&subject).map_err(|_| Unmapped(name)),
        };
        let project = text(PROJECT, &self.project)?;
        if self.project.is_some() && project.is_none() {
            return Err(Unmapped(PROJECT));
        }
        let end_user = text(END_USER, &self.end_user)?;
        if end_user
            .as_ref()
            .is_some_and(|it| it.len() > END_USER_BYTES_MAX)
        {
            return Err(Unmapped(END_USER));
        }
        let models = match &self.models {
            None => None,
            Some(it) => it.texts(&subject).map_err(|_| Unmapped(MODELS))?,
        };
        let number = self.request_tokens_max.as_ref();
        let number = number.map(|it| it.number(&subject)).transpose();
        Ok(Mapped {
            project,
            end_user,
            models: models.map(|texts| globs(&texts)).transpose()?,
            request_tokens_max: number.map_err(|_| Unmapped(REQUEST_TOKENS_MAX))?.flatten(),
        })
    }
}

/// The patterns that a token names: some at least, and all of them patterns.
fn globs(texts: &[String]) -> Result<Vec<Glob>, Unmapped> {
    if texts.is_empty() || texts.len() > PATTERNS_MAX {
        return Err(Unmapped(MODELS));
    }
    let globs = texts.iter().map(|text| Glob::parse(text));
    globs
        .collect::<Result<_, _>>()
        .map_err(|_| Unmapped(MODELS))
}
