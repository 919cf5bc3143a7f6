//! Where something stands: everywhere, in an organization, or in a project of it.
//!
//! Knows names and what covers what; knows nothing of who may do anything there.

use std::fmt;

use crate::{
    name::{OrganizationName, ProjectName},
    segment::Slug,
};

/// Where something stands, or to where a role is bound.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// Above all organizations.
    Everywhere,
    /// In an organization.
    Organization(OrganizationName),
    /// In a project.
    Project(ProjectName),
}

/// Why a text is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidPlace;

// === impl Place ===

impl Place {
    /// The place that a resource name stands in, or is. A name that says no organization stands everywhere; one that
    /// begins as if it said one, and does not, is no place.
    pub fn of(name: &str) -> Result<Self, InvalidPlace> {
        let mut parts = name.split('/');
        if parts.next() != Some("organizations") {
            return Ok(Self::Everywhere);
        }
        let slug = |text: Option<&str>| Slug::parse(text.unwrap_or_default());
        let organization = slug(parts.next()).map_err(|_| InvalidPlace)?;
        if parts.next() != Some("projects") {
            return Ok(Self::Organization(OrganizationName { organization }));
        }
        let project = slug(parts.next()).map_err(|_| InvalidPlace)?;
        Ok(Self::Project(ProjectName {
            organization,
            project,
        }))
    }

    /// Whether the other place is this one or stands in it.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everywhere, _) => true,
            (Self::Organization(one), Self::Organization(it)) => one == it,
            (Self::Organization(one), Self::Project(it)) => one.organization == it.organization,
            (Self::Project(one), Self::Project(it)) => one == it,
            _ => false,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere => Ok(()),
            Self::Organization(name) => name.fmt(f),
            Self::Project(name) => name.fmt(f),
        }
    }
}

// === impl InvalidPlace ===

impl fmt::Display for InvalidPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be empty, `organizations/{organization}` or `organizations/{organization}/projects/{project}`")
    }
}

impl std::error::Error for InvalidPlace {}
