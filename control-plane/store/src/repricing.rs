//! Settled usage, taken page by page to be priced anew.
//!
//! Knows rows and their order; what was billed is opaque here, and what it costs is for whoever asks.

use domain::name::OrganizationName;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{
    column,
    error::StoreError,
    named,
    store::Store,
    usage_cell::Sums,
    usage_pair,
    usage_spread::{self, Spread},
};

/// The most records of one page.
pub const PAGE_MAX: i64 = 1_000;

/// Where a page begins: behind this record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    at: OffsetDateTime,
    id: Uuid,
}

/// A record, as far as its price goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priceable {
    day: Date,
    id: Uuid,
    at: OffsetDateTime,
    /// When its request came, milliseconds since 1970.
    pub at_ms: u64,
    /// What it cost, nano-dollars; `None` where that is not known.
    pub cost_nano: Option<u64>,
    /// What was billed, as the contract has it.
    pub charges: Vec<u8>,
}

/// A record's new price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repriced {
    /// The record as it was read.
    pub of: Priceable,
    /// What it costs; `None` where that is not known.
    pub cost_nano: Option<u64>,
    /// What was billed, with its prices, as the contract has it.
    pub charges: Vec<u8>,
}

/// The next records of an organization from one moment until before another, at most [`PAGE_MAX`], in the order of
/// their times.
pub async fn page(
    store: &Store,
    parent: &OrganizationName,
    (start_ms, end_ms): (u64, u64),
    after: Option<After>,
) -> Result<Vec<Priceable>, StoreError> {
    let mut connection = store.connection().await?;
    let organization = named::organization(&mut connection, parent).await?;
    let (start, end) = (column::moment(start_ms)?, column::moment(end_ms)?);
    let after = after.unwrap_or(After {
        at: start,
        id: Uuid::nil(),
    });
    let rows = sqlx::query!(
        r#"SELECT day, id, at, cost_nano, cost_known, charges FROM usage_record
           WHERE organization = $1 AND at >= $2 AND at < $3 AND (at, id) > ($2, $4)
             AND day BETWEEN ($2 AT TIME ZONE 'UTC')::date AND ($3 AT TIME ZONE 'UTC')::date
           ORDER BY at, id LIMIT $5"#,
        organization,
        after.at,
        end,
        after.id,
        PAGE_MAX,
    )
    .fetch_all(&mut *connection)
    .await?;
    let rows = rows.into_iter().map(|row| Priceable {
        day: row.day,
        id: row.id,
        at: row.at,
        at_ms: column::milliseconds(row.at),
        cost_nano: row.cost_known.then(|| column::count(row.cost_nano)),
        charges: row.charges,
    });
    Ok(rows.collect())
}

/// Writes what records cost now, and amends the sums by it; all of them or, on an error, none. A record whose price was
/// changed by somebody else since it was read stays as it is. Says how many were written.
pub async fn write(store: &Store, repriced: &[Repriced]) -> Result<u64, StoreError> {
    let days: Vec<Date> = repriced.iter().map(|it| it.of.day).collect();
    let ids: Vec<Uuid> = repriced.iter().map(|it| it.of.id).collect();
    let before: Vec<Vec<u8>> = repriced.iter().map(|it| it.of.charges.clone()).collect();
    let nano = |cost: Option<u64>| column::number(cost.unwrap_or(0));
    let costs_before: Vec<i64> = repriced.iter().map(|it| nano(it.of.cost_nano)).collect();
    let known_before: Vec<bool> = repriced
        .iter()
        .map(|it| it.of.cost_nano.is_some())
        .collect();
    let costs: Vec<i64> = repriced.iter().map(|it| nano(it.cost_nano)).collect();
    let known: Vec<bool> = repriced.iter().map(|it| it.cost_nano.is_some()).collect();
    let charges: Vec<Vec<u8>> = repriced.iter().map(|it| it.charges.clone()).collect();
    let mut tx = store.transaction().await?;
    usage_pair::hold(&mut tx).await?;
    let written = sqlx::query!(
        r#"UPDATE usage_record SET cost_nano = it.cost, cost_known = it.known, charges = it.charges
           FROM unnest($1::date[], $2::uuid[], $3::bytea[], $4::bigint[], $5::boolean[],
                       $6::bytea[], $7::bigint[], $8::boolean[])
               AS it (day, id, before, cost, known, charges, cost_before, known_before)
           WHERE usage_record.day = it.day AND usage_record.id = it.id
             AND usage_record.charges = it.before AND usage_record.cost_nano = it.cost_before
             AND usage_record.cost_known = it.known_before
           RETURNING batch, at, region, organization, project, key_id, model, model_version, provider,
               status, end_user, tags, it.cost - it.cost_before AS "more!",
               it.known_before::integer - it.known::integer AS "unpriced!""#,
        &days,
        &ids,
        &before,
        &costs,
        &known,
        &charges,
        &costs_before,
        &known_before,
    )
    .fetch_all(&mut *tx)
    .await?;
    let count = written.len();
    // What stands in no sum yet will be added as it costs now.
    let batches = written.iter().filter_map(|row| row.batch);
    let summed = usage_pair::summed_to(&mut tx, batches).await?;
    let added = written.into_iter().filter(|row| row.batch.is_some());
    let spreads: Vec<Spread> = added
        .map(|row| Spread {
            at: row.at,
            region: row.region,
            organization: row.organization,
            project: row.project,
            key_id: row.key_id,
            model: row.model,
            version: row.model_version,
            provider: row.provider,
            status: row.status,
            end_user: row.end_user,
            tags: row.tags,
            pairs_to: summed.of(row.batch, row.organization),
            sums: Sums {
                cost_nano: row.more,
                unpriced: row.unpriced.into(),
                ..Sums::default()
            },
        })
        .collect();
    let pairs = usage_spread::pairs(&mut tx, &spreads).await?;
    usage_spread::amend(&mut tx, &spreads, &pairs).await?;
    tx.commit().await?;
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

// === impl Priceable ===

impl Priceable {
    /// Behind this one.
    pub const fn after(&self) -> After {
        After {
            at: self.at,
            id: self.id,
        }
    }
}
