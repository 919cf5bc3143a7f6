//! Why rules cannot be used, or a payload cannot be transformed.
//!
//! Tells whose fault it is: a payload is the client's, everything else is that of whoever wrote the rules.

use std::fmt;

use crate::{jq, object::Misfit};

/// Why there is no transform, or no transformed payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// There are more rules than [`crate::transform::RULES_MAX`].
    TooManyRules,
    /// There are more programs than [`crate::transform::PROGRAMS_MAX`].
    TooManyPrograms,
    /// A rule cannot be used.
    Rule {
        /// Which, from 0.
        index: usize,
        /// Why, and what to do.
        why: String,
    },
    /// The payload is not what the rules are for: the client's own error.
    Payload(Misfit),
    /// The program of a rule gave no payload.
    Program {
        /// Which rule, from 0.
        index: usize,
        /// Why.
        fault: jq::Fault,
    },
    /// A sample does not become what it should.
    Sample {
        /// Which, from 0.
        index: usize,
        /// Why.
        why: String,
    },
}

// === impl Fault ===

impl Fault {
    /// Whether the client can do something about it.
    pub const fn is_clients(&self) -> bool {
        matches!(self, Self::Payload(_))
    }
}

impl From<Misfit> for Fault {
    fn from(misfit: Misfit) -> Self {
        Self::Payload(misfit)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyRules => f.write_str("there are too many rules"),
            Self::TooManyPrograms => f.write_str("there are too many programs: join some of them"),
            Self::Rule { index, why } => write!(f, "rules[{index}]: {why}"),
            Self::Payload(misfit) => misfit.fmt(f),
            Self::Program { index, fault } => write!(f, "rules[{index}]: {fault}"),
            Self::Sample { index, why } => write!(f, "samples[{index}]: {why}"),
        }
    }
}

impl std::error::Error for Fault {}
