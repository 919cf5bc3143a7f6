//! Records as they are kept: one by its id, and all of them in the order in which they were counted.
//!
//! Names stand where ids were, and ids in hex where what was used is gone. What was billed and which attempts failed is
//! opaque here.

use domain::name::OrganizationName;
use policy::id::{OrganizationId, ProjectId};
use sqlx::PgConnection;
use time::Date;
use uuid::Uuid;

use crate::{column, error::StoreError, id::drawn_ms, named, store::Store, usage_query::Whose};

/// How many records a chunk has before no other batch is added.
const CHUNK: i64 = 500; // Full: the next chunk has the others; a batch has at most as many again.

/// The most batches of a chunk.
const BATCHES_MAX: i64 = 256; // Full: as above.

/// A record as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is what the contract calls so")]
pub struct Kept {
    pub id: [u8; 16],
    pub at_ms: u64,
    /// The last segments of names.
    pub organization: String,
    pub project: String,
    pub key_id: String,
    /// `None` where none was named.
    pub model: Option<String>,
    pub version: Option<String>,
    /// `None` where none was reached.
    pub provider: Option<String>,
    pub provider_model: String,
    pub endpoint: String,
    pub outcome: u8,
    pub status: i32,
    pub streamed: bool,
    pub usage_source: u8,
    pub input_tokens: i64,
    pub cached_input_tokens: i64,
    pub output_tokens: i64,
    pub reasoning_tokens: i64,
    pub cost_nano: Option<i64>,
    pub duration_us: i64,
    pub first_byte_us: i64,
    pub overhead_us: i64,
    pub queue_us: i64,
    /// 16 bytes; empty where it was not traced.
    pub trace_id: Vec<u8>,
    /// A number of the usage contract.
    pub finish: u8,
    pub request_bytes: i64,
    pub answer_bytes: i64,
    pub revision: i64,
    pub edge: String,
    pub region: String,
    pub end_user: String,
    /// A JSON object of texts, or nothing.
    pub tags: String,
    /// What was billed, as the contract has it.
    pub charges: Vec<u8>,
    /// The attempts that gave no answer, likewise.
    pub attempts: Vec<u8>,
    /// Why it went where it went, likewise; empty where that was not told.
    pub decision: Vec<u8>,
}

/// Some records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// In the order in which they were counted.
    pub records: Vec<Kept>,
    /// The number of the last batch that was looked at.
    pub number: i64,
    /// How many records those batches have, wanted or not.
    pub looked_at: i64,
}

/// The organization, and the project if only one is wanted.
async fn scope(
    connection: &mut PgConnection,
    whose: &Whose,
) -> Result<(Uuid, Option<Uuid>), StoreError> {
    match whose {
        Whose::Organization(name) => Ok((named::organization(connection, name).await?, None)),
        Whose::Project(name) => {
            let (project, organization) = named::project(connection, name).await?;
            let project = Uuid::from_bytes(*project.as_bytes());
            Ok((Uuid::from_bytes(*organization.as_bytes()), Some(project)))
        }
        Whose::Everybody => Err(StoreError::broken("records are read of one organization")),
    }
}

/// The record with this id, which holds its time.
pub async fn get(store: &Store, whose: &Whose, id: [u8; 16]) -> Result<Kept, StoreError> {
    let mut connection = store.connection().await?;
    let (organization, project) = scope(&mut connection, whose).await?;
    let found = find(&mut connection, (organization, project), id).await?;
    found.ok_or_else(|| {
        let parent = match whose {
            Whose::Everybody => String::new(),
            Whose::Organization(name) => name.to_string(),
            Whose::Project(name) => name.to_string(),
        };
        let id = Uuid::from_bytes(id);
        let name = format!("the record of the request {id} of {parent}");
        StoreError::NotFound { name }
    })
}

/// The record with this id, if it is one of this project.
pub async fn recall(
    store: &Store,
    (organization, project): (OrganizationId, ProjectId),
    id: [u8; 16],
) -> Result<Option<Kept>, StoreError> {
    let mut connection = store.connection().await?;
    let organization = Uuid::from_bytes(*organization.as_bytes());
    let project = Uuid::from_bytes(*project.as_bytes());
    find(&mut connection, (organization, Some(project)), id).await
}

/// The record with this id, which holds its time.
async fn find(
    connection: &mut PgConnection,
    (organization, project): (Uuid, Option<Uuid>),
    id: [u8; 16],
) -> Result<Option<Kept>, StoreError> {
    // An edge takes both from one clock, a moment apart.
    let Ok(drawn) = column::moment(drawn_ms(id)) else {
        return Ok(None);
    };
    let id = Uuid::from_bytes(id);
    let days = sqlx::query_scalar!(
        r#"SELECT day FROM usage_record
           WHERE id = $1 AND organization = $2 AND ($3::uuid IS NULL OR project = $3)
             AND day BETWEEN $4::date - 1 AND $4::date + 1"#,
        id,
        organization,
        project,
        drawn.date(),
    );
    let days = days.fetch_all(&mut *connection).await?;
    let ids = vec![id; days.len()];
    let found = records(connection, &days, &ids).await?;
    Ok(found.into_iter().next())
}

/// The next records behind a batch, of requests from one moment until before another; `None` where there are no more.
pub async fn export(
    store: &Store,
    whose: &Whose,
    (start_ms, end_ms): (u64, u64),
    after: i64,
) -> Result<Option<Chunk>, StoreError> {
    let mut connection = store.connection().await?;
    let (organization, project) = scope(&mut connection, whose).await?;
    let (start, end) = (column::moment(start_ms)?, column::moment(end_ms)?);
    let next = sqlx::query!(
        r#"WITH next AS (
               SELECT batch, number, records, first_at, last_at,
                      sum(records) OVER (ORDER BY number) - records AS before
               FROM (SELECT * FROM usage_batch
                     WHERE organization = $1 AND number > $2 AND last_at >= $3 AND first_at < $4
                     ORDER BY number LIMIT $5) AS it
           )
           SELECT array_agg(batch ORDER BY number) AS "batches?", max(number) AS number,
                  sum(records) AS records, min(first_at) AS first_at, max(last_at) AS last_at
           FROM next WHERE before < $6"#,
        organization,
        after,
        start,
        end,
        BATCHES_MAX,
        CHUNK,
    )
    .fetch_one(&mut *connection)
    .await?;
    let (Some(batches), Some(number), Some(first_at), Some(last_at)) =
        (next.batches, next.number, next.first_at, next.last_at)
    else {
        return Ok(None);
    };
    let keys = sqlx::query!(
        r#"SELECT day, id FROM usage_record
           WHERE batch = ANY($1) AND organization = $2 AND ($3::uuid IS NULL OR project = $3)
             AND at >= $4 AND at < $5 AND day BETWEEN $6 AND $7
           ORDER BY array_position($1, batch), at, id"#,
        &batches,
        organization,
        project,
        start,
        end,
        first_at.date(),
        last_at.date(),
    )
    .fetch_all(&mut *connection)
    .await?;
    let (days, ids): (Vec<Date>, Vec<Uuid>) = keys.into_iter().map(|it| (it.day, it.id)).unzip();
    Ok(Some(Chunk {
        records: records(&mut connection, &days, &ids).await?,
        number,
        looked_at: next.records.unwrap_or(0),
    }))
}

/// How many records stand behind a batch, of an organization or of the one of a project.
pub async fn remaining(store: &Store, whose: &Whose, after: i64) -> Result<i64, StoreError> {
    let mut connection = store.connection().await?;
    let (organization, _) = scope(&mut connection, whose).await?;
    let remaining = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(records), 0)::bigint AS "remaining!" FROM usage_batch
           WHERE organization = $1 AND number > $2"#,
        organization,
        after,
    );
    Ok(remaining.fetch_one(&mut *connection).await?)
}

/// The name of each of these providers of an organization that is still there.
pub async fn provider_names(
    store: &Store,
    organization: &OrganizationName,
) -> Result<Vec<([u8; 16], String)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT it.id, it.name FROM provider it
           JOIN organization ON organization.id = it.organization WHERE organization.name = $1"#,
        organization.organization.as_str(),
    )
    .fetch_all(&mut *store.connection().await?)
    .await?;
    let names = rows
        .into_iter()
        .map(|row| (row.id.into_bytes(), row.name))
        .collect();
    Ok(names)
}

/// The records with these ids, in this order. Each comes with its day.
pub(crate) async fn records(
    connection: &mut PgConnection,
    days: &[Date],
    ids: &[Uuid],
) -> Result<Vec<Kept>, StoreError> {
    let rows = sqlx::query_file!("src/usage_read.sql", days, ids)
        .fetch_all(connection)
        .await?;
    let number = |it: i16| u8::try_from(it).unwrap_or_default();
    let records = rows.into_iter().map(|row| Kept {
        id: row.id.into_bytes(),
        at_ms: column::milliseconds(row.at),
        organization: row.organization,
        project: row.project,
        key_id: row.key_id,
        model: row.model,
        version: row.version,
        provider: row.provider,
        provider_model: row.provider_model,
        endpoint: row.endpoint,
        outcome: number(row.outcome),
        status: row.status,
        streamed: row.streamed,
        usage_source: number(row.usage_source),
        input_tokens: row.input_tokens,
        cached_input_tokens: row.cached_input_tokens,
        output_tokens: row.output_tokens,
        reasoning_tokens: row.reasoning_tokens,
        cost_nano: row.cost_known.then_some(row.cost_nano),
        duration_us: row.duration_us,
        first_byte_us: row.first_byte_us,
        overhead_us: row.overhead_us,
        queue_us: row.queue_us,
        trace_id: row.trace_id,
        finish: number(row.finish),
        request_bytes: row.request_bytes,
        answer_bytes: row.answer_bytes,
        revision: row.revision,
        edge: row.edge_id,
        region: row.region,
        end_user: row.end_user,
        tags: row.tags,
        charges: row.charges,
        attempts: row.attempts,
        decision: row.decision,
    });
    Ok(records.collect())
}
