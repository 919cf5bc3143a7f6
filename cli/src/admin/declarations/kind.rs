//! The kinds that can be declared, in the order in which they are made: each may name those before it.
//!
//! Knows which of their fields a file may name and what becomes of those that it does not; a test holds the table against
//! the contract.

use prost_reflect::DynamicMessage;

use crate::{
    admin::declarations::{
        names::{self, Misnamed},
        usual,
    },
    failure::Failure,
    noun::{self, Noun},
    place::Place,
};

/// A kind.
#[derive(Debug)]
pub struct Kind {
    /// What it is called in a file, as in `[[project]]`.
    pub word: &'static str,
    /// How it is called on the wire.
    pub noun: &'static Noun,
    /// What a file may say of one.
    pub fields: &'static [(&'static str, Access)],
    /// Its form with all that is usual in it.
    pub usual: fn(&DynamicMessage) -> Result<DynamicMessage, Failure>,
    /// It with whole names, where it has this one itself.
    pub named: fn(&DynamicMessage, &str, &Place) -> Result<DynamicMessage, Misnamed>,
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It can change; where no file names it, it is as of a new one.
    Changes,
    /// It is given at the start and stays.
    Fixed,
    /// It can change, and stays as it is where no file names it: somebody else looks after it.
    Left,
}

/// The field of a provider that names the variable which holds its credential; no message has it.
pub const CREDENTIAL_VARIABLE: &str = "credential_env";

use Access::{Changes, Fixed, Left};

/// All of them.
pub static KINDS: [Kind; 5] = [
    Kind {
        word: "project",
        noun: &noun::PROJECT,
        fields: &[
            ("display_name", Changes),
            ("traffic_class", Changes),
            ("traffic_share", Changes),
            ("key_rotation", Changes),
            ("tag_sources", Changes),
            ("content_keeping", Changes),
            ("content_days", Changes),
            ("forbidden_preferences", Changes),
            ("demands_no_collection", Changes),
            ("demands_no_retention", Changes),
            ("residencies", Changes),
        ],
        usual: usual::project,
        named: names::none,
    },
    Kind {
        word: "provider",
        noun: &noun::PROVIDER,
        fields: &[
            ("display_name", Changes),
            ("kind", Fixed),
            ("base_url", Changes),
            ("regions", Changes),
            ("stream_options", Changes),
            ("exchange_origins", Changes),
            ("passthrough", Changes),
            ("custom", Changes),
            ("collects_nothing", Changes),
            ("retains_nothing", Changes),
            ("residency", Changes),
            ("quantization", Changes),
        ],
        usual: usual::provider,
        named: names::none,
    },
    Kind {
        word: "model",
        noun: &noun::MODEL,
        fields: &[
            ("display_name", Changes),
            ("stable_version", Left),
            ("rules", Changes),
        ],
        usual: usual::model,
        named: names::of_model,
    },
    Kind {
        word: "alias",
        noun: &noun::MODEL_ALIAS,
        fields: &[
            ("model", Changes),
            ("follows", Changes),
            ("version_id", Changes),
        ],
        usual: usual::alias,
        named: names::of_alias,
    },
    Kind {
        word: "limit",
        noun: &noun::LIMIT,
        fields: &[
            ("display_name", Changes),
            ("scope", Fixed),
            ("unit", Fixed),
            ("amount", Changes),
            ("window", Changes),
            ("burst", Changes),
            ("model", Fixed),
            ("provider", Fixed),
            ("end_user", Fixed),
            ("each", Fixed),
            ("mode", Changes),
            ("on_store_loss", Changes),
            ("overrides", Left),
            ("regions", Fixed),
        ],
        usual: usual::limit,
        named: names::of_limit,
    },
];

/// Reads the word of one.
pub fn kind(text: &str) -> Result<&'static Kind, String> {
    let found = KINDS.iter().find(|kind| kind.word == text);
    found.ok_or_else(|| format!("is none of {}", words()))
}

/// The words of all.
pub fn words() -> String {
    KINDS.each_ref().map(|kind| kind.word).join(", ")
}

// === impl Kind ===

impl Kind {
    /// Where it stands in the order.
    pub fn order(&self) -> usize {
        KINDS.iter().position(|it| it == self).unwrap_or(0)
    }

    /// What becomes of a field, if a file may name it.
    pub fn access(&self, field: &str) -> Option<Access> {
        let found = self.fields.iter().find(|(name, _)| *name == field);
        found.map(|(_, access)| *access)
    }

    /// Whether a file may name the variable of a credential.
    pub fn has_credential(&self) -> bool {
        self.word == "provider"
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.word == other.word
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;

    use super::*;

    #[test]
    fn every_field_of_the_contract_is_in_the_table_or_the_servers() {
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
        let of_the_server = [
            "name",
            "uid",
            "etag",
            "create_time",
            "update_time",
            "revision",
            "credential",
            "credential_set",
            "deprecation",
            "version",
        ];
        for kind in &KINDS {
            let name = format!("sluice.admin.v1.{}", kind.noun.message);
            let shape = pool.get_message_by_name(&name).unwrap();
            for field in shape.fields() {
                assert_ne!(
                    of_the_server.contains(&field.name()),
                    kind.access(field.name()).is_some(),
                    "{name}.{}",
                    field.name()
                );
            }
            for (field, _) in kind.fields {
                assert!(shape.get_field_by_name(field).is_some(), "{name}.{field}");
            }
        }
    }
}
