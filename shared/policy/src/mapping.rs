//! How a custom provider is asked and read: where its endpoint stands, and the programs that make and read its payloads.
//!
//! Owns the nouns. Programs are text here: what compiles and runs them must never be known to a rule.

/// A mapping, as edges know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// The method of a request.
    pub method: Method,
    /// What stands behind the base URL; [`MODEL`] in it is the provider's name for the model. May be empty.
    pub path: String,
    /// Headers of every request, in lower case; no name stands there twice.
    pub headers: Vec<(String, String)>,
    /// The header that takes the credential as it is; empty means: `authorization`, with `Bearer` before it.
    pub credential_header: String,
    /// Whether it answers as a chat model, too.
    pub chat: bool,
    /// Its programs.
    pub programs: Programs,
}

/// Programs in jq. An empty one leaves a payload as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    /// What the provider gets, of what the client sends.
    pub request: String,
    /// What the client gets, of what the provider answers.
    pub response: String,
    /// What went wrong, of an answer that is an error.
    pub error: String,
    /// What was used, of what the provider answers.
    pub usage: String,
}

/// The method of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
}

/// What stands for the provider's name for the model in a path.
pub const MODEL: &str = "{model}";

// === impl Method ===

impl Method {
    /// The method of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Post, Self::Put, Self::Patch]
            .into_iter()
            .find(|method| method.name() == name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}
