//! A project: a team's workspace in an organization.

use std::sync::Arc;

use crate::{
    guard::Guard,
    id::{OrganizationId, ProjectId},
    keeping::Keeping,
    pin::Pin,
    traffic::Traffic,
};

/// A project, as edges know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The last segment of its name.
    pub name: String,
    /// How its requests are treated where there is not room for all.
    pub traffic: Traffic,
    /// How old a secret of its keys may be and still work, milliseconds; `None` means: as old as it likes.
    pub key_age_max_ms: Option<u64>,
    /// The tags whose values policy says; `None` for none, as for most.
    pub pins: Option<Arc<Vec<Pin>>>,
    /// Of which requests content is kept.
    pub keeping: Keeping,
    /// What its clients may not prefer, and what it demands of providers; `None` for neither, as for most.
    pub guard: Option<Arc<Guard>>,
}
