//! A project: a team's workspace in an organization.

use crate::id::{OrganizationId, ProjectId};

/// A project, as edges know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The last segment of its name.
    pub name: String,
}
