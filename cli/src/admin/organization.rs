//! What can be said of an organization.

use clap::Args;
use proto::admin::Organization;

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
}

impl Wanted for Fields {
    type Resource = Organization;

    fn wanted(self, _: &Session) -> Result<Organization, Failure> {
        Ok(Organization {
            display_name: self.display_name.unwrap_or_default(),
            time_zone: self.time_zone.unwrap_or_default(),
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
        Ok((
            Organization {
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
