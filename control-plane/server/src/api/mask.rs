//! Field masks: which fields of a noun an update changes.
//!
//! Knows the table that a noun's file gives it, and nothing of the noun. A path that cannot be changed is
//! refused by name; it is never skipped.

use std::fmt;

use domain::violation::Violations;
use prost_types::FieldMask;

/// One field of a noun, as an update may name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    name: &'static str,
    access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// May change; whether the request carries a value.
    Changes { filled: bool },
    /// May change, but only when the mask names it.
    ChangesByName { filled: bool },
    /// Is given at the start and stays.
    Fixed,
    /// Is set by the server.
    Output,
}

/// The fields that an update changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mask(Vec<&'static str>);

/// What an update does to one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Update<T> {
    /// Leaves it as it is.
    Kept,
    /// Gives it this value.
    Set(T),
}

/// Why a mask is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InvalidMask {
    /// No such field.
    Unknown(String),
    /// The field is given at the start and stays.
    Fixed(&'static str),
    /// The server sets the field.
    Output(&'static str),
    /// `*` stands beside other paths.
    NotAlone,
    /// The field has a value and is changed only by name, but is not named.
    Unnamed(&'static str),
}

/// What every noun has and no update changes.
pub(crate) const STANDARD: [Field; 6] = [
    Field::fixed("name"),
    Field::output("uid"),
    Field::fixed("etag"),
    Field::output("create_time"),
    Field::output("update_time"),
    Field::output("revision"),
];

// === impl Field ===

impl Field {
    /// A field that may change; `filled` says whether the request carries a value.
    pub(crate) const fn changes(name: &'static str, filled: bool) -> Self {
        Self {
            name,
            access: Access::Changes { filled },
        }
    }

    /// A field that changes only when the mask names it.
    pub(crate) const fn changes_by_name(name: &'static str, filled: bool) -> Self {
        Self {
            name,
            access: Access::ChangesByName { filled },
        }
    }

    /// A field that is given at the start and stays.
    pub(crate) const fn fixed(name: &'static str) -> Self {
        Self {
            name,
            access: Access::Fixed,
        }
    }

    /// A field that the server sets.
    pub(crate) const fn output(name: &'static str) -> Self {
        Self {
            name,
            access: Access::Output,
        }
    }
}

// === impl Mask ===

impl Mask {
    /// Reads a mask against the fields of a noun, [`STANDARD`] ones included by themselves. What is wrong
    /// with it is added to `violations`, and there is no mask then.
    pub(crate) fn read(
        mask: Option<FieldMask>,
        fields: &[Field],
        violations: &mut Violations,
    ) -> Option<Self> {
        match chosen(mask, fields) {
            Ok(chosen) => Some(Self(chosen)),
            Err(refused) => {
                for why in refused {
                    violations.add("update_mask", why.to_string());
                }
                None
            }
        }
    }

    /// What the update does to the field, for which the request carries this value.
    pub(crate) fn pick<T>(&self, name: &'static str, value: T) -> Update<T> {
        if self.0.contains(&name) {
            Update::Set(value)
        } else {
            Update::Kept
        }
    }
}

// === impl Update ===

impl<T> Update<T> {
    /// The value afterwards, where it was `kept` before.
    pub(crate) fn or(self, kept: T) -> T {
        match self {
            Self::Kept => kept,
            Self::Set(value) => value,
        }
    }
}

fn chosen(
    mask: Option<FieldMask>,
    fields: &[Field],
) -> Result<Vec<&'static str>, Vec<InvalidMask>> {
    let paths = mask.map(|mask| mask.paths).unwrap_or_default();
    let chosen = match paths.as_slice() {
        [] => implied(fields, false),
        [star] if star == "*" => implied(fields, true),
        paths => named(paths, fields)?,
    };
    let forgotten = |field: &&Field| {
        field.access == Access::ChangesByName { filled: true } && !chosen.contains(&field.name)
    };
    match fields.iter().find(forgotten) {
        Some(field) => Err(vec![InvalidMask::Unnamed(field.name)]),
        None => Ok(chosen),
    }
}

fn implied(fields: &[Field], all: bool) -> Vec<&'static str> {
    let changes =
        |field: &&Field| matches!(field.access, Access::Changes { filled } if filled || all);
    fields
        .iter()
        .filter(changes)
        .map(|field| field.name)
        .collect()
}

fn named(paths: &[String], fields: &[Field]) -> Result<Vec<&'static str>, Vec<InvalidMask>> {
    let mut chosen = Vec::new();
    let mut refused = Vec::new();
    for path in paths {
        let field = fields
            .iter()
            .chain(&STANDARD)
            .find(|field| field.name == path);
        match field.map(|field| (field.access, field.name)) {
            Some((Access::Changes { .. } | Access::ChangesByName { .. }, name)) => {
                chosen.push(name);
            }
            Some((Access::Fixed, name)) => refused.push(InvalidMask::Fixed(name)),
            Some((Access::Output, name)) => refused.push(InvalidMask::Output(name)),
            None if path == "*" => refused.push(InvalidMask::NotAlone),
            None => refused.push(InvalidMask::Unknown(path.clone())),
        }
    }
    if refused.is_empty() {
        Ok(chosen)
    } else {
        Err(refused)
    }
}

// === impl InvalidMask ===

impl fmt::Display for InvalidMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(path) => write!(f, "`{path}` is not a field that can be named here"),
            Self::Fixed(name) => write!(f, "`{name}` cannot change"),
            Self::Output(name) => write!(f, "`{name}` is set by the server"),
            Self::NotAlone => f.write_str("`*` must stand alone"),
            Self::Unnamed(name) => {
                write!(
                    f,
                    "`{name}` has a value but is changed only when it is named here"
                )
            }
        }
    }
}

impl std::error::Error for InvalidMask {}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [Field; 5] = [
        Field::changes("display_name", true),
        Field::changes("models", false),
        Field::changes_by_name("credential", false),
        Field::fixed("kind"),
        Field::output("state"),
    ];

    fn read(paths: &[&str]) -> Result<Vec<&'static str>, Vec<InvalidMask>> {
        let paths = paths.iter().map(ToString::to_string).collect();
        chosen(Some(FieldMask { paths }), &FIELDS)
    }

    #[test]
    fn an_absent_mask_means_every_field_that_is_not_empty() {
        assert_eq!(chosen(None, &FIELDS), Ok(vec!["display_name"]));
        assert_eq!(read(&[]), Ok(vec!["display_name"]));
    }

    #[test]
    fn a_star_means_all_that_can_change_but_must_stand_alone() {
        assert_eq!(read(&["*"]), Ok(vec!["display_name", "models"]));
        assert_eq!(read(&["models", "*"]), Err(vec![InvalidMask::NotAlone]));
    }

    #[test]
    fn a_named_field_changes_even_to_nothing() {
        let mask = Mask(read(&["models", "credential"]).unwrap());
        assert_eq!(mask.pick("models", Vec::<u8>::new()), Update::Set(vec![]));
        assert_eq!(mask.pick("credential", ""), Update::Set(""));
        assert_eq!(mask.pick("display_name", "Acme"), Update::Kept);
    }

    #[test]
    fn every_path_that_cannot_be_changed_is_named() {
        let refused = vec![
            InvalidMask::Unknown("colour".into()),
            InvalidMask::Fixed("kind"),
            InvalidMask::Output("state"),
            InvalidMask::Output("uid"),
            InvalidMask::Fixed("name"),
        ];
        let paths = ["colour", "kind", "models", "state", "uid", "name"];
        assert_eq!(read(&paths), Err(refused));

        let mut violations = Violations::new();
        let paths = paths.map(ToOwned::to_owned).to_vec();
        assert!(Mask::read(Some(FieldMask { paths }), &FIELDS, &mut violations).is_none());
        let violations = violations.into_vec();
        assert_eq!(violations.len(), 5);
        assert!(violations.iter().all(|it| it.field == "update_mask"));
        assert!(violations[0].description.contains("`colour`"));
    }

    #[test]
    fn a_value_that_only_its_name_changes_is_not_dropped_in_silence() {
        let fields = [Field::changes_by_name("credential", true)];
        let unnamed = Err(vec![InvalidMask::Unnamed("credential")]);
        assert_eq!(chosen(None, &fields), unnamed);
        let star = Some(FieldMask {
            paths: vec!["*".into()],
        });
        assert_eq!(chosen(star, &fields), unnamed);
        let named = Some(FieldMask {
            paths: vec!["credential".into()],
        });
        assert_eq!(chosen(named, &fields), Ok(vec!["credential"]));
    }
}
