//! Usage: settled records, each stored once, and their sums.
//!
//! Never part of a policy edit. Refers to nothing: usage outlives what was used, and then shows the id where
//! the name was.

use domain::name::OrganizationName;
use policy::{
    id::{LimitId, ModelId, OrganizationId, ProjectId, ProviderId, VersionId},
    region::Region,
};
use time::Date;
use uuid::Uuid;

use crate::{
    column,
    error::StoreError,
    id::uuid,
    named,
    store::Store,
    usage_groups::{self, Group},
};

/// The most rows of one answer.
const ROWS_MAX: usize = 10_000;

/// One finished request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// The request's id.
    pub id: [u8; 16],
    /// When it came, milliseconds since 1970. Its day in UTC is part of its key.
    pub at_ms: u64,
    /// Whose.
    pub organization: OrganizationId,
    /// Which project's.
    pub project: ProjectId,
    /// Which key's.
    pub key_id: String,
    /// The public model.
    pub model: ModelId,
    /// Its version.
    pub version: VersionId,
    /// The provider that served; `None` when none was reached.
    pub provider: Option<ProviderId>,
    /// The provider's name for the model.
    pub provider_model: String,
    /// The path.
    pub endpoint: String,
    /// How it ended: a number of the usage contract.
    pub outcome: u8,
    /// The status that the client got; zero when it was gone.
    pub status: u16,
    /// Whether it was a stream.
    pub streamed: bool,
    /// Where the counts come from: 1 the provider, 2 estimated, 3 partial.
    pub usage_source: u8,
    /// Input tokens that were not read from a cache.
    pub input_tokens: u64,
    /// Input tokens read from a cache.
    pub cached_input_tokens: u64,
    /// Output tokens without reasoning.
    pub output_tokens: u64,
    /// Reasoning tokens.
    pub reasoning_tokens: u64,
    /// The configuration revision that the request saw.
    pub revision: u64,
    /// From arrival to end, microseconds.
    pub duration_us: u64,
    /// From arrival to the first byte of the provider's body, microseconds; zero when none came.
    pub first_byte_us: u64,
    /// Bytes of the request that went to the provider, where they were counted.
    pub request_bytes: u64,
    /// Bytes of the answer that came from the provider, where they were counted.
    pub answer_bytes: u64,
    /// The limits that warn or only watch and had no room for it.
    pub over_limits: Vec<LimitId>,
    /// What it cost, nano-dollars; `None` where that is not known.
    pub cost_nano: Option<u64>,
    /// What was billed, as the contract has it; opaque here.
    pub charges: Vec<u8>,
    /// What its client said of it: a JSON object of texts, or nothing.
    pub tags: String,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// How many were stored now.
    pub stored: u32,
    /// How many were there already.
    pub duplicates: u32,
}

/// What to sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The first moment counted, milliseconds since 1970.
    pub start_ms: u64,
    /// The first moment not counted.
    pub end_ms: u64,
    /// By what to group.
    pub by: GroupBy,
    /// By the value of which tag, too; empty means: of none.
    pub tag_key: String,
}

/// By what to group; nothing means: one sum over all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a set of dimensions, each there or not"
)]
#[expect(missing_docs, reason = "each field is the dimension it is called by")]
pub struct GroupBy {
    pub day: bool,
    pub project: bool,
    pub key: bool,
    pub model: bool,
    pub provider: bool,
}

/// The sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// One for each group that has usage, in the order of its dimensions.
    pub rows: Vec<Sum>,
    /// Whether there were more than 10,000.
    pub truncated: bool,
}

/// One group. A dimension that was not asked for is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The day, in UTC.
    pub day: Option<Date>,
    /// The project's resource name.
    pub project: Option<String>,
    /// The key's resource name.
    pub key: Option<String>,
    /// The public model.
    pub model: Option<String>,
    /// The provider's resource name.
    pub provider: Option<String>,
    /// Requests that reached a provider.
    pub requests: i64,
    /// Input tokens that were not read from a cache.
    pub input_tokens: i64,
    /// Input tokens read from a cache.
    pub cached_input_tokens: i64,
    /// Output tokens without reasoning.
    pub output_tokens: i64,
    /// Reasoning tokens.
    pub reasoning_tokens: i64,
    /// Requests whose counts are ours and not the provider's.
    pub estimated_requests: i64,
    /// What those of them cost whose cost is known, nano-dollars.
    pub cost_nano: i64,
    /// Requests whose cost is not known.
    pub unpriced_requests: i64,
    /// The value of the tag; empty where a request has none.
    pub tag: Option<String>,
}

// === impl Store ===

impl Store {
    /// Stores records, passing over those that are stored already. All or, on an error, none.
    pub async fn insert_usage(
        &self,
        edge_id: &str,
        region: &Region,
        records: &[UsageRecord],
    ) -> Result<Stored, StoreError> {
        let ats = records
            .iter()
            .map(|it| column::moment(it.at_ms))
            .collect::<Result<Vec<_>, _>>()?;
        let days: Vec<Date> = ats.iter().map(|at| at.date()).collect();
        self.ensure_partitions(&days).await?;
        let uuids = |pick: fn(&UsageRecord) -> [u8; 16]| uuids(records, pick);
        let texts = |pick: fn(&UsageRecord) -> &str| texts(records, pick);
        let counts = |pick: fn(&UsageRecord) -> u64| counts(records, pick);
        let numbers = |pick: fn(&UsageRecord) -> u8| -> Vec<i16> {
            records.iter().map(|it| pick(it).into()).collect()
        };
        let statuses: Vec<i32> = records.iter().map(|it| it.status.into()).collect();
        let streamed: Vec<bool> = records.iter().map(|it| it.streamed).collect();
        let known: Vec<bool> = records.iter().map(|it| it.cost_nano.is_some()).collect();
        let charges: Vec<Vec<u8>> = records.iter().map(|it| it.charges.clone()).collect();
        let done = sqlx::query!(
            r#"INSERT INTO usage_record (
                   edge_id, region, day, id, at, organization, project, key_id, model,
                   model_version, provider, provider_model, endpoint, outcome, status, streamed,
                   usage_source, input_tokens, cached_input_tokens, output_tokens,
                   reasoning_tokens, revision, duration_us, first_byte_us,
                   request_bytes, answer_bytes, over_limits, cost_nano, cost_known, charges,
                   tags)
               SELECT $1, $2, it.* FROM unnest(
                   $3::date[], $4::uuid[], $5::timestamptz[], $6::uuid[], $7::uuid[], $8::text[],
                   $9::uuid[], $10::uuid[], $11::uuid[], $12::text[], $13::text[], $14::smallint[],
                   $15::integer[], $16::boolean[], $17::smallint[], $18::bigint[], $19::bigint[],
                   $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[],
                   $25::bigint[], $26::bigint[], $27::bytea[], $28::bigint[], $29::boolean[],
                   $30::bytea[], $31::text[]) AS it
               ON CONFLICT DO NOTHING"#,
            edge_id,
            region.as_str(),
            &days,
            &uuids(|it| it.id),
            &ats,
            &uuids(|it| *it.organization.as_bytes()),
            &uuids(|it| *it.project.as_bytes()),
            &texts(|it| &it.key_id),
            &uuids(|it| *it.model.as_bytes()),
            &uuids(|it| *it.version.as_bytes()),
            &providers(records) as &[Option<Uuid>],
            &texts(|it| &it.provider_model),
            &texts(|it| &it.endpoint),
            &numbers(|it| it.outcome),
            &statuses,
            &streamed,
            &numbers(|it| it.usage_source),
            &counts(|it| it.input_tokens),
            &counts(|it| it.cached_input_tokens),
            &counts(|it| it.output_tokens),
            &counts(|it| it.reasoning_tokens),
            &counts(|it| it.revision),
            &counts(|it| it.duration_us),
            &counts(|it| it.first_byte_us),
            &counts(|it| it.request_bytes),
            &counts(|it| it.answer_bytes),
            &joined(records),
            &counts(|it| it.cost_nano.unwrap_or(0)),
            &known,
            &charges,
            &texts(|it| &it.tags),
        )
        .execute(self.pool())
        .await?;
        Ok(Stored::of(done.rows_affected(), records.len()))
    }

    /// Makes the partitions of these days. Outside of the last month and tomorrow the default partition takes
    /// the rows, so that an edge with a wrong clock cannot make partitions without end.
    async fn ensure_partitions(&self, days: &[Date]) -> Result<(), StoreError> {
        sqlx::query!(
            r#"SELECT ensure_usage_partition(day)
               FROM (SELECT DISTINCT day FROM unnest($1::date[]) AS it (day)) AS wanted
               WHERE day BETWEEN current_date - 31 AND current_date + 1 ORDER BY day"#,
            days,
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }
}

fn uuids(records: &[UsageRecord], pick: fn(&UsageRecord) -> [u8; 16]) -> Vec<Uuid> {
    records.iter().map(|it| uuid(pick(it))).collect()
}

fn texts(records: &[UsageRecord], pick: fn(&UsageRecord) -> &str) -> Vec<String> {
    records.iter().map(|it| pick(it).to_owned()).collect()
}

fn counts(records: &[UsageRecord], pick: fn(&UsageRecord) -> u64) -> Vec<i64> {
    records.iter().map(|it| column::number(pick(it))).collect()
}

fn providers(records: &[UsageRecord]) -> Vec<Option<Uuid>> {
    let id = |it: &UsageRecord| it.provider.map(|id| uuid(*id.as_bytes()));
    records.iter().map(id).collect()
}

/// Of each record, the ids of limits that it names, one behind the other.
fn joined(records: &[UsageRecord]) -> Vec<Vec<u8>> {
    let ids = |it: &UsageRecord| {
        it.over_limits
            .iter()
            .flat_map(|id| *id.as_bytes())
            .collect()
    };
    records.iter().map(ids).collect()
}

/// Sums the usage of an organization.
pub async fn query(
    store: &Store,
    parent: &OrganizationName,
    query: &Query,
) -> Result<Sums, StoreError> {
    let mut connection = store.connection().await?;
    let organization = named::organization(&mut connection, parent).await?;
    let span = (
        column::moment(query.start_ms)?,
        column::moment(query.end_ms)?,
    );
    let GroupBy {
        day,
        project,
        key,
        model,
        provider,
    } = query.by;
    let by = [day, project || key, key, model, provider];
    let by = (by, query.tag_key.as_str());
    let mut groups =
        usage_groups::read(&mut connection, organization, span, by, ROWS_MAX + 1).await?;
    let truncated = groups.len() > ROWS_MAX;
    groups.truncate(ROWS_MAX);
    let rows = groups
        .into_iter()
        .map(|group| group.named(parent, query.by))
        .collect();
    Ok(Sums { rows, truncated })
}

// === impl Stored ===

impl Stored {
    /// Of a batch of `all` so many were stored now.
    fn of(stored: u64, all: usize) -> Self {
        let stored = u32::try_from(stored).unwrap_or(u32::MAX);
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        Self {
            stored,
            duplicates: all.saturating_sub(stored),
        }
    }
}

// === impl Group ===

impl Group {
    fn named(self, parent: &OrganizationName, by: GroupBy) -> Sum {
        let project = self.project.map(|it| format!("{parent}/projects/{it}"));
        let key = project.as_ref().zip(self.key_id);
        let key = key.map(|(project, it)| format!("{project}/keys/{it}"));
        Sum {
            day: self.day,
            // A key is named by its project too, whether or not that was asked for.
            project: project.filter(|_| by.project),
            key,
            model: self.model,
            provider: self.provider.map(|it| format!("{parent}/providers/{it}")),
            requests: self.requests,
            input_tokens: self.input_tokens,
            cached_input_tokens: self.cached_input_tokens,
            output_tokens: self.output_tokens,
            reasoning_tokens: self.reasoning_tokens,
            estimated_requests: self.estimated_requests,
            cost_nano: self.cost_nano,
            unpriced_requests: self.unpriced_requests,
            tag: self.tag,
        }
    }
}
