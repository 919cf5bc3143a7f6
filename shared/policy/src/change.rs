//! One policy edit.

use crate::{
    object::{Kind, Object},
    revision::Revision,
};

/// One edit of one object, at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number.
    pub revision: Revision,
    /// What is done.
    pub edit: Edit,
}

/// What is done to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The object is made or replaced.
    Upsert(Object),
    /// The object is gone.
    Delete {
        /// What it was.
        kind: Kind,
        /// Which one it was: [`Object::key`].
        key: Vec<u8>,
    },
    /// A key is revoked, for ever. It stays in the state as a tombstone.
    Revoke {
        /// Which key.
        key_id: String,
        /// Whether answers under way to its requests are cut.
        cut_streams: bool,
    },
}

/// What an [`Edit`] is, without its object. The numbers are those of the wire and of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Operation {
    /// [`Edit::Upsert`].
    Upsert = 1,
    /// [`Edit::Delete`].
    Delete = 2,
    /// [`Edit::Revoke`].
    Revoke = 3,
}

impl Operation {
    /// The operation with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Upsert, Self::Delete, Self::Revoke]
            .into_iter()
            .find(|op| *op as u8 == number)
    }
}

impl Edit {
    /// What is done, without the object.
    pub const fn operation(&self) -> Operation {
        match self {
            Self::Upsert(_) => Operation::Upsert,
            Self::Delete { .. } => Operation::Delete,
            Self::Revoke { .. } => Operation::Revoke,
        }
    }

    /// The kind of the object.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Upsert(object) => object.kind(),
            Self::Delete { kind, .. } => *kind,
            Self::Revoke { .. } => Kind::Key,
        }
    }

    /// Which object: [`Object::key`].
    pub fn key(&self) -> Vec<u8> {
        match self {
            Self::Upsert(object) => object.key(),
            Self::Delete { key, .. } => key.clone(),
            Self::Revoke { key_id, .. } => key_id.as_bytes().to_vec(),
        }
    }
}
