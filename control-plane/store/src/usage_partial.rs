//! Partial records: what another edge told of a request whose own edge was gone. They give way to the request's own record.
//!
//! What they had added to the sums is taken out in the transaction in which they go, so that sums are equal to the records before and
//! after. What they had billed is in their four counts, and their times are in no sum.

use policy::usage::{Counter, Usage};
use sqlx::PgConnection;
use time::Date;
use uuid::Uuid;

use crate::{
    column,
    error::StoreError,
    usage_cell::Sums,
    usage_pair::{self, Pairs},
    usage_spread::{self, Spread},
};

/// How a request ended whose record is partial: the number of the usage contract.
pub const PARTIAL: u8 = 6;

/// Takes away those of these records that are partial, and what they have added. Says whether there were any.
pub(crate) async fn give_way(
    connection: &mut PgConnection,
    keys: &[(Date, Uuid)],
) -> Result<bool, StoreError> {
    if keys.is_empty() {
        return Ok(false);
    }
    let (days, ids): (Vec<Date>, Vec<Uuid>) = keys.iter().copied().unzip();
    let gone = sqlx::query!(
        r#"WITH gone AS (
               DELETE FROM usage_record AS it
               USING unnest($1::date[], $2::uuid[]) AS wanted (day, id)
               WHERE it.day = wanted.day AND it.id = wanted.id AND it.outcome = $3
               RETURNING it.*
           ), fewer AS (
               UPDATE usage_batch SET records = usage_batch.records - it.records
               FROM (SELECT batch, organization, count(*)::integer AS records
                     FROM gone GROUP BY 1, 2) AS it
               WHERE usage_batch.batch = it.batch AND usage_batch.organization = it.organization
           )
           SELECT at, region, organization, project, key_id, model, model_version, provider,
               status, end_user, tags, usage_source, cost_nano, cost_known, input_tokens,
               cached_input_tokens, output_tokens, reasoning_tokens
           FROM gone"#,
        &days,
        &ids,
        i16::from(PARTIAL),
    )
    .fetch_all(&mut *connection)
    .await?;
    let spreads: Vec<Spread> = gone
        .into_iter()
        .map(|row| {
            let usage = Usage::default()
                .with(Counter::Input, column::count(row.input_tokens))
                .with(Counter::CachedInput, column::count(row.cached_input_tokens))
                .with(Counter::Output, column::count(row.output_tokens))
                .with(Counter::Reasoning, column::count(row.reasoning_tokens));
            Spread {
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
                // It has no tags, so that it is part of no sums by two.
                tags: row.tags,
                pairs_to: usage_pair::ALL,
                sums: Sums {
                    requests: -1,
                    estimated: -i64::from(row.usage_source != 1),
                    unpriced: -i64::from(!row.cost_known),
                    cost_nano: -row.cost_nano,
                    counts: usage.counts().map(|count| -column::number(count)),
                    ..Sums::default()
                },
            }
        })
        .collect();
    usage_spread::amend(connection, &spreads, &Pairs::default()).await?;
    Ok(!spreads.is_empty())
}
