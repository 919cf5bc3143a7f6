//! A key, as edges know it: never its text, only the tag that its text must produce.

use std::fmt;

use crate::{
    glob::Glob,
    id::{ModelId, OrganizationId, ProjectId},
    model::Model,
    revision::Revision,
    scope::Scope,
};

/// A key of a project.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// The public part of its text; safe to log.
    pub key_id: String,
    /// Whose it is.
    pub organization: OrganizationId,
    /// Which project's it is.
    pub project: ProjectId,
    /// HMAC-SHA-256(pepper, key id ‖ SHA-256(secret)).
    pub tag: [u8; 32],
    /// With which pepper the tag was made.
    pub pepper_version: u32,
    /// When the secret was made, milliseconds since 1970; zero means: nobody knows, and then it is older than any
    /// age that is allowed.
    pub secret_created_at_ms: u64,
    /// The secret before this one, while a rotation lets both work.
    pub previous: Option<Box<PreviousSecret>>,
    /// The models it may ask for, beside those of its scope; none in both means: all of the organization.
    pub models: Vec<ModelId>,
    /// Whether it is switched off for now.
    pub disabled: bool,
    /// What else it is held to; `None` means: nothing, as for most.
    pub scope: Option<Box<Scope>>,
    /// What its operators call it by, for tags; of what a token stands for, claims. `None` for none.
    pub labels: Option<Box<Labels>>,
    /// When it stops working, milliseconds since 1970; `None` means: never.
    pub expires_at_ms: Option<u64>,
    /// The configuration without which it makes no sense.
    pub config_revision: Revision,
}

/// Names and values.
pub type Labels = [(String, String)];

/// A secret that was replaced and works until a time.
#[derive(Clone, PartialEq, Eq)]
pub struct PreviousSecret {
    /// As the key's own.
    pub tag: [u8; 32],
    /// With which pepper the tag was made.
    pub pepper_version: u32,
    /// When it was made, milliseconds since 1970; zero means: nobody knows.
    pub created_at_ms: u64,
    /// When it stops working, milliseconds since 1970.
    pub expires_at_ms: u64,
}

impl Key {
    /// The value of the label of this name.
    pub fn label(&self, name: &str) -> Option<&str> {
        let mut labels = self.labels.as_deref()?.iter();
        labels.find(|it| it.0 == name).map(|it| it.1.as_str())
    }

    /// Whether it is held to no models.
    pub fn takes_all_models(&self) -> bool {
        self.is_open() && self.among().is_none()
    }

    /// Whether it may ask for this model, of its own organization.
    pub fn takes_model(&self, model: &Model) -> bool {
        let own = self.is_open()
            || self.models.contains(&model.id)
            || self.patterns().iter().any(|it| it.matches(&model.name));
        let among = self.among();
        own && among.is_none_or(|all| all.iter().any(|it| it.matches(&model.name)))
    }

    fn is_open(&self) -> bool {
        self.models.is_empty() && self.patterns().is_empty()
    }

    fn among(&self) -> Option<&[Glob]> {
        self.scope.as_ref()?.among.as_deref()
    }

    fn patterns(&self) -> &[Glob] {
        self.scope.as_ref().map_or(&[], |scope| &scope.models)
    }
}

impl fmt::Debug for PreviousSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreviousSecret")
            .field("expires_at_ms", &self.expires_at_ms)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The tag stays out: with the pepper it would let a reader test guesses.
        f.debug_struct("Key")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
