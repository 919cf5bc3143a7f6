//! Batches: which records were counted together, and in which order they may be read.
//!
//! A batch gets its number only after it was committed, from one writer at a time; so whoever has read all batches up to a
//! number has read everything that will ever stand below it.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{error::StoreError, usage_pair::Pairs, usage_spread::Spread};

/// How many records of one organization a batch has, and from when to when.
struct Share {
    records: i32,
    first_at: OffsetDateTime,
    last_at: OffsetDateTime,
}

/// A batch that nobody else has.
pub(crate) async fn next(connection: &mut PgConnection) -> Result<i64, StoreError> {
    let batch = sqlx::query_scalar!(r#"SELECT nextval('usage_batch_seq') AS "batch!""#);
    Ok(batch.fetch_one(connection).await?)
}

/// Notes what a batch holds of each organization, and that it is summed by these pairs of tags.
pub(crate) async fn note(
    connection: &mut PgConnection,
    batch: i64,
    spreads: &[Spread],
    pairs: &Pairs,
) -> Result<(), StoreError> {
    let mut shares: BTreeMap<Uuid, Share> = BTreeMap::new();
    for it in spreads {
        let share = shares.entry(it.organization).or_insert(Share {
            records: 0,
            first_at: it.at,
            last_at: it.at,
        });
        share.records += 1;
        share.first_at = share.first_at.min(it.at);
        share.last_at = share.last_at.max(it.at);
    }
    let organizations: Vec<Uuid> = shares.keys().copied().collect();
    let newest = shares.keys().map(|it| pairs.newest(*it));
    let newest: Vec<i64> = newest.collect();
    let records: Vec<i32> = shares.values().map(|it| it.records).collect();
    let firsts: Vec<OffsetDateTime> = shares.values().map(|it| it.first_at).collect();
    let lasts: Vec<OffsetDateTime> = shares.values().map(|it| it.last_at).collect();
    sqlx::query!(
        r#"INSERT INTO usage_batch (batch, organization, records, first_at, last_at, pairs_to)
           SELECT $1, it.* FROM unnest($2::uuid[], $3::integer[], $4::timestamptz[], $5::timestamptz[],
                                       $6::bigint[]) AS it"#,
        batch,
        &organizations,
        &records,
        &firsts,
        &lasts,
        &newest,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Numbers the batches that have none. Only for the one writer that folds.
pub(crate) async fn number(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE usage_batch SET number = nextval('usage_batch_number_seq') WHERE number IS NULL"
    )
    .execute(connection)
    .await?;
    Ok(())
}
