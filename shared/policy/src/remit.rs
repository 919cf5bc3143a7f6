//! Whose an object is, and which objects an edge may have.
//!
//! Owns that one question. What an edge says of itself counts for nothing: its remit is what it has proven.

use crate::{
    id::OrganizationId,
    region::{Audience, Region},
};

/// Whose an object is, for as long as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Owner {
    /// Nobody knows. An edge that serves one organization is not given it.
    #[default]
    Unknown,
    /// The whole installation's.
    Installation,
    /// One organization's.
    Organization(OrganizationId),
}

/// What an edge is there for: where it stands, and whom it serves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Remit {
    /// Its region.
    pub region: Region,
    /// The one organization that it serves; `None` means: every one.
    pub organization: Option<OrganizationId>,
}

// === impl Remit ===

impl Remit {
    /// That of an edge which serves everybody in its region.
    pub const fn of(region: Region) -> Self {
        Self {
            region,
            organization: None,
        }
    }

    /// Whether it may have an object of this owner that is for these regions.
    pub fn may_have(&self, owner: Owner, audience: &Audience) -> bool {
        self.serves(owner) && audience.includes(&self.region)
    }

    /// Whether it serves this owner.
    pub fn serves(&self, owner: Owner) -> bool {
        match (self.organization, owner) {
            (None, _) | (Some(_), Owner::Installation) => true,
            (Some(own), Owner::Organization(of)) => own == of,
            (Some(_), Owner::Unknown) => false,
        }
    }

    /// Whether it serves an organization.
    pub fn serves_organization(&self, organization: OrganizationId) -> bool {
        self.serves(Owner::Organization(organization))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_of_one_organization_has_that_ones_and_the_installations_objects_and_no_others() {
        let region = |name| Region::try_from(name).unwrap();
        let [ours, theirs] = [[1; 16], [2; 16]].map(OrganizationId::from_bytes);
        let owners = [
            Owner::Installation,
            Owner::Organization(ours),
            Owner::Organization(theirs),
            Owner::Unknown,
        ];
        let everybodys = Remit::of(region("eu"));
        let scoped = Remit {
            organization: Some(ours),
            ..everybodys.clone()
        };
        let (everywhere, elsewhere) = (Audience::everywhere(), Audience::only(vec![region("us")]));
        let had = |remit: &Remit, audience| owners.map(|owner| remit.may_have(owner, audience));
        assert_eq!(had(&everybodys, &everywhere), [true; 4]);
        assert_eq!(had(&scoped, &everywhere), [true, true, false, false]);
        assert_eq!(had(&everybodys, &elsewhere), [false; 4]);
        assert_eq!(had(&scoped, &elsewhere), [false; 4]);
    }
}
