//! Local users between the wire and the store: what is wanted, what changes, what is shown.

use std::mem;

use domain::{
    access::Bindings,
    local_user::{self, BINDINGS_MAX, Checked},
    name::LocalUserName,
    segment::Slug,
    violation::Violations,
};
use proto::admin;
use store::local_user::Row;
use uuid::Uuid;

use crate::api::{
    desk,
    mask::{Field, Mask, Update},
    moment, operator_key_wire, span,
};

/// The path of what one may do.
pub(crate) const BINDINGS: &str = "local_user.bindings";

/// A local user as they are wanted, checked.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Their name.
    pub(crate) name: LocalUserName,
    /// All else.
    pub(crate) checked: Checked,
}

/// An update of one, checked as far as it can be without the user.
#[derive(Debug)]
pub(crate) struct Change {
    /// Whom.
    pub(crate) name: LocalUserName,
    /// The guard of the write.
    pub(crate) etag: String,
    display_name: Update<String>,
    bindings: Update<Bindings>,
    lifetime_ms: Update<u64>,
    disabled: Update<bool>,
}

/// Reads a request for a new one.
pub(crate) fn wanted(asked: admin::CreateLocalUserRequest) -> Result<Wanted, Violations> {
    let given = desk::required(asked.local_user, "local_user")?;
    let mut violations = Violations::new();
    let parent = violations.take("parent", desk::keeper(&asked.parent));
    let organization = parent.map(|it| it.map(|it| it.organization));
    let id = violations.take("local_user_id", Slug::parse(&asked.local_user_id));
    let keeper = organization.as_ref().and_then(Option::as_ref);
    let checked = checked(&given, keeper, &mut violations);
    if given.bindings.is_empty() {
        violations.add(BINDINGS, "must hold one at least");
    }
    match (organization, id, checked, violations.is_empty()) {
        (Some(organization), Some(local_user), Some(checked), true) => Ok(Wanted {
            name: LocalUserName {
                organization,
                local_user,
            },
            checked,
        }),
        _ => Err(violations),
    }
}

/// The user as they are shown.
pub(crate) fn wire(row: Row) -> admin::LocalUser {
    admin::LocalUser {
        name: row.name.to_string(),
        uid: Uuid::from_bytes(row.id).simple().to_string(),
        etag: row.etag(),
        display_name: row.checked.display_name,
        create_time: Some(moment::to_wire(row.created_at)),
        update_time: Some(moment::to_wire(row.updated_at)),
        bindings: operator_key_wire::shown(row.checked.bindings),
        lifetime: Some(span::to_wire(row.checked.lifetime_ms)),
        disabled: row.checked.disabled,
        activate_until: row.activates_until.map(moment::to_wire),
        password_time: row.password_changed_at.map(moment::to_wire),
        login_time: row.logged_in_at.map(moment::to_wire),
    }
}

fn checked(
    given: &admin::LocalUser,
    keeper: Option<&Slug>,
    violations: &mut Violations,
) -> Option<Checked> {
    let display_name = local_user::display_name(&given.display_name, violations);
    let lifetime = given.lifetime.map(span::millis).transpose();
    let lifetime_ms = violations.take("local_user.lifetime", lifetime)?;
    let lifetime_ms = local_user::lifetime(lifetime_ms, violations);
    let most = (BINDINGS, BINDINGS_MAX);
    let bindings = operator_key_wire::bindings(most, &given.bindings, keeper, violations);
    Some(Checked {
        display_name: display_name?,
        bindings,
        lifetime_ms: lifetime_ms?,
        disabled: given.disabled,
    })
}

// === impl Change ===

impl Change {
    /// Reads a request for an update.
    pub(crate) fn read(asked: admin::UpdateLocalUserRequest) -> Result<Self, Violations> {
        let given = desk::required(asked.local_user, "local_user")?;
        let fields = [
            Field::changes("display_name", !given.display_name.is_empty()),
            Field::changes("bindings", !given.bindings.is_empty()),
            Field::changes("lifetime", given.lifetime.is_some()),
            Field::changes("disabled", given.disabled),
            Field::output("activate_until"),
            Field::output("password_time"),
            Field::output("login_time"),
        ];
        let mut violations = Violations::new();
        let mask = Mask::read(asked.update_mask, &fields, &mut violations);
        let name = violations.take("local_user.name", LocalUserName::parse(&given.name));
        let keeper = name.as_ref().and_then(|it| it.organization.as_ref());
        let checked = checked(&given, keeper, &mut violations);
        let (Some(mask), Some(name), Some(checked), true) =
            (mask, name, checked, violations.is_empty())
        else {
            return Err(violations);
        };
        let bindings = mask.pick("bindings", checked.bindings);
        if matches!(&bindings, Update::Set(to) if to.0.is_empty()) {
            violations.add(
                BINDINGS,
                "must hold one at least: disable them to let them in no more",
            );
            return Err(violations);
        }
        Ok(Self {
            name,
            etag: given.etag,
            display_name: mask.pick("display_name", checked.display_name),
            bindings,
            lifetime_ms: mask.pick("lifetime", checked.lifetime_ms),
            disabled: mask.pick("disabled", checked.disabled),
        })
    }

    /// Makes the change.
    pub(crate) fn apply(self, row: &mut Row) {
        let it = &mut row.checked;
        it.display_name = self.display_name.or(mem::take(&mut it.display_name));
        it.bindings = self.bindings.or(mem::take(&mut it.bindings));
        it.lifetime_ms = self.lifetime_ms.or(it.lifetime_ms);
        it.disabled = self.disabled.or(it.disabled);
    }
}
