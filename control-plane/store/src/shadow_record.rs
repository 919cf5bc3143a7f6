//! What became of requests that were copied, and of their copies: each noted once as reports come in, and compared when somebody asks.
//!
//! Copies are here and nowhere else: no sum, budget, export or sink of usage reads this. What a copy adds to its shadow is written in the
//! transaction that notes it.

use std::time::Duration;

use policy::id::{ShadowId, VersionId};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{column, error::StoreError, id::uuid, store::Store, usage::UsageRecord};

/// How many of the newest requests are compared.
const COMPARED_MAX: i64 = 10_000; // Full: older ones are not looked at.

/// How many are told one by one.
const NEWEST_MAX: i64 = 20;

/// The most rows that one sweep takes away.
const SWEEP_ROWS_MAX: i64 = 5_000; // Full: the next sweep takes the rest.

/// One side of a request that was copied.
#[derive(Debug, Clone, Copy)]
pub struct Noted<'a> {
    /// The shadow.
    pub shadow: ShadowId,
    /// The client's request, where this is of a copy.
    pub copy_of: Option<[u8; 16]>,
    /// What became of it.
    pub record: &'a UsageRecord,
}

/// What became of one side of all requests that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Side {
    /// How many.
    pub requests: i64,
    /// What failed.
    pub errors: i64,
    /// Percentiles of the time to the first byte: 50 and 95, microseconds; zero where there was none.
    pub first_byte_us: (i64, i64),
    /// Likewise of the time to the end, of those that were answered whole.
    pub total_us: (i64, i64),
    /// Tokens that went in.
    pub input_tokens: i64,
    /// Tokens that came out.
    pub output_tokens: i64,
    /// Nano-dollars, as far as they are known.
    pub cost_nano: i64,
    /// How many have a cost that is not known.
    pub unpriced: i64,
    /// How many answers ended by themselves, for want of tokens, by a refusal, and with a call that nobody can make.
    pub finishes: [i64; 4],
}

/// What became of a request or a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct One {
    /// Its id.
    pub id: [u8; 16],
    /// Whether it is the copy.
    pub is_copy: bool,
    /// The version that served; `None` where it is deleted.
    pub version: Option<(VersionId, String)>,
    /// The provider's name; `None` where none was reached or it is deleted.
    pub provider: Option<String>,
    /// The provider's name for the model.
    pub provider_model: String,
    /// The status; zero where there was none.
    pub status: i32,
    /// Whether it failed.
    pub is_error: bool,
    /// Why its answer ended: a number of the usage contract.
    pub finish: i16,
    /// To the first byte, microseconds; zero where none came.
    pub first_byte_us: i64,
    /// To the end, microseconds.
    pub duration_us: i64,
    /// Tokens that went in.
    pub input_tokens: i64,
    /// Tokens that came out.
    pub output_tokens: i64,
    /// Nano-dollars; `None` where that is not known.
    pub cost_nano: Option<i64>,
}

/// What is to be noted, as columns.
#[derive(Default)]
struct Columns {
    shadows: Vec<Uuid>,
    requests: Vec<Uuid>,
    sides: Vec<i16>,
    ids: Vec<Uuid>,
    ats: Vec<OffsetDateTime>,
    versions: Vec<Uuid>,
    providers: Vec<Option<Uuid>>,
    provider_models: Vec<String>,
    outcomes: Vec<i16>,
    finishes: Vec<i16>,
    statuses: Vec<i32>,
    streamed: Vec<bool>,
    input_tokens: Vec<i64>,
    output_tokens: Vec<i64>,
    costs: Vec<Option<i64>>,
    durations: Vec<i64>,
    first_bytes: Vec<i64>,
    organizations: Vec<Uuid>,
}

/// How the two sides compare.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// What clients got.
    pub original: Side,
    /// What copies got.
    pub copy: Side,
    /// The newest requests, each before its copy.
    pub newest: Vec<One>,
}

// === impl Store ===

impl Store {
    /// Notes what became of them, passes over what is noted already or belongs to no shadow of its organization, and adds what copies have used to theirs.
    pub async fn note_shadows(&self, noted: &[Noted<'_>]) -> Result<(), StoreError> {
        if noted.is_empty() {
            return Ok(());
        }
        let it = Columns::of(noted)?;
        let mut tx = self.transaction().await?;
        // In one order, so that two batches which add to the same ones wait for each other.
        sqlx::query!(
            "SELECT id FROM shadow WHERE id = ANY($1) ORDER BY id FOR UPDATE",
            &it.shadows,
        )
        .fetch_all(&mut *tx)
        .await?;
        sqlx::query!(
            r#"WITH new AS (
                   INSERT INTO shadow_record (shadow, request, side, id, at, model_version, provider,
                       provider_model, outcome, finish, status, streamed, input_tokens, output_tokens,
                       cost_nano, duration_us, first_byte_us)
                   SELECT shadow, request, side, id, at, model_version, provider, provider_model, outcome,
                       finish, status, streamed, input_tokens, output_tokens, cost_nano, duration_us,
                       first_byte_us
                   FROM unnest(
                       $1::uuid[], $2::uuid[], $3::smallint[], $4::uuid[], $5::timestamptz[], $6::uuid[],
                       $7::uuid[], $8::text[], $9::smallint[], $10::smallint[], $11::integer[], $12::boolean[],
                       $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::uuid[])
                       AS it (shadow, request, side, id, at, model_version, provider, provider_model,
                              outcome, finish, status, streamed, input_tokens, output_tokens, cost_nano,
                              duration_us, first_byte_us, organization)
                   WHERE EXISTS (SELECT FROM shadow of JOIN model ON model.id = of.model
                                 WHERE of.id = it.shadow AND model.organization = it.organization)
                   ON CONFLICT DO NOTHING
                   RETURNING shadow, side, cost_nano
               ), more AS (
                   SELECT shadow, count(*) AS copies, coalesce(sum(cost_nano), 0)::bigint AS cost_nano,
                       count(*) FILTER (WHERE cost_nano IS NULL) AS unpriced
                   FROM new WHERE side = 2 GROUP BY shadow
               )
               UPDATE shadow SET copies = shadow.copies + more.copies,
                   cost_nano = shadow.cost_nano + more.cost_nano,
                   unpriced = shadow.unpriced + more.unpriced,
                   day = today.day,
                   day_cost_nano = more.cost_nano
                       + CASE WHEN shadow.day = today.day THEN shadow.day_cost_nano ELSE 0 END,
                   day_unpriced = more.unpriced
                       + CASE WHEN shadow.day = today.day THEN shadow.day_unpriced ELSE 0 END
               FROM more, (SELECT (now() AT TIME ZONE 'UTC')::date AS day) today
               WHERE shadow.id = more.shadow"#,
            &it.shadows,
            &it.requests,
            &it.sides,
            &it.ids,
            &it.ats,
            &it.versions,
            &it.providers as &[Option<Uuid>],
            &it.provider_models,
            &it.outcomes,
            &it.finishes,
            &it.statuses,
            &it.streamed,
            &it.input_tokens,
            &it.output_tokens,
            &it.costs as &[Option<i64>],
            &it.durations,
            &it.first_bytes,
            &it.organizations,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Compares the newest requests of a shadow that have both sides.
    pub async fn compare_shadow(&self, shadow: ShadowId) -> Result<Comparison, StoreError> {
        let shadow = uuid(*shadow.as_bytes());
        // An error is what the provider failed, answered with an error, or we cut: numbers of the usage contract.
        let sides = sqlx::query!(
            r#"SELECT it.side, count(*) AS "requests!",
                   count(*) FILTER (WHERE it.outcome IN (3, 4) OR it.status >= 400) AS "errors!",
                   percentile_disc(0.5) WITHIN GROUP (ORDER BY it.first_byte_us)
                       FILTER (WHERE it.first_byte_us > 0) AS first_byte_p50,
                   percentile_disc(0.95) WITHIN GROUP (ORDER BY it.first_byte_us)
                       FILTER (WHERE it.first_byte_us > 0) AS first_byte_p95,
                   percentile_disc(0.5) WITHIN GROUP (ORDER BY it.duration_us)
                       FILTER (WHERE it.outcome = 1 AND it.status < 400) AS total_p50,
                   percentile_disc(0.95) WITHIN GROUP (ORDER BY it.duration_us)
                       FILTER (WHERE it.outcome = 1 AND it.status < 400) AS total_p95,
                   sum(it.input_tokens)::bigint AS "input_tokens!",
                   sum(it.output_tokens)::bigint AS "output_tokens!",
                   coalesce(sum(it.cost_nano), 0)::bigint AS "cost_nano!",
                   count(*) FILTER (WHERE it.cost_nano IS NULL) AS "unpriced!",
                   count(*) FILTER (WHERE it.finish = 1) AS "whole!",
                   count(*) FILTER (WHERE it.finish = 2) AS "truncated!",
                   count(*) FILTER (WHERE it.finish = 3) AS "refused!",
                   count(*) FILTER (WHERE it.finish = 4) AS "miscalled!"
               FROM (SELECT copy.request FROM shadow_record copy
                     JOIN shadow_record own
                       ON own.shadow = copy.shadow AND own.request = copy.request AND own.side = 1
                     WHERE copy.shadow = $1 AND copy.side = 2
                     ORDER BY copy.request DESC LIMIT $2) AS pair
               JOIN shadow_record it ON it.shadow = $1 AND it.request = pair.request
               GROUP BY it.side"#,
            shadow,
            COMPARED_MAX,
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        let mut comparison = Comparison {
            newest: self.newest(shadow).await?,
            ..Comparison::default()
        };
        for it in sides {
            let us = |some: Option<i64>| some.unwrap_or(0);
            let side = Side {
                requests: it.requests,
                errors: it.errors,
                first_byte_us: (us(it.first_byte_p50), us(it.first_byte_p95)),
                total_us: (us(it.total_p50), us(it.total_p95)),
                input_tokens: it.input_tokens,
                output_tokens: it.output_tokens,
                cost_nano: it.cost_nano,
                unpriced: it.unpriced,
                finishes: [it.whole, it.truncated, it.refused, it.miscalled],
            };
            match it.side {
                1 => comparison.original = side,
                _ => comparison.copy = side,
            }
        }
        Ok(comparison)
    }

    /// The newest requests that have both sides, each before its copy.
    async fn newest(&self, shadow: Uuid) -> Result<Vec<One>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT it.id, it.side, it.model_version, version.name AS "version?",
                   provider.name AS "provider?", it.provider_model, it.status, it.finish,
                   (it.outcome IN (3, 4) OR it.status >= 400) AS "is_error!",
                   it.first_byte_us, it.duration_us, it.input_tokens, it.output_tokens, it.cost_nano
               FROM (SELECT copy.request FROM shadow_record copy
                     JOIN shadow_record own
                       ON own.shadow = copy.shadow AND own.request = copy.request AND own.side = 1
                     WHERE copy.shadow = $1 AND copy.side = 2
                     ORDER BY copy.request DESC LIMIT $2) AS pair
               JOIN shadow_record it ON it.shadow = $1 AND it.request = pair.request
               LEFT JOIN model_version version ON version.id = it.model_version
               LEFT JOIN provider ON provider.id = it.provider
               ORDER BY it.request DESC, it.side"#,
            shadow,
            NEWEST_MAX,
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        let ones = rows.into_iter().map(|row| One {
            id: row.id.into_bytes(),
            is_copy: row.side == 2,
            version: row
                .version
                .map(|name| (VersionId::from_bytes(row.model_version.into_bytes()), name)),
            provider: row.provider,
            provider_model: row.provider_model,
            status: row.status,
            is_error: row.is_error,
            finish: row.finish,
            first_byte_us: row.first_byte_us,
            duration_us: row.duration_us,
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            cost_nano: row.cost_nano,
        });
        Ok(ones.collect())
    }

    /// Takes away what is older than this; what copies have used stays known. Says how many rows went.
    pub async fn sweep_shadow_records(&self, kept: Duration) -> Result<u64, StoreError> {
        let swept = sqlx::query!(
            r#"DELETE FROM shadow_record WHERE (shadow, request, side) IN (
                   SELECT shadow, request, side FROM shadow_record
                   WHERE at < now() - $1::double precision * interval '1 second' LIMIT $2)"#,
            kept.as_secs_f64(),
            SWEEP_ROWS_MAX,
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(swept.rows_affected())
    }
}

// === impl Columns ===

impl Columns {
    fn of(noted: &[Noted<'_>]) -> Result<Self, StoreError> {
        let mut columns = Self::default();
        for Noted {
            shadow,
            copy_of,
            record: it,
        } in noted
        {
            columns.shadows.push(uuid(*shadow.as_bytes()));
            columns.requests.push(uuid(copy_of.unwrap_or(it.id)));
            columns.sides.push(1 + i16::from(copy_of.is_some()));
            columns.ids.push(uuid(it.id));
            columns.ats.push(column::moment(it.at_ms)?);
            columns.versions.push(uuid(*it.version.as_bytes()));
            let provider = it.provider.map(|id| uuid(*id.as_bytes()));
            columns.providers.push(provider);
            columns.provider_models.push(it.provider_model.clone());
            columns.outcomes.push(it.outcome.into());
            columns.finishes.push(it.finish.into());
            columns.statuses.push(it.status.into());
            columns.streamed.push(it.streamed);
            let (input, output) = (it.input_tokens, it.output_tokens);
            let input = column::number(input + it.cached_input_tokens);
            let output = column::number(output + it.reasoning_tokens);
            columns.input_tokens.push(input);
            columns.output_tokens.push(output);
            columns.costs.push(it.cost_nano.map(column::number));
            columns.durations.push(column::number(it.duration_us));
            columns.first_bytes.push(column::number(it.first_byte_us));
            let organization = uuid(*it.organization.as_bytes());
            columns.organizations.push(organization);
        }
        Ok(columns)
    }
}
