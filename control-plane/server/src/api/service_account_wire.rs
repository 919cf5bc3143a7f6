//! Service accounts between the wire and the store: what is wanted, what changes, what is shown.

use std::mem;

use domain::{
    name::{ProjectName, ServiceAccountName},
    segment::Slug,
    text,
    violation::Violations,
};
use policy::revision::Revision;
use proto::admin;
use store::{
    id,
    service_account::{New, Row},
};
use uuid::Uuid;

use crate::api::{
    desk,
    mask::{Field, Mask, Update},
    moment,
};

const DISPLAY_NAME: &str = "service_account.display_name";

/// An update of one, checked as far as it can be without the account.
#[derive(Debug)]
pub(crate) struct Change {
    /// Which.
    pub(crate) name: ServiceAccountName,
    /// The guard of the write.
    pub(crate) etag: String,
    display_name: Update<String>,
    disabled: Update<bool>,
}

/// Reads a request for a new one.
pub(crate) fn new(asked: admin::CreateServiceAccountRequest) -> Result<New, Violations> {
    let given = desk::required(asked.service_account, "service_account")?;
    let mut violations = Violations::new();
    let parent = violations.take("parent", ProjectName::parse(&asked.parent));
    let id = Slug::parse(&asked.service_account_id);
    let id = violations.take("service_account_id", id);
    let display_name = violations.take(DISPLAY_NAME, text::display_name(&given.display_name));
    let (Some(parent), Some(service_account), Some(display_name)) = (parent, id, display_name)
    else {
        return Err(violations);
    };
    Ok(New {
        id: id::draw(),
        name: ServiceAccountName {
            organization: parent.organization,
            project: parent.project,
            service_account,
        },
        display_name,
        disabled: given.disabled,
    })
}

/// The account as it is shown after a write at this revision, or as it is read.
pub(crate) fn wire(row: Row, written: Revision) -> admin::ServiceAccount {
    admin::ServiceAccount {
        name: row.name.to_string(),
        uid: Uuid::from_bytes(row.id).simple().to_string(),
        etag: row.etag(),
        display_name: row.display_name,
        create_time: Some(moment::to_wire(row.created_at)),
        update_time: Some(moment::to_wire(row.updated_at)),
        revision: desk::latest(Revision(0), written),
        disabled: row.disabled,
    }
}

// === impl Change ===

impl Change {
    /// Reads a request for an update.
    pub(crate) fn read(asked: admin::UpdateServiceAccountRequest) -> Result<Self, Violations> {
        let given = desk::required(asked.service_account, "service_account")?;
        let fields = [
            Field::changes("display_name", !given.display_name.is_empty()),
            Field::changes("disabled", given.disabled),
        ];
        let mut violations = Violations::new();
        let mask = Mask::read(asked.update_mask, &fields, &mut violations);
        let name = ServiceAccountName::parse(&given.name);
        let name = violations.take("service_account.name", name);
        let display_name = violations.take(DISPLAY_NAME, text::display_name(&given.display_name));
        let (Some(mask), Some(name), Some(display_name)) = (mask, name, display_name) else {
            return Err(violations);
        };
        Ok(Self {
            name,
            etag: given.etag,
            display_name: mask.pick("display_name", display_name),
            disabled: mask.pick("disabled", given.disabled),
        })
    }

    /// Makes the change, and says whether it switches the account.
    pub(crate) fn apply(self, row: &mut Row) -> bool {
        row.display_name = self.display_name.or(mem::take(&mut row.display_name));
        let stood = row.disabled;
        row.disabled = self.disabled.or(stood);
        row.disabled != stood
    }
}
