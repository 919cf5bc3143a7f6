//! Drops days of records that are old enough, a partition at a time. Sums stay.
//!
//! A day goes only when all of it stands in the sums; from then on nothing is stored of it, because nobody could tell
//! whether it had been counted.

use crate::{error::StoreError, store::Store};

/// The most rows that leave the default partition at once.
const ROWS_MAX: i64 = 10_000; // Full: the others go the next time.

// === impl Store ===

impl Store {
    /// Drops days of which records are older than `days` days. Says how many went.
    pub async fn drop_usage_days(&self, days: u16) -> Result<u64, StoreError> {
        let mut tx = self.transaction().await?;
        // No report is under way from here to the end.
        sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('usage_horizon'), 0)")
            .execute(&mut *tx)
            .await?;
        let unsummed = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM usage_record
                   WHERE batch IS NULL AND day < current_date - $1::integer)
                   OR EXISTS (SELECT FROM usage_pair JOIN usage_batch USING (organization)
                       WHERE NOT usage_pair.gone AND usage_batch.pairs_to < usage_pair.id
                         AND usage_batch.first_at < current_date - $1::integer) AS "unsummed!""#,
            i32::from(days),
        );
        if unsummed.fetch_one(&mut *tx).await? {
            return Ok(0);
        }
        sqlx::query!(
            r#"INSERT INTO usage_horizon (day) SELECT current_date - $1::integer
               ON CONFLICT DO NOTHING"#,
            i32::from(days),
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!("DELETE FROM usage_horizon WHERE day < (SELECT max(day) FROM usage_horizon)")
            .execute(&mut *tx)
            .await?;
        let dropped = sqlx::query!(
            r#"SELECT drop_usage_partition(day) FROM (
                   SELECT to_date(substr(relname, 14), 'YYYYMMDD') AS day
                   FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
                   WHERE inhparent = 'usage_record'::regclass AND relname ~ '^usage_record_\d{8}$'
               ) AS it WHERE day < current_date - $1::integer ORDER BY day"#,
            i32::from(days),
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            r#"DELETE FROM usage_record_default WHERE ctid = ANY(ARRAY(
                   SELECT ctid FROM usage_record_default
                   WHERE day < current_date - $1::integer LIMIT $2))"#,
            i32::from(days),
            ROWS_MAX,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            r#"DELETE FROM feedback WHERE ctid = ANY(ARRAY(
                   SELECT ctid FROM feedback WHERE at < current_date - $1::integer LIMIT $2))"#,
            i32::from(days),
            ROWS_MAX,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            r#"DELETE FROM usage_batch WHERE last_at < current_date - $1::integer"#,
            i32::from(days),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(dropped.rows_affected())
    }
}
