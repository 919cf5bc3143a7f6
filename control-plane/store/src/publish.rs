//! Writes edits into history: the one place where revisions are taken.
//!
//! Runs last in its transaction. The lock on the head makes writers wait for each other from here until their
//! commit is visible, so numbers become visible in order and without gaps. While it is held, the database is
//! asked as often for a thousand edits as for one.

use std::collections::{BTreeMap, HashMap};

use policy::{
    change::{Edit, Operation},
    hash::StateHash,
    object::{Kind, Lane},
    region::Audience,
    revision::Revision,
};
use sqlx::{PgConnection, types::Uuid};

use crate::{column, error::StoreError, store::Encode};

/// The most edits of one write.
pub(crate) const EDITS_MAX: usize = 1_000; // Full: the write is refused; who deletes much does it in parts.

/// An edit that waits for its revision.
pub(crate) struct Pending {
    /// What is done.
    pub(crate) edit: Edit,
    /// For whom the object is from now on. Says nothing for a deletion.
    pub(crate) audience: Audience,
}

/// Which object: the number of its kind and its key.
type Id = (i16, Vec<u8>);

/// What an object is before an edit.
#[derive(Clone)]
struct Old {
    revision: Revision,
    operation: i16,
    audience: Audience,
}

/// What edits meet: what there is of their objects, and whose each is or will be.
type Standing = (HashMap<Id, Old>, HashMap<Id, Option<Uuid>>);

/// The rows of the log, column by column, as `unnest` takes them. Regions are joined by commas, because an array
/// of arrays would be flattened.
#[derive(Default)]
struct Rows {
    revisions: Vec<i64>,
    lanes: Vec<i16>,
    kinds: Vec<i16>,
    operations: Vec<i16>,
    keys: Vec<Vec<u8>>,
    befores: Vec<Option<String>>,
    afters: Vec<Option<String>>,
    values: Vec<Vec<u8>>,
    organizations: Vec<Option<Uuid>>,
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
    if edits.len() > EDITS_MAX {
        return Err(StoreError::broken("a write has more edits than it may"));
    }
    // Encoded and sealed before the lock is had.
    let values: Vec<Vec<u8>> = edits.iter().map(|it| encode(&it.edit)).collect();
    let count = column::number(edits.len() as u64);
    let last = sqlx::query_scalar!(r#"SELECT take_revision($1) AS "revision!""#, count)
        .fetch_one(&mut *connection)
        .await?;
    let (mut stand, owners) = standing(connection, edits).await?;
    let (mut rows, mut shifts) = (Rows::default(), Shifts::default());
    for ((pending, value), revision) in edits.iter().zip(values).zip(last - count + 1..) {
        let id = (pending.edit.kind() as i16, pending.edit.key());
        let old = stand.remove(&id);
        let new = pending.after(column::revision(revision), old.as_ref())?;
        shifts.note(pending.edit.kind(), &id.1, old.as_ref(), new.as_ref());
        rows.push(pending, revision, (old.as_ref(), new.as_ref()), value);
        rows.organizations.push(owners.get(&id).copied().flatten());
        if let Some(new) = new {
            stand.insert(id, new);
        }
    }
    rows.write(connection, actor).await?;
    shifts.apply(connection).await?;
    sqlx::query!("SELECT pg_notify('sluice_revision', $1)", last.to_string())
        .execute(&mut *connection)
        .await?;
    Ok(column::revision(last))
}

/// What these edits meet. The lock on the head keeps it so. Whose an object is never changes, and it is known before the object is
/// written and after what it stood for is gone.
async fn standing(
    connection: &mut PgConnection,
    edits: &[Pending],
) -> Result<Standing, StoreError> {
    let kinds: Vec<i16> = edits.iter().map(|it| it.edit.kind() as i16).collect();
    let keys: Vec<Vec<u8>> = edits.iter().map(|it| it.edit.key()).collect();
    let rows = sqlx::query!(
        r#"SELECT asked.kind AS "kind!", asked.key AS "key!", it.revision AS "revision?",
                  it.operation AS "operation?", it.regions AS "regions?",
                  coalesce(it.organization, organization_of(asked.kind, asked.key)) AS organization
           FROM unnest($1::smallint[], $2::bytea[]) AS asked (kind, key)
           LEFT JOIN object it ON it.kind = asked.kind AND it.key = asked.key"#,
        &kinds,
        &keys,
    )
    .fetch_all(connection)
    .await?;
    let (mut stand, mut owners) = (HashMap::new(), HashMap::with_capacity(rows.len()));
    for row in rows {
        let id = (row.kind, row.key);
        if let (Some(revision), Some(operation), Some(regions)) =
            (row.revision, row.operation, row.regions)
        {
            let old = Old {
                revision: column::revision(revision),
                operation,
                audience: column::audience(&regions)?,
            };
            stand.insert(id.clone(), old);
        }
        owners.insert(id, row.organization);
    }
    Ok((stand, owners))
}

// === impl Pending ===

impl Pending {
    /// The object once this is done; `None` when it is gone.
    fn after(&self, revision: Revision, old: Option<&Old>) -> Result<Option<Old>, StoreError> {
        let operation = self.edit.operation();
        let was_revoked = old.is_some_and(|it| it.operation == Operation::Revoke as i16);
        if was_revoked && operation == Operation::Upsert {
            return Err(StoreError::broken("a revoked key was about to come back"));
        }
        Ok((operation != Operation::Delete).then(|| Old {
            revision,
            operation: operation as i16,
            audience: self.audience.clone(),
        }))
    }
}

// === impl Rows ===

impl Rows {
    fn push(
        &mut self,
        pending: &Pending,
        revision: i64,
        (before, after): (Option<&Old>, Option<&Old>),
        value: Vec<u8>,
    ) {
        let joined = |it: &Old| column::texts(it.audience.regions()).join(",");
        self.revisions.push(revision);
        self.lanes.push(pending.edit.kind().lane() as i16);
        self.kinds.push(pending.edit.kind() as i16);
        self.operations.push(pending.edit.operation() as i16);
        self.keys.push(pending.edit.key());
        self.befores.push(before.map(joined));
        self.afters.push(after.map(joined));
        self.values.push(value);
    }

    /// Logs them, brings the objects to where the last edit of each leaves it, and empties what the log holds of
    /// secrets that are thereby replaced or gone.
    async fn write(&self, connection: &mut PgConnection, actor: &str) -> Result<(), StoreError> {
        // Operation 2 is `Operation::Delete`, lane 3 is `Lane::Secrets`.
        sqlx::query!(
            r#"WITH edit AS (
                   SELECT * FROM unnest(
                       $1::bigint[], $2::smallint[], $3::smallint[], $4::smallint[], $5::bytea[],
                       $6::text[], $7::text[], $8::bytea[], $10::uuid[]
                   ) AS it (revision, lane, kind, operation, key, before, after, value, organization)
               ), logged AS (
                   INSERT INTO change
                       (revision, lane, kind, operation, key, before, after, value, actor, organization)
                   SELECT revision, lane, kind, operation, key, string_to_array(before, ','),
                          string_to_array(after, ','), value, $9, organization
                   FROM edit
               ), last AS (
                   SELECT DISTINCT ON (kind, key) * FROM edit ORDER BY kind, key, revision DESC
               ), put AS (
                   INSERT INTO object (kind, key, lane, revision, operation, regions, value, organization)
                   SELECT kind, key, lane, revision, operation, string_to_array(after, ','), value,
                          organization
                   FROM last WHERE operation <> 2
                   ON CONFLICT ON CONSTRAINT object_pkey DO UPDATE
                   SET revision = EXCLUDED.revision, operation = EXCLUDED.operation,
                       regions = EXCLUDED.regions, value = EXCLUDED.value,
                       organization = coalesce(object.organization, EXCLUDED.organization)
               ), gone AS (
                   DELETE FROM object USING last
                   WHERE last.operation = 2 AND object.kind = last.kind AND object.key = last.key
               )
               UPDATE change SET value = '' FROM last
               WHERE last.lane = 3 AND change.lane = 3 AND change.value <> ''
                   AND change.kind = last.kind AND change.key = last.key"#,
            &self.revisions,
            &self.lanes,
            &self.kinds,
            &self.operations,
            &self.keys,
            &self.befores as &[Option<String>],
            &self.afters as &[Option<String>],
            &self.values,
            actor,
            &self.organizations as &[Option<Uuid>],
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

// === impl Shifts ===

impl Shifts {
    fn note(&mut self, kind: Kind, key: &[u8], old: Option<&Old>, new: Option<&Old>) {
        if let Some(old) = old {
            let hash = StateHash::of(kind, key, old.revision);
            self.shift(kind, old, StateHash::default().minus(hash));
        }
        if let Some(new) = new {
            self.shift(kind, new, StateHash::of(kind, key, new.revision));
        }
    }

    fn shift(&mut self, kind: Kind, it: &Old, by: StateHash) {
        let mut regions = column::texts(it.audience.regions());
        if regions.is_empty() {
            regions.push(String::new());
        }
        for region in regions {
            let sum = self.0.entry((kind.lane(), region)).or_default();
            *sum = sum.plus(by);
        }
    }

    async fn apply(mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let lanes: Vec<i16> = self.0.keys().map(|(lane, _)| *lane as i16).collect();
        let regions: Vec<String> = self.0.keys().map(|(_, region)| region.clone()).collect();
        let stand = sqlx::query!(
            r#"SELECT lane, region, hash
               FROM lane_hash JOIN unnest($1::smallint[], $2::text[]) AS asked (lane, region)
                   USING (lane, region)"#,
            &lanes,
            &regions,
        )
        .fetch_all(&mut *connection)
        .await?;
        for row in stand {
            let hash = column::read(<[u8; 32]>::try_from(row.hash), "lane_hash.hash")?;
            let sum = self
                .0
                .entry((column::lane(row.lane)?, row.region))
                .or_default();
            *sum = sum.plus(StateHash::from_bytes(hash));
        }
        let hashes: Vec<Vec<u8>> = self.0.values().map(|it| it.as_bytes().to_vec()).collect();
        sqlx::query!(
            r#"INSERT INTO lane_hash (lane, region, hash)
               SELECT * FROM unnest($1::smallint[], $2::text[], $3::bytea[])
               ON CONFLICT ON CONSTRAINT lane_hash_pkey DO UPDATE SET hash = EXCLUDED.hash"#,
            &lanes,
            &regions,
            &hashes,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}
