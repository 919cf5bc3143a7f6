//! Writes edits into history: the one place where revisions are taken.
//!
//! Runs last in its transaction. The lock on the head makes writers wait for each other from here until their
//! commit is visible, so numbers become visible in order and without gaps.

use std::collections::BTreeMap;

use policy::{
    change::{Edit, Operation},
    hash::StateHash,
    object::Lane,
    region::Audience,
    revision::Revision,
};
use sqlx::PgConnection;

use crate::{column, error::StoreError, store::Encode};

/// An edit that waits for its revision.
pub(crate) struct Pending {
    /// What is done.
    pub(crate) edit: Edit,
    /// For whom the object is from now on. Says nothing for a deletion.
    pub(crate) audience: Audience,
}

/// What an object was before an edit.
struct Old {
    revision: i64,
    operation: i16,
    regions: Vec<String>,
}

/// How much the hash of each lane and region changes; the region is '' for objects that are for everyone.
#[derive(Default)]
struct Shifts(BTreeMap<(Lane, String), StateHash>);

/// Takes a revision for each edit and writes them. Returns the last, or zero when there are none.
pub(crate) async fn publish(
    connection: &mut PgConnection,
    encode: &Encode,
    actor: &str,
    edits: &[Pending],
) -> Result<Revision, StoreError> {
    if edits.is_empty() {
        return Ok(Revision::default());
    }
    let count = column::number(edits.len() as u64);
    let last = sqlx::query_scalar!(r#"SELECT take_revision($1) AS "revision!""#, count)
        .fetch_one(&mut *connection)
        .await?;
    let mut shifts = Shifts::default();
    for (pending, revision) in edits.iter().zip(last - count + 1..) {
        let old = match &pending.edit {
            Edit::Delete { .. } => delete(connection, actor, &pending.edit, revision).await?,
            Edit::Upsert(_) | Edit::Revoke { .. } => {
                put(connection, encode, actor, pending, revision).await?
            }
        };
        shifts.note(pending, old, revision)?;
    }
    shifts.apply(connection).await?;
    sqlx::query!("SELECT pg_notify('sluice_revision', $1)", last.to_string())
        .execute(&mut *connection)
        .await?;
    Ok(column::revision(last))
}

/// Makes or replaces the object and logs it.
async fn put(
    connection: &mut PgConnection,
    encode: &Encode,
    actor: &str,
    pending: &Pending,
    revision: i64,
) -> Result<Option<Old>, StoreError> {
    let edit = &pending.edit;
    let value = if let Edit::Upsert(object) = edit {
        encode(object)
    } else {
        Vec::new()
    };
    // Every part of the statement sees the object as it was before.
    let old = sqlx::query_as!(
        Old,
        r#"WITH old AS (
               SELECT revision, operation, regions FROM object WHERE kind = $1 AND key = $2
           ), put AS (
               INSERT INTO object (kind, key, lane, revision, operation, regions, value)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT ON CONSTRAINT object_pkey DO UPDATE
               SET revision = EXCLUDED.revision, operation = EXCLUDED.operation,
                   regions = EXCLUDED.regions, value = EXCLUDED.value
           ), logged AS (
               INSERT INTO change (revision, lane, kind, operation, key, before, after, value, actor)
               VALUES ($4, $3, $1, $5, $2, (SELECT regions FROM old), $6, $7, $8)
           )
           SELECT revision, operation, regions FROM old"#,
        edit.kind() as i16,
        edit.key(),
        edit.kind().lane() as i16,
        revision,
        edit.operation() as i16,
        &column::texts(pending.audience.regions()),
        value,
        actor,
    )
    .fetch_optional(connection)
    .await?;
    let was_revoked = old
        .as_ref()
        .is_some_and(|it| it.operation == Operation::Revoke as i16);
    if was_revoked && edit.operation() == Operation::Upsert {
        return Err(StoreError::broken("a revoked key was about to come back"));
    }
    Ok(old)
}

/// Takes the object away and logs it.
async fn delete(
    connection: &mut PgConnection,
    actor: &str,
    edit: &Edit,
    revision: i64,
) -> Result<Option<Old>, StoreError> {
    let old = sqlx::query_as!(
        Old,
        r#"WITH old AS (
               DELETE FROM object WHERE kind = $1 AND key = $2
               RETURNING revision, operation, regions
           ), logged AS (
               INSERT INTO change (revision, lane, kind, operation, key, before, after, value, actor)
               VALUES ($4, $3, $1, $5, $2, (SELECT regions FROM old), NULL, '', $6)
           )
           SELECT revision, operation, regions FROM old"#,
        edit.kind() as i16,
        edit.key(),
        edit.kind().lane() as i16,
        revision,
        edit.operation() as i16,
        actor,
    )
    .fetch_optional(connection)
    .await?;
    Ok(old)
}

// === impl Shifts ===

impl Shifts {
    fn note(
        &mut self,
        pending: &Pending,
        old: Option<Old>,
        revision: i64,
    ) -> Result<(), StoreError> {
        let edit = &pending.edit;
        let (kind, key, lane) = (edit.kind(), edit.key(), edit.kind().lane());
        if let Some(old) = old {
            let audience = column::audience(&old.regions)?;
            let hash = StateHash::of(kind, &key, column::revision(old.revision));
            self.shift(lane, &audience, StateHash::default().minus(hash));
        }
        if !matches!(edit, Edit::Delete { .. }) {
            let hash = StateHash::of(kind, &key, column::revision(revision));
            self.shift(lane, &pending.audience, hash);
        }
        Ok(())
    }

    fn shift(&mut self, lane: Lane, audience: &Audience, by: StateHash) {
        let regions = column::texts(audience.regions());
        let regions = if regions.is_empty() {
            vec![String::new()]
        } else {
            regions
        };
        for region in regions {
            let sum = self.0.entry((lane, region)).or_default();
            *sum = sum.plus(by);
        }
    }

    async fn apply(self, connection: &mut PgConnection) -> Result<(), StoreError> {
        for ((lane, region), by) in self.0 {
            let lane = lane as i16;
            let stands = sqlx::query_scalar!(
                "SELECT hash FROM lane_hash WHERE lane = $1 AND region = $2",
                lane,
                region,
            )
            .fetch_optional(&mut *connection)
            .await?;
            let stands = match stands {
                Some(hash) => column::read(<[u8; 32]>::try_from(hash), "lane_hash.hash")?,
                None => [0; 32],
            };
            let sum = StateHash::from_bytes(stands).plus(by);
            sqlx::query!(
                r#"INSERT INTO lane_hash (lane, region, hash) VALUES ($1, $2, $3)
                   ON CONFLICT ON CONSTRAINT lane_hash_pkey DO UPDATE SET hash = EXCLUDED.hash"#,
                lane,
                region,
                sum.as_bytes().as_slice(),
            )
            .execute(&mut *connection)
            .await?;
        }
        Ok(())
    }
}
