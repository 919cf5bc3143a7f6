//! One thing as it stands beside what is declared of it: the fields in which they differ.
//!
//! A credential cannot be compared, since nobody can read it: it is written where there is none, and with another address.

use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use crate::{
    admin::declarations::{document::Declared, kind::Access},
    wording,
};

/// The field that no declaration holds.
pub const CREDENTIAL: &str = "credential";

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub field: &'static str,
    /// What stands, in words; empty for nothing.
    pub old: String,
    /// What is declared, in words.
    pub new: String,
    /// Whether it cannot change.
    pub is_fixed: bool,
}

/// The fields in which what stands differs from what is declared.
pub fn changes(declared: &Declared, standing: &DynamicMessage) -> Vec<Change> {
    let mut changes = Vec::new();
    for (field, access) in declared.kind.fields {
        let is_named = declared.named.contains(field);
        if (*access == Access::Left && !is_named) || same(field, &declared.wanted, standing) {
            continue;
        }
        let (old, new) = words(field, standing, &declared.wanted);
        changes.push(Change {
            field,
            old,
            new,
            is_fixed: *access == Access::Fixed,
        });
    }
    let moves = changes.iter().any(|it| it.field == "base_url");
    let is_set = standing.get_field_by_name("credential_set");
    let is_set = is_set.as_deref() == Some(&Value::Bool(true));
    if !is_set || moves {
        changes.extend(credential(declared, if is_set { "another" } else { "" }));
    }
    changes
}

/// What the file says of something that does not stand yet.
pub fn first(declared: &Declared) -> Vec<Change> {
    let fields = declared.kind.fields.iter().map(|(field, _)| *field);
    let named = fields.filter(|field| declared.named.contains(field));
    let change = |field| Change {
        field,
        old: String::new(),
        new: wording::field(&declared.wanted, field),
        is_fixed: false,
    };
    named.map(change).chain(credential(declared, "")).collect()
}

fn credential(declared: &Declared, old: &str) -> Option<Change> {
    let variable = declared.credential_env.as_ref()?;
    Some(Change {
        field: CREDENTIAL,
        old: old.to_owned(),
        new: format!("what {variable} holds"),
        is_fixed: false,
    })
}

/// Both in words; in full where words round them to the same, as they do spans.
fn words(field: &str, old: &DynamicMessage, new: &DynamicMessage) -> (String, String) {
    let pair = [old, new].map(|it| wording::field(it, field));
    let [old, new] = if pair[0] == pair[1] {
        [old, new].map(|it| match it.get_field_by_name(field).as_deref() {
            Some(Value::Message(it)) => serde_json::to_string(it).unwrap_or_default(),
            _ => wording::field(it, field),
        })
    } else {
        pair
    };
    (old, new)
}

fn same(field: &str, one: &DynamicMessage, other: &DynamicMessage) -> bool {
    let Some(shape) = one.descriptor().get_field_by_name(field) else {
        return true;
    };
    let is_there = |it: &DynamicMessage| !shape.supports_presence() || it.has_field(&shape);
    is_there(one) == is_there(other) && one.get_field(&shape) == other.get_field(&shape)
}
