//! What publishers read: the log of changes, the objects that live, and the hashes they must add up to.
//!
//! Whoever sees revision N sees every one below it, because revisions are taken last, under a lock.

use std::time::Duration;

use policy::{
    change::Operation,
    hash::StateHash,
    object::Lane,
    region::{Audience, Region},
    remit::Owner,
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
    /// Whose it is.
    pub owner: Owner,
    /// For whom the object was; `None` when there was none.
    pub before: Option<Audience>,
    /// For whom it is now; `None` when it is gone.
    pub after: Option<Audience>,
    /// What `Encode` gave: the object, or what a revocation asks for.
    pub value: Vec<u8>,
    /// When it was logged, just before its commit, milliseconds since 1970 by the database's clock.
    pub at_ms: u64,
}

/// What comes after a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// The next changes in order, none left out; empty when there are none yet.
    Rows(Vec<ChangeRow>),
    /// Some of them are no longer in the log; only [`Store::everything`] leads on.
    Cut {
        /// The oldest change that is kept.
        oldest: Revision,
    },
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
    /// Whose it is.
    pub owner: Owner,
    /// For whom it is.
    pub audience: Audience,
    /// What `Encode` gave: the object, or what the revocation asked for.
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

/// The most rows of the log that one statement takes away.
const SWEEP_ROWS_MAX: i64 = 5_000; // Full: the next sweep takes the rest.

// === impl ChangeRow ===

impl ChangeRow {
    /// As it is told now that its value is gone and this stands instead.
    fn overtaken(self, now: Option<(Audience, Vec<u8>)>) -> Self {
        let told = now.and_then(|(now, value)| Some((both(self.after.as_ref()?, &now)?, value)));
        match told {
            Some((after, value)) => Self {
                after: Some(after),
                value,
                ..self
            },
            None => Self {
                operation: Operation::Delete,
                after: None,
                ..self
            },
        }
    }
}

/// Who is in both; `None` when nobody is.
fn both(one: &Audience, other: &Audience) -> Option<Audience> {
    if one.regions().is_empty() {
        return Some(other.clone());
    }
    let regions = one.regions().iter();
    let regions: Vec<Region> = regions.filter(|it| other.includes(it)).cloned().collect();
    // No region would mean every one.
    (!regions.is_empty()).then(|| Audience::only(regions))
}

// === impl Store ===

impl Store {
    /// The changes after a revision, in order, at most `limit`.
    ///
    /// A secret that was replaced or deleted is no longer in the log. Its row then says what stands instead, for
    /// those that it was for and that may have it still, and is a deletion for everybody else: who is behind gets
    /// there by a shorter way.
    pub async fn changes_since(&self, after: Revision, limit: i64) -> Result<Changes, StoreError> {
        // Lane 3 is `Lane::Secrets`, operation 1 is `Operation::Upsert`.
        let rows = sqlx::query!(
            r#"SELECT it.revision, it.lane, it.kind, it.operation, it.key, it.before, it.after,
                      it.value, it.at, (SELECT min(revision) FROM change) AS "oldest!",
                      it.lane = 3 AND it.operation = 1 AND it.value = '' AS "emptied!",
                      o.regions AS "regions_now?", o.value AS "value_now?",
                      coalesce(it.organization, organization_of(it.kind, it.key)) AS organization
               FROM change it
               LEFT JOIN object o ON it.lane = 3 AND it.operation = 1 AND it.value = ''
                   AND o.kind = it.kind AND o.key = it.key
               WHERE it.revision > $1 ORDER BY it.revision LIMIT $2"#,
            column::number(after.0),
            limit,
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        let oldest = rows
            .first()
            .map_or(Revision(0), |it| column::revision(it.oldest));
        if oldest.0 > after.0 + 1 {
            return Ok(Changes::Cut { oldest });
        }
        let rows = rows.into_iter().map(|row| {
            let change = ChangeRow {
                revision: column::revision(row.revision),
                lane: column::lane(row.lane)?,
                kind: column::kind(row.kind)?,
                operation: column::operation(row.operation)?,
                key: row.key,
                owner: column::owner(column::kind(row.kind)?, row.organization),
                before: row.before.as_deref().map(column::audience).transpose()?,
                after: row.after.as_deref().map(column::audience).transpose()?,
                value: row.value,
                at_ms: column::milliseconds(row.at),
            };
            if !row.emptied {
                return Ok(change);
            }
            let now = row.regions_now.as_deref().map(column::audience);
            Ok(change.overtaken(now.transpose()?.zip(row.value_now)))
        });
        rows.collect::<Result<_, _>>().map(Changes::Rows)
    }

    /// Takes away the oldest rows of the log that are neither among the last `rows_kept` nor younger than
    /// `age_kept` by the clock of the database, at most 5,000 of them, and says how many.
    pub async fn sweep_log(&self, rows_kept: i64, age_kept: Duration) -> Result<u64, StoreError> {
        // A row that stays keeps all that come after it, so that the log never has a gap.
        let gone = sqlx::query!(
            r#"WITH oldest AS (
                   SELECT revision, at FROM change ORDER BY revision LIMIT $3
               ), kept AS (
                   SELECT min(revision) AS revision FROM oldest
                   WHERE at >= now() - make_interval(secs => $2)
                       OR revision > (SELECT revision FROM head) - $1
               )
               DELETE FROM change USING oldest, kept
               WHERE change.revision = oldest.revision
                   AND (kept.revision IS NULL OR oldest.revision < kept.revision)"#,
            rows_kept,
            age_kept.as_secs_f64(),
            SWEEP_ROWS_MAX,
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(gone.rows_affected())
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
        r#"SELECT lane, kind, key, revision, operation, regions, value,
                  coalesce(organization, organization_of(kind, key)) AS organization
           FROM object ORDER BY revision"#
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
                owner: column::owner(column::kind(row.kind)?, row.organization),
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
