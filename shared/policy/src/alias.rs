//! Other names of a model.
//!
//! Knows names and versions; what an alias opens is what its model does, and decided there.

use crate::id::VersionId;

/// The most aliases of an organization, and so of a model.
pub const ALIASES_MAX: usize = 200;

/// Another name by which clients may ask for a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// What clients ask for; no model of the organization has this name.
    pub name: String,
    /// The version for which it stands; `None`: whatever its model serves.
    pub version: Option<VersionId>,
}
