//! An organization: the tenant that pays.

use crate::{audit_access::AuditAccess, calendar::Zone, id::OrganizationId};

/// An organization, as edges know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// The last segment of its name.
    pub name: String,
    /// Where its days, weeks and months begin.
    pub zone: Zone,
    /// Which decisions about its requests are told to the audit trail.
    pub audit_access: AuditAccess,
}
