//! What can be said of an organization.

use clap::{Args, ValueEnum};
use proto::admin::{AuditAccess, Organization};

use crate::{
    admin::field::{Change, Mask, Wanted, Which},
    failure::Failure,
    session::Session,
};

/// Its fields.
#[derive(Debug, Clone, Args)]
pub struct Fields {
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Where its days, weeks and months begin, such as Europe/Berlin; UTC unless given
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Two tags by which its usage is summed together, such as team,feature; given for each pair, at most three
    #[arg(long = "tag-pair", value_name = "TAG,TAG")]
    tag_pairs: Vec<String>,
    /// Sum its usage by one tag at a time
    #[arg(long, conflicts_with = "tag_pairs")]
    no_tag_pairs: bool,
    /// Which decisions of edges about its requests the audit trail tells
    #[arg(long, value_name = "WHICH", value_enum)]
    audit_access: Option<Access>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Access {
    /// None
    None,
    /// Those that denied a key or a token what it asked for
    Denied,
    /// All: an entry for each request
    All,
}

impl Wanted for Fields {
    type Resource = Organization;

    fn wanted(self, _: &Session) -> Result<Organization, Failure> {
        Ok(Organization {
            display_name: self.display_name.unwrap_or_default(),
            time_zone: self.time_zone.unwrap_or_default(),
            tag_pairs: self.tag_pairs,
            audit_access: self.audit_access.map_or(0, Access::wire),
            ..Default::default()
        })
    }
}

impl Change for Fields {
    type Resource = Organization;

    fn change(&self, it: Which, _: &Session) -> Result<(Organization, Mask), Failure> {
        let mut mask = Mask::default();
        let display_name = mask.take("display_name", self.display_name.clone());
        let time_zone = mask.take("time_zone", self.time_zone.clone());
        let pairs = (!self.tag_pairs.is_empty()).then(|| self.tag_pairs.clone());
        let pairs = pairs.or(self.no_tag_pairs.then(Vec::new));
        let tag_pairs = mask.take("tag_pairs", pairs);
        let access = self.audit_access.map(Access::wire);
        let audit_access = mask.take("audit_access", access);
        Ok((
            Organization {
                audit_access,
                tag_pairs,
                time_zone,
                name: it.name,
                etag: it.etag,
                display_name,
                ..Default::default()
            },
            mask,
        ))
    }
}

// === impl Access ===

impl Access {
    fn wire(self) -> i32 {
        match self {
            Self::None => AuditAccess::None,
            Self::Denied => AuditAccess::Denied,
            Self::All => AuditAccess::All,
        }
        .into()
    }
}
