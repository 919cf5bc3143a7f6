//! All that a version changes: the rules of its bodies and of its headers, checked, and the text they were read from.
//!
//! Owns the bound on both together. Two recipes are the same when their texts are.

use std::fmt;

use crate::{
    object::Misfit,
    transform::{
        compiled::Transform,
        fault::Fault,
        headers::{HeaderRule, Headers},
        rule::Rule,
    },
};

/// The most bytes of both texts together. Full: the recipe is refused.
pub const RECIPE_BYTES_MAX: usize = 128 << 10;

/// What a version changes.
#[derive(Debug, Clone)]
pub struct Recipe {
    rules: Box<str>,
    header_rules: Box<str>,
    transform: Transform,
    headers: Headers,
}

/// Why there is no recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// The rules together are longer than [`RECIPE_BYTES_MAX`].
    TooLong,
    /// The text of the rules is none.
    Rules(Misfit),
    /// The text of the header rules is none.
    HeaderRules(Misfit),
    /// A rule cannot be used.
    Transform(Fault),
    /// A header rule cannot be used.
    Headers(Fault),
}

// === impl Recipe ===

impl Recipe {
    /// Checks rules. May take milliseconds for each program among them: not for the path of a request.
    pub fn compile(rules: &[Rule], header_rules: &[HeaderRule]) -> Result<Self, Unusable> {
        let texts = (Rule::write_all(rules), HeaderRule::write_all(header_rules));
        if texts.0.len() + texts.1.len() > RECIPE_BYTES_MAX {
            return Err(Unusable::TooLong);
        }
        Ok(Self {
            rules: texts.0.into(),
            header_rules: texts.1.into(),
            transform: Transform::compile(rules).map_err(Unusable::Transform)?,
            headers: Headers::compile(header_rules).map_err(Unusable::Headers)?,
        })
    }

    /// Reads and checks rules. An empty text is no rule.
    pub fn read(rules: &str, header_rules: &str) -> Result<Self, Unusable> {
        if rules.len() + header_rules.len() > RECIPE_BYTES_MAX {
            return Err(Unusable::TooLong);
        }
        let or_none = |text| if str::is_empty(text) { "[]" } else { text };
        let rules = Rule::parse_all(or_none(rules)).map_err(Unusable::Rules)?;
        let header_rules = HeaderRule::parse_all(or_none(header_rules));
        Self::compile(&rules, &header_rules.map_err(Unusable::HeaderRules)?)
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.transform.is_empty() && self.headers.is_empty()
    }

    /// The rules, as [`Rule::parse_all`] reads them.
    pub fn rules(&self) -> &str {
        &self.rules
    }

    /// The header rules, as [`HeaderRule::parse_all`] reads them.
    pub fn header_rules(&self) -> &str {
        &self.header_rules
    }

    /// What is done to bodies.
    pub const fn transform(&self) -> &Transform {
        &self.transform
    }

    /// What is done to headers.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }
}

impl PartialEq for Recipe {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules && self.header_rules == other.header_rules
    }
}

impl Eq for Recipe {}

// === impl Unusable ===

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(
                f,
                "the rules and header rules have more than {RECIPE_BYTES_MAX} bytes together"
            ),
            Self::Rules(misfit) => write!(f, "the text of the rules: {misfit}"),
            Self::HeaderRules(misfit) => write!(f, "the text of the header rules: {misfit}"),
            Self::Transform(fault) => fault.fmt(f),
            Self::Headers(fault) => write!(f, "header {fault}"),
        }
    }
}

impl std::error::Error for Unusable {}
