//! A live object of policy, or the tombstone of a revoked key, as this replica keeps it.
//!
//! A plain value; what is secret in it stays sealed.

use bytes::Bytes;
use policy::{
    change::Operation,
    region::Audience,
    remit::{Owner, Remit},
    revision::Revision,
};
use store::ObjectRow;

use crate::publish::ring::Logged;

/// A live object or a tombstone.
#[derive(Debug)]
pub struct Live {
    /// The number of its kind.
    pub kind: u8,
    /// Which object.
    pub key: Bytes,
    /// Of its last change.
    pub revision: Revision,
    /// `Revoke` for a tombstone, else `Upsert`.
    pub operation: Operation,
    /// Whose it is.
    pub owner: Owner,
    /// For whom it is.
    pub audience: Audience,
    /// The object, as stored; of a tombstone what the revocation asks for.
    pub value: Bytes,
}

/// A key that is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Which.
    pub key_id: String,
    /// Whether answers under way to its requests are cut.
    pub cut_streams: bool,
}

// === impl Live ===

impl Live {
    /// What a change makes of it, for whom it then is.
    pub fn from_change(change: &Logged, audience: Audience) -> Self {
        Self {
            kind: change.kind,
            key: change.key.clone(),
            revision: change.revision,
            operation: change.operation,
            owner: change.owner,
            audience,
            value: change.value.clone(),
        }
    }

    /// Whether an edge of this remit may have it.
    pub fn is_for(&self, remit: &Remit) -> bool {
        remit.may_have(self.owner, &self.audience)
    }
}

// === impl Revoked ===

impl Revoked {
    /// What a revocation with this key and value says.
    pub fn read(key: &[u8], value: &[u8]) -> Self {
        Self {
            key_id: String::from_utf8_lossy(key).into_owned(),
            cut_streams: proto::object::cuts_streams(value),
        }
    }
}

impl From<ObjectRow> for Live {
    fn from(row: ObjectRow) -> Self {
        Self {
            kind: row.kind,
            key: Bytes::from(row.key),
            revision: row.revision,
            operation: row.operation,
            owner: row.owner,
            audience: row.audience,
            value: Bytes::from(row.value),
        }
    }
}
