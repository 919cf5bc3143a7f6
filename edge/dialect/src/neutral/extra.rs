//! What only one family understands, and what became of it.

use std::fmt;

use payload::{family::Family, value::Json};

/// A member that only its family understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra {
    /// Whose.
    pub family: Family,
    /// Its name, or its path where it stood deeper.
    pub name: String,
    /// Its value.
    pub value: Json,
}

/// What was left out because the other family has no place for it: paths such as `logit_bias`, in the order in
/// which they were met, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dropped {
    paths: Vec<String>,
}

/// What cannot be left out, because the answer would mean something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// What, as the client's dialect calls it, such as `messages[2].content[0]`.
    pub at: String,
    /// Why not, and what to do: `audio input is not understood by this model's API`.
    pub why: String,
}

/// How many paths are told. Full: the rest is dropped without its name.
pub const DROPPED_MAX: usize = 64;

// === impl Extra ===

impl Extra {
    /// A member of this family.
    pub fn new(family: Family, name: impl Into<String>, raw: &str) -> Self {
        Self {
            family,
            name: name.into(),
            value: Json::of(raw),
        }
    }
}

// === impl Dropped ===

impl Dropped {
    /// Notes that `path` was left out.
    pub fn note(&mut self, path: impl Into<String>) {
        let path = path.into();
        if self.paths.len() < DROPPED_MAX && !self.paths.contains(&path) {
            self.paths.push(path);
        }
    }

    /// The paths.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// Whether nothing was left out.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}

// === impl Unsupported ===

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.why)
    }
}

impl std::error::Error for Unsupported {}
