//! Operator keys between the wire and the store: what is wanted, what changes, what is shown.

use domain::{
    access::{Binding, Bindings, Bound, OwnRole, Permissions, Place, Role},
    key,
    name::{OperatorKeyName, OrganizationName, RoleName},
    segment::{KeyId, Slug},
    text,
    violation::Violations,
};
use prost_types::Timestamp;
use proto::admin;
use store::operator_key::{New, Row};

use crate::api::{
    desk,
    mask::{Field, Mask, Update},
    moment,
};

/// The path of what one may do, and the most of it.
const BINDINGS: (&str, usize) = ("operator_key.bindings", 64); // Full: the key is refused; an operator who needs more is bound higher up.

/// The path of the expiry.
pub(crate) const EXPIRE_TIME: &str = "operator_key.expire_time";

/// An operator key as it is wanted, checked.
#[derive(Debug)]
pub(crate) struct Wanted {
    organization: Option<Slug>,
    display_name: String,
    /// What it may do.
    pub(crate) bindings: Bindings,
    /// When it stops working, milliseconds since 1970.
    pub(crate) expires_ms: Option<u64>,
}

/// An update of one, checked as far as it can be without the key.
#[derive(Debug)]
pub(crate) struct Change {
    /// Which.
    pub(crate) name: OperatorKeyName,
    display_name: Update<String>,
    bindings: Update<Bindings>,
    expires_ms: Update<Option<u64>>,
}

/// Reads a request for a new one.
pub(crate) fn wanted(asked: admin::CreateOperatorKeyRequest) -> Result<Wanted, Violations> {
    let given = desk::required(asked.operator_key, "operator_key")?;
    let mut violations = Violations::new();
    let parent = violations.take("parent", desk::keeper(&asked.parent));
    let organization = parent.map(|it| it.map(|it| it.organization));
    let (display_name, expires_ms) = plain(&given, &mut violations);
    let keeper = organization.clone().flatten();
    let bindings = bindings(BINDINGS, &given.bindings, keeper.as_ref(), &mut violations);
    match (organization, display_name, violations.is_empty()) {
        (Some(organization), Some(display_name), true) => Ok(Wanted {
            organization,
            display_name,
            bindings,
            expires_ms,
        }),
        _ => Err(violations),
    }
}

/// The key as it is shown.
pub(crate) fn wire(row: Row) -> admin::OperatorKey {
    admin::OperatorKey {
        name: row.name.to_string(),
        display_name: row.display_name,
        bindings: shown(row.bindings),
        expire_time: row.expires_at.map(moment::to_wire),
        create_time: Some(moment::to_wire(row.created_at)),
        revoke_time: row.revoked_at.map(moment::to_wire),
        trust: row
            .given
            .as_ref()
            .map_or_else(String::new, |it| it.0.clone()),
        subject: row.given.map_or_else(String::new, |it| it.1),
    }
}

/// Roles as they are shown.
pub(crate) fn shown(bindings: Bindings) -> Vec<admin::RoleBinding> {
    let binding = |it: Binding| admin::RoleBinding {
        role: it.role.name(),
        scope: it.at.to_string(),
    };
    bindings.0.into_iter().map(binding).collect()
}

fn plain(given: &admin::OperatorKey, violations: &mut Violations) -> (Option<String>, Option<u64>) {
    let display_name = text::display_name(&given.display_name);
    let display_name = violations.take("operator_key.display_name", display_name);
    let expires = given
        .expire_time
        .as_ref()
        .map(|it: &Timestamp| moment::millis(it));
    let expires = expires.and_then(|read| violations.take(EXPIRE_TIME, read));
    (display_name, expires)
}

/// Reads the roles that stand in `field`, at most so many.
pub(crate) fn bindings(
    (field, most): (&str, usize),
    given: &[admin::RoleBinding],
    keeper: Option<&Slug>,
    violations: &mut Violations,
) -> Bindings {
    if given.len() > most {
        violations.add(field, format!("must hold at most {most}"));
        return Bindings::default();
    }
    let mut read = Vec::with_capacity(given.len());
    for (at, it) in given.iter().enumerate() {
        let field = format!("{field}[{at}]");
        let words = (it.role.as_str(), it.scope.as_str());
        read.extend(binding(&field, words, keeper, violations));
    }
    Bindings(read)
}

/// Reads a role and where it is held, which must be in the organization of `keeper` where there is one.
pub(crate) fn binding(
    field: &str,
    (role, scope): (&str, &str),
    keeper: Option<&Slug>,
    violations: &mut Violations,
) -> Option<Binding> {
    let role_field = format!("{field}.role");
    let role = violations.take(&role_field, bound(role));
    let field = format!("{field}.scope");
    // A place is written as it prints, so that nothing below it passes for it.
    let place = Place::of(scope).ok();
    let place = place.filter(|it| it.to_string() == scope);
    let place = violations.take(&field, place.ok_or(domain::access::InvalidPlace));
    let (role, at) = (role?, place?);
    let home = keeper.map(|organization| {
        let organization = organization.clone();
        Place::Organization(OrganizationName { organization })
    });
    if home.is_some_and(|home| !home.covers(&at)) {
        violations.add(field, "must be in the organization that keeps it");
        return None;
    }
    if let Bound::Own(role) = &role
        && !Place::Organization(role.name.parent()).covers(&at)
    {
        violations.add(role_field, "is of another organization than the scope");
        return None;
    }
    Some(Binding { role, at })
}

/// A role by its word or its name; what one of an organization's own holds is looked up where it is bound.
fn bound(text: &str) -> Result<Bound, String> {
    if let Some(role) = Role::parse(text) {
        return Ok(Bound::BuiltIn(role));
    }
    if let Ok(name) = RoleName::parse(text) {
        let permissions = Permissions::default();
        return Ok(Bound::Own(OwnRole { name, permissions }));
    }
    let words: Vec<&str> = Role::ALL.iter().map(|it| it.word()).collect();
    let (words, pattern) = (words.join(", "), RoleName::PATTERN);
    Err(format!("must be one of {words}, or `{pattern}`"))
}

// === impl Wanted ===

impl Wanted {
    /// The row to make, for the key that was minted.
    pub(crate) fn into_new(self, operator_key: KeyId, secret_sha256: [u8; 32]) -> New {
        New {
            name: OperatorKeyName {
                organization: self.organization,
                operator_key,
            },
            display_name: self.display_name,
            bindings: self.bindings,
            expires_at: self.expires_ms.and_then(|at| moment::from_millis(at).ok()),
            secret_sha256,
        }
    }
}

// === impl Change ===

impl Change {
    /// Reads a request for an update.
    pub(crate) fn read(asked: admin::UpdateOperatorKeyRequest) -> Result<Self, Violations> {
        let given = desk::required(asked.operator_key, "operator_key")?;
        let fields = [
            Field::changes("display_name", !given.display_name.is_empty()),
            Field::changes("bindings", !given.bindings.is_empty()),
            Field::changes("expire_time", given.expire_time.is_some()),
            Field::output("revoke_time"),
            Field::output("trust"),
            Field::output("subject"),
        ];
        let mut violations = Violations::new();
        let mask = Mask::read(asked.update_mask, &fields, &mut violations);
        let name = violations.take("operator_key.name", OperatorKeyName::parse(&given.name));
        let (display_name, expires_ms) = plain(&given, &mut violations);
        let keeper = name.as_ref().and_then(|it| it.organization.as_ref());
        let bindings = bindings(BINDINGS, &given.bindings, keeper, &mut violations);
        let (Some(mask), Some(name), Some(display_name), true) =
            (mask, name, display_name, violations.is_empty())
        else {
            return Err(violations);
        };
        Ok(Self {
            name,
            display_name: mask.pick("display_name", display_name),
            bindings: mask.pick("bindings", bindings),
            expires_ms: mask.pick("expire_time", expires_ms),
        })
    }

    /// Makes the change at `now_ms`.
    pub(crate) fn apply(self, row: &mut Row, now_ms: u64) -> Result<(), Violations> {
        row.display_name = self.display_name.or(std::mem::take(&mut row.display_name));
        row.bindings = self.bindings.or(std::mem::take(&mut row.bindings));
        let Update::Set(expires_ms) = self.expires_ms else {
            return Ok(());
        };
        if let Some(at_ms) = expires_ms {
            desk::named(EXPIRE_TIME, key::expire(at_ms, now_ms))?;
        }
        row.expires_at = expires_ms.and_then(|at| moment::from_millis(at).ok());
        Ok(())
    }
}
