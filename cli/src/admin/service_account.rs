//! What can be said of a service account.

use clap::Args;
use proto::admin::ServiceAccount;

use crate::{
    admin::field::{Change, Mask, Wanted, Which},
    failure::Failure,
    session::Session,
};

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct New {
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
}

/// A change of one.
#[derive(Debug, Clone, Args)]
pub struct Edit {
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Switch it off for now, and all its keys with it
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// Switch it on again; each of its keys is then as its own switch says
    #[arg(long)]
    enable: bool,
}

impl Wanted for New {
    type Resource = ServiceAccount;

    fn wanted(self, _: &Session) -> Result<ServiceAccount, Failure> {
        Ok(ServiceAccount {
            display_name: self.display_name.unwrap_or_default(),
            ..Default::default()
        })
    }
}

impl Change for Edit {
    type Resource = ServiceAccount;

    fn change(&self, it: Which, _: &Session) -> Result<(ServiceAccount, Mask), Failure> {
        let mut mask = Mask::default();
        let disabled = (self.disable || self.enable).then_some(self.disable);
        let account = ServiceAccount {
            name: it.name,
            etag: it.etag,
            display_name: mask.take("display_name", self.display_name.clone()),
            disabled: mask.take("disabled", disabled),
            ..Default::default()
        };
        Ok((account, mask))
    }
}
