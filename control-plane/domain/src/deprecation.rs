//! When a model or a version is no longer to be used, and what is to be used instead.
//!
//! Pure. What is named as a successor must be of the same organization; whether it stands the store knows.

use std::fmt;

use policy::deprecation as told;

use crate::{
    name::{InvalidName, ModelName, VersionName},
    segment::Slug,
    violation::Violations,
};

/// What takes the place of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Successor {
    /// A model.
    Model(ModelName),
    /// A version of one.
    Version(VersionName),
}

/// When something is no longer to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deprecation {
    /// From when nothing new is to use it, milliseconds since 1970.
    pub from_ms: u64,
    /// From when nothing may use it; `None`: that is not known yet.
    pub sunset_ms: Option<u64>,
    /// What is to be used instead, if anything is.
    pub successor: Option<Successor>,
}

/// A deprecation as an operator writes it.
#[derive(Debug, Clone, Default)]
pub struct Asked<'a> {
    /// From when; `None` where that is no moment.
    pub from_ms: Option<u64>,
    /// Its end, where one is given: `None` where that is no moment.
    pub sunset_ms: Option<Option<u64>>,
    /// What is to be used instead, by its name; may be empty.
    pub successor: &'a str,
}

/// Checks the deprecation of what is called `name` in this organization.
pub fn check(
    organization: &Slug,
    name: &str,
    asked: &Asked<'_>,
) -> Result<Deprecation, Violations> {
    let mut violations = Violations::new();
    if asked.from_ms.is_none() {
        let why = "is required, and must be a moment between 1970 and 9999";
        violations.add("deprecation.deprecate_time", why);
    }
    let from_ms = asked.from_ms.unwrap_or(0);
    if asked
        .sunset_ms
        .is_some_and(|it| it.is_none_or(|it| it < from_ms))
    {
        let why = "must be a moment, and not before `deprecate_time`";
        violations.add("deprecation.sunset_time", why);
    }
    let field = "deprecation.successor";
    let successor = match asked.successor {
        "" => None,
        text => violations.take(field, Successor::parse(text)),
    };
    if let Some(it) = &successor {
        if it.organization() != organization {
            violations.add(field, "must be of the same organization");
        }
        if it.to_string() == name {
            violations.add(field, "must be something else");
        }
    }
    violations.done()?;
    Ok(Deprecation {
        from_ms,
        sunset_ms: asked.sunset_ms.flatten(),
        successor,
    })
}

// === impl Successor ===

impl Successor {
    /// Reads the name of a model or of a version.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        match text.split('/').count() {
            6 => VersionName::parse(text).map(Self::Version),
            _ => ModelName::parse(text).map(Self::Model),
        }
    }

    /// As clients name it: `model` or `model@version`.
    pub fn told(&self) -> String {
        match self {
            Self::Model(name) => name.model.to_string(),
            Self::Version(name) => format!("{}@{}", name.model, name.version),
        }
    }

    fn organization(&self) -> &Slug {
        match self {
            Self::Model(name) => &name.organization,
            Self::Version(name) => &name.organization,
        }
    }
}

impl fmt::Display for Successor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(name) => name.fmt(f),
            Self::Version(name) => name.fmt(f),
        }
    }
}

// === impl Deprecation ===

impl Deprecation {
    /// As edges hear of it, to the second: never over before its time.
    pub fn policy(&self) -> told::Deprecation {
        let successor = self.successor.as_ref();
        told::Deprecation {
            from_seconds: self.from_ms / 1_000,
            sunset_seconds: self.sunset_ms.map(|it| it.div_ceil(1_000)),
            successor: successor.map(Successor::told).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = "organizations/acme/models/chat";

    fn checked(asked: &Asked<'_>) -> Result<Deprecation, Vec<String>> {
        let acme = Slug::parse("acme").unwrap();
        check(&acme, CHAT, asked).map_err(|it| {
            let violations = it.into_vec().into_iter();
            violations.map(|it| it.field).collect()
        })
    }

    #[test]
    fn it_ends_after_it_begins_and_names_something_else_of_its_organization() {
        let asked = Asked {
            from_ms: Some(1_500),
            sunset_ms: Some(Some(2_001)),
            successor: "organizations/acme/models/chat-2",
        };
        let policy = checked(&asked).unwrap().policy();
        assert_eq!((policy.from_seconds, policy.sunset_seconds), (1, Some(3)));
        assert_eq!(policy.successor, "chat-2");
        let version = format!("{CHAT}/versions/v2");
        let asked = |successor| Asked {
            successor,
            ..asked.clone()
        };
        assert_eq!(
            checked(&asked(&version)).unwrap().policy().successor,
            "chat@v2"
        );
        for wrong in [CHAT, "organizations/evil/models/chat", "chat-2"] {
            assert_eq!(
                checked(&asked(wrong)),
                Err(vec!["deprecation.successor".to_owned()])
            );
        }
    }

    #[test]
    fn moments_that_are_none_are_named() {
        let open = Asked {
            from_ms: Some(5),
            ..Asked::default()
        };
        assert_eq!(checked(&open).unwrap().sunset_ms, None);
        for sunset_ms in [Some(4), None] {
            let asked = Asked {
                sunset_ms: Some(sunset_ms),
                ..open.clone()
            };
            assert_eq!(
                checked(&asked),
                Err(vec!["deprecation.sunset_time".to_owned()])
            );
        }
        let nothing = checked(&Asked::default());
        assert_eq!(nothing, Err(vec!["deprecation.deprecate_time".to_owned()]));
    }
}
