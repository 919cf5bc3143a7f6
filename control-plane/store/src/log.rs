//! What publishers read: the log of changes, the objects that live, and the hashes they must add up to.
//!
//! Whoever sees revision N sees every one below it, because revisions are taken last, under a lock.

use policy::{
    change::Operation,
    hash::StateHash,
    object::Lane,
    region::{Audience, Region},
    revision::Revision,
};
use sqlx::PgConnection;

use crate::{
    column,
    error::StoreError,
    head::{self, Head},
    store::Store,
};

/// One change, as it is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// Its number.
    pub revision: Revision,
    /// The lane it travels in.
    pub lane: Lane,
    /// What kind of object. A number, because a newer replica may have written a kind unknown here.
    pub kind: u8,
    /// What is done to it.
    pub operation: Operation,
    /// Which object.
    pub key: Vec<u8>,
    /// For whom the object was; `None` when there was none.
    pub before: Option<Audience>,
    /// For whom it is now; `None` when it is gone.
    pub after: Option<Audience>,
    /// The object as `Encode` gave it; empty unless upserted.
    pub value: Vec<u8>,
    /// When it was logged, just before its commit, milliseconds since 1970 by the database's clock.
    pub at_ms: u64,
}

/// One live object or tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRow {
    /// The lane it travels in.
    pub lane: Lane,
    /// What kind of object.
    pub kind: u8,
    /// Which object.
    pub key: Vec<u8>,
    /// The revision of its last change.
    pub revision: Revision,
    /// `Upsert`, or `Revoke` for a tombstone.
    pub operation: Operation,
    /// For whom it is.
    pub audience: Audience,
    /// The object as `Encode` gave it; empty in a tombstone.
    pub value: Vec<u8>,
}

/// The hash of those objects of a lane that are for one region, or for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashRow {
    /// The lane.
    pub lane: Lane,
    /// The region; `None` for the objects that are for every one. An edge has the sum of both.
    pub region: Option<Region>,
    /// The hash.
    pub hash: StateHash,
}

/// The whole state at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Everything {
    /// Where it stands.
    pub head: Head,
    /// Every live object and tombstone, in the order of their revisions.
    pub objects: Vec<ObjectRow>,
    /// Their hashes.
    pub hashes: Vec<HashRow>,
}

// === impl Store ===

impl Store {
    /// The changes after a revision, in order, at most `limit`.
    pub async fn changes_since(
        &self,
        after: Revision,
        limit: i64,
    ) -> Result<Vec<ChangeRow>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT revision, lane, kind, operation, key, before, after, value, at
               FROM change WHERE revision > $1 ORDER BY revision LIMIT $2"#,
            column::number(after.0),
            limit,
        )
        .fetch_all(self.pool())
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(ChangeRow {
                    revision: column::revision(row.revision),
                    lane: column::lane(row.lane)?,
                    kind: column::kind(row.kind)?,
                    operation: column::operation(row.operation)?,
                    key: row.key,
                    before: row.before.as_deref().map(column::audience).transpose()?,
                    after: row.after.as_deref().map(column::audience).transpose()?,
                    value: row.value,
                    at_ms: column::milliseconds(row.at),
                })
            })
            .collect()
    }

    /// The whole state, all of one moment.
    pub async fn everything(&self) -> Result<Everything, StoreError> {
        let mut tx = self
            .pool()
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        // A million keys take longer than an ordinary statement may.
        sqlx::query("SET LOCAL statement_timeout = '120s'")
            .execute(&mut *tx)
            .await?;
        let head = head::read(&mut tx).await?;
        let objects = objects(&mut tx).await?;
        let hashes = hashes(&mut tx).await?;
        tx.commit().await?;
        Ok(Everything {
            head,
            objects,
            hashes,
        })
    }

    /// The hashes, and the revision at which they stand.
    pub async fn hashes(&self) -> Result<(Revision, Vec<HashRow>), StoreError> {
        let mut tx = self
            .pool()
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        let head = head::read(&mut tx).await?;
        let hashes = hashes(&mut tx).await?;
        tx.commit().await?;
        Ok((head.revision, hashes))
    }
}

async fn objects(connection: &mut PgConnection) -> Result<Vec<ObjectRow>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT lane, kind, key, revision, operation, regions, value FROM object ORDER BY revision"#
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ObjectRow {
                lane: column::lane(row.lane)?,
                kind: column::kind(row.kind)?,
                key: row.key,
                revision: column::revision(row.revision),
                operation: column::operation(row.operation)?,
                audience: column::audience(&row.regions)?,
                value: row.value,
            })
        })
        .collect()
}

async fn hashes(connection: &mut PgConnection) -> Result<Vec<HashRow>, StoreError> {
    let rows = sqlx::query!("SELECT lane, region, hash FROM lane_hash ORDER BY lane, region")
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(|row| {
            let region = match row.region.as_str() {
                "" => None,
                name => Some(column::read(Region::try_from(name), "lane_hash.region")?),
            };
            let hash = column::read(<[u8; 32]>::try_from(row.hash), "lane_hash.hash")?;
            Ok(HashRow {
                lane: column::lane(row.lane)?,
                region,
                hash: StateHash::from_bytes(hash),
            })
        })
        .collect()
}
