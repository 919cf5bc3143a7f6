//! What must be true of a role of an organization's own.
//!
//! Knows the table of permissions and which of them are an organization's; who may make such a role is judged by what they hold.

use std::fmt;

use crate::{
    access::{Permission, Permissions, Role},
    segment::{InvalidSegment, Slug},
    violation::Violations,
};

/// Why a text is no id of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidRoleId {
    /// It is no id of anything.
    Segment(InvalidSegment),
    /// A role of everybody's is called so.
    BuiltIn,
}

/// The id of a role: one that nobody takes for one of everybody's.
pub fn id(text: &str) -> Result<Slug, InvalidRoleId> {
    if Role::parse(text).is_some() {
        return Err(InvalidRoleId::BuiltIn);
    }
    Slug::parse(text).map_err(InvalidRoleId::Segment)
}

/// What a role is to hold, each permission once; what is wrong is added to `violations` under `field`.
pub fn permissions(field: &str, given: &[String], violations: &mut Violations) -> Permissions {
    let most = Permission::ALL.len();
    if !(1..=most).contains(&given.len()) {
        violations.add(field, format!("must hold 1 to {most} permissions"));
        return Permissions::default();
    }
    let mut read = Vec::with_capacity(given.len());
    for (at, word) in given.iter().enumerate() {
        let field = format!("{field}[{at}]");
        match Permission::parse(word) {
            None => violations.add(
                field,
                "is no permission; `sluice roles permissions` shows all of them",
            ),
            Some(it) if !it.is_of_an_organization() => violations.add(
                field,
                "is not an organization's: only a role that is built in, bound to everything, holds it",
            ),
            Some(it) if read.contains(&it) => violations.add(field, "is there already"),
            Some(it) => read.push(it),
        }
    }
    Permissions::all_of(read)
}

impl fmt::Display for InvalidRoleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment(why) => why.fmt(f),
            Self::BuiltIn => {
                f.write_str("is the name of a role that is built in; take another one")
            }
        }
    }
}

impl std::error::Error for InvalidRoleId {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::{METHODS, Need};

    #[test]
    fn what_no_method_asks_for_in_an_organization_is_in_no_role_of_one() {
        for permission in Permission::ALL {
            let asked = METHODS.iter().any(|(_, need)| match need {
                Need::In(needed, field) => needed == permission && !field.is_empty(),
                Need::Operator | Need::Nothing => false,
            });
            assert_eq!(permission.is_of_an_organization(), asked, "{permission:?}");
        }
    }

    #[test]
    fn each_permission_that_is_wrong_is_named() {
        let read = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|it| (*it).to_owned()).collect();
            let mut violations = Violations::new();
            let read = permissions("role.permissions", &words, &mut violations);
            let fields: Vec<String> = violations
                .into_vec()
                .into_iter()
                .map(|it| it.field)
                .collect();
            (read, fields)
        };
        let (held, wrong) = read(&["keys.read", "usage.read"]);
        assert!(held.is_whole() && wrong.is_empty());
        assert_eq!(
            held.known().collect::<Vec<_>>(),
            [Permission::KeysRead, Permission::UsageRead]
        );
        for word in [
            "keys",
            "edges.read",
            "organizations.create",
            "keys.read",
            "",
        ] {
            let (_, wrong) = read(&["keys.read", word]);
            assert_eq!(wrong, ["role.permissions[1]"], "{word}");
        }
        for words in [&[][..], &["keys.read"; 40]] {
            let (held, wrong) = read(words);
            assert_eq!((held.is_whole(), wrong.len()), (false, 1));
        }
    }

    #[test]
    fn nobody_takes_a_role_for_one_that_is_built_in() {
        assert!(id("triage").is_ok());
        assert_eq!(id("owner"), Err(InvalidRoleId::BuiltIn));
        assert!(matches!(id("Triage"), Err(InvalidRoleId::Segment(_))));
    }
}
