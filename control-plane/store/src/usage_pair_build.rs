//! Makes the sums of pairs of tags out of records that were stored before anybody knew of the pair, and takes those of pairs away that
//! are gone.
//!
//! One writer with whoever folds. What is added and that it was stands in one transaction, so that each record counts once.

use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{
    error::StoreError,
    store::Store,
    usage_again::{Again, Counting},
    usage_fold,
    usage_pair::{self, facet},
    usage_shift,
    usage_spread::{self, Spread},
};

/// How many records are added at once, if their batches are not larger.
const RECORDS_MAX: i64 = 1_000; // Full: the others come next.

/// The most batches that are looked at for that.
const BATCHES_MAX: i64 = 64; // Full: as above.

/// The most sums that are taken away at once.
const SUMS_MAX: i64 = 10_000; // Full: as above.

/// Some batches of one organization that lack pairs.
struct Lacking {
    organization: Uuid,
    batches: Vec<i64>,
    /// Up to which pair they were summed.
    pairs_to: i64,
    first_at: OffsetDateTime,
    last_at: OffsetDateTime,
}

// === impl Store ===

impl Store {
    /// Adds a part of the records that sums of pairs lack, or takes a part of the sums of a pair away that is gone. Says whether there may
    /// be more.
    pub async fn pair_usage(&self, counting: Counting) -> Result<bool, StoreError> {
        let mut tx = self.transaction().await?;
        if !usage_fold::alone(&mut tx).await? {
            return Ok(false);
        }
        if forget(&mut tx).await? {
            tx.commit().await?;
            return Ok(true);
        }
        let Some(organization) = wanting(&mut tx).await? else {
            // Ended at once, not when its connection is used again: whoever comes next finds the lock free.
            tx.rollback().await?;
            return Ok(false);
        };
        usage_pair::hold_alone(&mut tx).await?;
        let Some(next) = lacking(&mut tx, organization).await? else {
            tx.rollback().await?;
            return Ok(true);
        };
        let pairs = usage_pair::of(&mut tx, &[organization]).await?;
        let newest = pairs.newest(organization);
        let records = records(&mut tx, &next, counting).await?;
        usage_spread::add_pairs(&mut tx, &records, &pairs.after(next.pairs_to)).await?;
        sqlx::query!(
            "UPDATE usage_batch SET pairs_to = $3 WHERE organization = $1 AND batch = ANY($2)",
            organization,
            &next.batches,
            newest,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// An organization that has a pair which not all of its batches know.
async fn wanting(connection: &mut PgConnection) -> Result<Option<Uuid>, StoreError> {
    let found = sqlx::query_scalar!(
        r#"SELECT organization FROM (
               SELECT organization, max(id) AS newest FROM usage_pair WHERE NOT gone GROUP BY 1
           ) AS pair
           WHERE EXISTS (SELECT FROM usage_batch
                         WHERE usage_batch.organization = pair.organization AND pairs_to < newest)
           ORDER BY organization LIMIT 1"#
    );
    Ok(found.fetch_optional(connection).await?)
}

/// The next of its batches, which all lack the same pairs.
async fn lacking(
    connection: &mut PgConnection,
    organization: Uuid,
) -> Result<Option<Lacking>, StoreError> {
    let next = sqlx::query!(
        r#"WITH behind AS (
               SELECT min(pairs_to) AS pairs_to FROM usage_batch WHERE organization = $1
           ), next AS (
               SELECT batch, records, first_at, last_at,
                      sum(records) OVER (ORDER BY batch) - records AS before
               FROM (SELECT * FROM usage_batch
                     WHERE organization = $1 AND pairs_to = (SELECT pairs_to FROM behind)
                       AND pairs_to < (SELECT max(id) FROM usage_pair
                                       WHERE organization = $1 AND NOT gone)
                     LIMIT $2) AS it
           )
           SELECT array_agg(batch) AS batches, (SELECT pairs_to FROM behind) AS pairs_to,
                  min(first_at) AS first_at, max(last_at) AS last_at
           FROM next WHERE before < $3"#,
        organization,
        BATCHES_MAX,
        RECORDS_MAX,
    )
    .fetch_one(connection)
    .await?;
    let (Some(batches), Some(pairs_to), Some(first_at), Some(last_at)) =
        (next.batches, next.pairs_to, next.first_at, next.last_at)
    else {
        return Ok(None);
    };
    Ok(Some(Lacking {
        organization,
        batches,
        pairs_to,
        first_at,
        last_at,
    }))
}

/// Their records, as what they add.
async fn records(
    connection: &mut PgConnection,
    next: &Lacking,
    counting: Counting,
) -> Result<Vec<Spread>, StoreError> {
    let days: [Date; 2] = [next.first_at.date(), next.last_at.date()];
    let rows = sqlx::query_as!(
        Again,
        r#"SELECT at, region, organization, project, key_id, model, model_version AS version, provider,
                  status, end_user, tags, usage_source, cost_nano, cost_known, charges, input_tokens,
                  cached_input_tokens, output_tokens, reasoning_tokens, duration_us, first_byte_us,
                  overhead_us
           FROM usage_record
           WHERE batch = ANY($1) AND organization = $2 AND day BETWEEN $3 AND $4"#,
        &next.batches,
        next.organization,
        days[0],
        days[1],
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.spread(counting)).collect())
}

/// Takes a part of what is left of a pair away that is gone. Says whether there was one.
async fn forget(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let gone =
        sqlx::query!("SELECT id, organization FROM usage_pair WHERE gone ORDER BY id LIMIT 1");
    let Some(gone) = gone.fetch_optional(&mut *connection).await? else {
        return Ok(false);
    };
    let (organization, facet) = (gone.organization, facet(gone.id));
    let sums = sqlx::query!(
        r#"DELETE FROM usage_sum WHERE ctid = ANY(ARRAY(
               SELECT ctid FROM usage_sum WHERE organization = $1 AND facet = $2 LIMIT $3))"#,
        organization,
        facet,
        SUMS_MAX,
    )
    .execute(&mut *connection)
    .await?;
    if sums.rows_affected() >= SUMS_MAX.unsigned_abs() {
        return Ok(true);
    }
    // What is deleted here is folded nowhere, also not into days of other time zones.
    usage_shift::added_to(&mut *connection).await?;
    sqlx::query!(
        "DELETE FROM usage_delta WHERE organization = $1 AND facet = $2",
        organization,
        facet,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "DELETE FROM usage_label WHERE organization = $1 AND facet = $2",
        organization,
        facet,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("DELETE FROM usage_pair WHERE id = $1", gone.id)
        .execute(connection)
        .await?;
    Ok(true)
}
