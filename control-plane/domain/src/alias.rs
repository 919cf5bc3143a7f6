//! What an alias of a model may be.
//!
//! Pure. Whether its model and its version stand, and whether its name is free, the store knows.

use crate::{name::ModelName, segment::Slug, violation::Violations};

/// What of its model an alias stands for. The numbers are those of the wire and of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Follows {
    /// Whatever the model serves.
    Model,
    /// The newest version that is not deprecated.
    Newest,
    /// The version with this id.
    Pinned(Slug),
}

/// The model for which an alias of this organization stands.
pub fn model(organization: &Slug, text: &str) -> Result<ModelName, String> {
    let model = ModelName::parse(text).map_err(|why| why.to_string())?;
    if model.organization == *organization {
        Ok(model)
    } else {
        Err("must be a model of the same organization".to_owned())
    }
}

/// What an alias stands for, by a number and the id of a version; zero says that the version tells.
pub fn follows(number: i32, version: &str) -> Result<Follows, Violations> {
    const VERSION: &str = "model_alias.version_id";
    let mut violations = Violations::new();
    let number = match (number, version) {
        (0, "") => 1,
        (0, _) => 3,
        (number, _) => number,
    };
    let follows = match (number, version) {
        (1, "") => Some(Follows::Model),
        (2, "") => Some(Follows::Newest),
        (1 | 2, _) => {
            violations.add(VERSION, "must be empty where no version is pinned");
            None
        }
        (3, "") => {
            violations.add(VERSION, "is required where a version is pinned");
            None
        }
        (3, id) => violations
            .take(VERSION, Slug::parse(id))
            .map(Follows::Pinned),
        _ => {
            let why = "must be model, newest or pinned";
            violations.add("model_alias.follows", why);
            None
        }
    };
    follows.ok_or(violations)
}

// === impl Follows ===

impl Follows {
    /// Its number.
    pub const fn number(&self) -> u8 {
        match self {
            Self::Model => 1,
            Self::Newest => 2,
            Self::Pinned(_) => 3,
        }
    }

    /// The version that is pinned, if one is.
    pub const fn pinned(&self) -> Option<&Slug> {
        match self {
            Self::Model | Self::Newest => None,
            Self::Pinned(version) => Some(version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_named_where_one_is_pinned_and_nowhere_else() {
        let pinned = Follows::Pinned(Slug::parse("v1").unwrap());
        assert_eq!(follows(0, "").unwrap(), Follows::Model);
        assert_eq!(follows(0, "v1").unwrap(), pinned);
        assert_eq!(follows(1, "").unwrap(), Follows::Model);
        assert_eq!(follows(2, "").unwrap(), Follows::Newest);
        assert_eq!(follows(3, "v1").unwrap(), pinned);
        for (number, version) in [(1, "v1"), (2, "v1"), (3, ""), (3, "V 1"), (4, ""), (-1, "")] {
            assert!(follows(number, version).is_err(), "{number} {version}");
        }
    }

    #[test]
    fn an_alias_stands_for_a_model_of_its_own_organization() {
        let acme = Slug::parse("acme").unwrap();
        assert!(model(&acme, "organizations/acme/models/chat").is_ok());
        for text in [
            "",
            "chat",
            "organizations/evil/models/chat",
            "organizations/acme/modelAliases/chat",
        ] {
            assert!(model(&acme, text).is_err(), "{text}");
        }
    }
}
