//! A write: one transaction that ends with its revisions, or never happened.
//!
//! The nouns note their edits here while they write their rows; numbering comes last and is a step of its own
//! type, so that no write can take a number early, forget it, or write on after it.

use policy::{
    change::Edit,
    object::{Kind, Object},
    region::Audience,
    revision::Revision,
};
use sqlx::{PgConnection, Postgres, Transaction};

use crate::{
    error::StoreError,
    publish::{self, Pending},
    reach,
    store::{Encode, Store},
};

/// A transaction of one actor. Dropped, it rolls back; that is all that `validate_only` is.
pub struct Write {
    tx: Transaction<'static, Postgres>,
    // Whether the nouns' part of it is kept to one organization.
    narrow: bool,
    encode: Encode,
    actor: String,
    edits: Vec<Pending>,
    request_id: Option<[u8; 16]>,
}

/// A write that has its revisions and holds up every other writer until it is committed or dropped.
pub struct Numbered {
    tx: Transaction<'static, Postgres>,
    actor: String,
    revision: Revision,
    request_id: Option<[u8; 16]>,
}

// === impl Store ===

impl Store {
    /// Begins a write. `actor` is who asks, for the log.
    pub async fn write(&self, actor: &str) -> Result<Write, StoreError> {
        Ok(Write {
            tx: self.transaction().await?,
            narrow: self.is_narrow()?,
            encode: self.encode().clone(),
            actor: actor.to_owned(),
            edits: Vec::new(),
            request_id: None,
        })
    }
}

// === impl Write ===

impl Write {
    /// Takes the revisions and writes the log, the objects, the hashes and the doorbell. Do nothing slow
    /// between this and the commit.
    pub async fn number(mut self) -> Result<Numbered, StoreError> {
        if self.narrow {
            reach::widen(&mut self.tx).await?;
        }
        let revision =
            publish::publish(&mut self.tx, &self.encode, &self.actor, &self.edits).await?;
        let Self {
            tx,
            actor,
            request_id,
            ..
        } = self;
        Ok(Numbered {
            tx,
            actor,
            revision,
            request_id,
        })
    }

    /// [`Self::number`] and [`Numbered::commit`].
    pub async fn commit(self) -> Result<Revision, StoreError> {
        self.number().await?.commit().await
    }

    /// Notes that the object stands so from now on, for these regions. Edits are numbered in the order in which
    /// they are noted.
    pub(crate) fn put(&mut self, object: Object, audience: Audience) {
        self.edits.push(Pending {
            edit: Edit::Upsert(object),
            audience,
        });
    }

    /// Notes that the object is gone, for everyone who had it.
    pub(crate) fn forget(&mut self, kind: Kind, key: &[u8]) {
        let edit = Edit::Delete {
            kind,
            key: key.to_vec(),
        };
        self.edits.push(Pending {
            edit,
            audience: Audience::everywhere(),
        });
    }

    /// Notes that a key is revoked, and whether answers under way are cut.
    pub(crate) fn revoke(&mut self, key_id: &str, cut_streams: bool) {
        let edit = Edit::Revoke {
            key_id: key_id.to_owned(),
            cut_streams,
        };
        self.edits.push(Pending {
            edit,
            audience: Audience::everywhere(),
        });
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    pub(crate) fn actor(&self) -> &str {
        &self.actor
    }

    pub(crate) fn set_request_id(&mut self, request_id: [u8; 16]) {
        self.request_id = Some(request_id);
    }
}

// === impl Numbered ===

impl Numbered {
    /// The last revision of this write; zero when it edits no policy.
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// Makes it so.
    pub async fn commit(self) -> Result<Revision, StoreError> {
        self.tx.commit().await?;
        Ok(self.revision)
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    pub(crate) fn actor(&self) -> &str {
        &self.actor
    }

    pub(crate) const fn request_id(&self) -> Option<[u8; 16]> {
        self.request_id
    }
}
