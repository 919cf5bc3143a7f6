//! Roles of organizations' own between the wire and the store: what is wanted, what changes, what is shown.

use std::mem;

use domain::{
    access::{Permission, Permissions, Role},
    name::{OrganizationName, RoleName},
    role, text,
    violation::Violations,
};
use proto::admin;
use store::{
    id,
    role::{New, Row},
};
use uuid::Uuid;

use crate::api::{
    desk,
    mask::{Field, Mask, Update},
    moment,
};

const DISPLAY_NAME: &str = "role.display_name";
const PERMISSIONS: &str = "role.permissions";

/// An update of one, checked as far as it can be without the role.
#[derive(Debug)]
pub(crate) struct Change {
    /// Which.
    pub(crate) name: RoleName,
    /// The guard of the write.
    pub(crate) etag: String,
    display_name: Update<String>,
    permissions: Update<Permissions>,
}

/// Reads a request for a new one.
pub(crate) fn new(asked: admin::CreateRoleRequest) -> Result<New, Violations> {
    let given = desk::required(asked.role, "role")?;
    let mut violations = Violations::new();
    let parent = violations.take("parent", OrganizationName::parse(&asked.parent));
    let role = violations.take("role_id", role::id(&asked.role_id));
    let display_name = violations.take(DISPLAY_NAME, text::display_name(&given.display_name));
    let permissions = role::permissions(PERMISSIONS, &given.permissions, &mut violations);
    match (parent, role, display_name, violations.is_empty()) {
        (Some(OrganizationName { organization }), Some(role), Some(display_name), true) => {
            Ok(New {
                id: id::draw(),
                name: RoleName { organization, role },
                display_name,
                permissions,
            })
        }
        _ => Err(violations),
    }
}

/// The role as it is shown.
pub(crate) fn wire(row: Row) -> admin::Role {
    admin::Role {
        name: row.name.to_string(),
        uid: Uuid::from_bytes(row.id).simple().to_string(),
        etag: row.etag(),
        display_name: row.display_name,
        create_time: Some(moment::to_wire(row.created_at)),
        update_time: Some(moment::to_wire(row.updated_at)),
        permissions: row
            .permissions
            .known()
            .map(|it| it.word().to_owned())
            .collect(),
    }
}

/// A row of the table, as it is shown.
pub(crate) fn permission(it: Permission) -> admin::Permission {
    let holders = Role::ALL.iter().filter(|role| role.holds(it));
    admin::Permission {
        permission: it.word().to_owned(),
        description: it.sentence().to_owned(),
        roles: holders.map(|role| role.word().to_owned()).collect(),
        is_of_an_organization: it.is_of_an_organization(),
    }
}

// === impl Change ===

impl Change {
    /// Reads a request for an update.
    pub(crate) fn read(asked: admin::UpdateRoleRequest) -> Result<Self, Violations> {
        let given = desk::required(asked.role, "role")?;
        let fields = [
            Field::changes("display_name", !given.display_name.is_empty()),
            Field::changes("permissions", !given.permissions.is_empty()),
        ];
        let mut violations = Violations::new();
        let mask = Mask::read(asked.update_mask, &fields, &mut violations);
        let name = violations.take("role.name", RoleName::parse(&given.name));
        let display_name = violations.take(DISPLAY_NAME, text::display_name(&given.display_name));
        let mut permissions = Update::Kept;
        if let Some(mask) = &mask
            && let Update::Set(words) = mask.pick("permissions", &given.permissions)
        {
            permissions = Update::Set(role::permissions(PERMISSIONS, words, &mut violations));
        }
        let (Some(mask), Some(name), Some(display_name), true) =
            (mask, name, display_name, violations.is_empty())
        else {
            return Err(violations);
        };
        Ok(Self {
            name,
            etag: given.etag,
            display_name: mask.pick("display_name", display_name),
            permissions,
        })
    }

    /// Makes the change.
    pub(crate) fn apply(self, row: &mut Row) {
        row.display_name = self.display_name.or(mem::take(&mut row.display_name));
        row.permissions = self.permissions.or(mem::take(&mut row.permissions));
    }
}
