//! Usage: settled records, each stored once and added to the sums once.
//!
//! Never part of a policy edit. Refers to nothing: usage outlives what was used. A record and what it adds are written in
//! one transaction; what is stored already adds nothing.

use std::collections::HashSet;

use domain::sketch::Sketch;
use policy::{
    id::{LimitId, ModelId, OrganizationId, ProjectId, ProviderId, VersionId},
    region::Region,
    usage::Usage,
};
use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{
    column,
    error::StoreError,
    id::uuid,
    store::Store,
    usage_batch,
    usage_cell::Sums,
    usage_pair,
    usage_partial::{self, PARTIAL},
    usage_spread::{self, Spread},
};

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
    /// How much of the time until it could be sent was the edge's own, microseconds; zero where it never could.
    pub overhead_us: u64,
    /// How long it waited for turns at providers, microseconds.
    pub queue_us: u64,
    /// The trace in which it stands, 16 bytes; empty where it was not traced.
    pub trace_id: Vec<u8>,
    /// Why its answer ended: a number of the usage contract.
    pub finish: u8,
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
    /// For whom its client asked; empty when it did not say.
    pub end_user: String,
    /// The attempts that gave no answer, as the contract has them; opaque here.
    pub attempts: Vec<u8>,
    /// Why it went where it went, likewise; empty where that was not told.
    pub decision: Vec<u8>,
    /// All that was used, counter by counter. Not kept with the record: it is summed.
    pub usage: Usage,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stored {
    /// How many were stored now.
    pub stored: u32,
    /// How many were there already.
    pub duplicates: u32,
    /// How many are of days whose records were dropped, so that nobody can tell whether they were there.
    pub too_old: u32,
}

/// A record whose time and day the database knows.
#[derive(Clone, Copy)]
struct Dated<'a> {
    record: &'a UsageRecord,
    at: OffsetDateTime,
    day: Date,
}

// === impl Store ===

impl Store {
    /// Stores records and adds them to the sums, passing over those that are stored already; save that a partial one, which another
    /// edge made of a request, gives way to the request's own. All or, on an error, none.
    pub async fn insert_usage(
        &self,
        edge_id: &str,
        region: &Region,
        records: &[UsageRecord],
    ) -> Result<Stored, StoreError> {
        if records.is_empty() {
            return Ok(Stored::default());
        }
        let dated: Vec<Dated<'_>> = records.iter().map(Dated::of).collect::<Result<_, _>>()?;
        let _place = self.batch_place().await?;
        self.ensure_partitions(&dated).await?;
        let mut tx = self.transaction().await?;
        let horizon = horizon(&mut tx).await?;
        let all = dated.len();
        let mut kept: Vec<_> = dated
            .into_iter()
            .filter(|it| horizon.is_none_or(|horizon| it.day >= horizon))
            .collect();
        // Two batches with the same records wait for each other in one order.
        kept.sort_by_key(|it| (it.day, it.record.id, it.is_partial()));
        let batch = usage_batch::next(&mut tx).await?;
        let mut new = insert(&mut tx, (edge_id, region), batch, &kept).await?;
        // Looked for behind the insertion, which waits for whoever stores the same record now.
        let late: Vec<Dated<'_>> = kept
            .iter()
            .filter(|it| !it.is_partial() && !new.contains(&it.key()))
            .copied()
            .collect();
        let keys: Vec<(Date, Uuid)> = late.iter().map(Dated::key).collect();
        if usage_partial::give_way(&mut tx, &keys).await? {
            new.extend(insert(&mut tx, (edge_id, region), batch, &late).await?);
        }
        let spreads: Vec<Spread> = kept
            .iter()
            .filter(|it| new.remove(&it.key()))
            .map(|it| it.spread(region))
            .collect();
        let pairs = usage_spread::pairs(&mut tx, &spreads).await?;
        usage_batch::note(&mut tx, batch, &spreads, &pairs).await?;
        usage_spread::add(&mut tx, &spreads, &pairs).await?;
        tx.commit().await?;
        Ok(Stored::of(spreads.len(), kept.len(), all))
    }

    /// Makes the partitions of these days. Outside of the last month and tomorrow the default partition takes
    /// the rows, so that an edge with a wrong clock cannot make partitions without end.
    async fn ensure_partitions(&self, records: &[Dated<'_>]) -> Result<(), StoreError> {
        let days: Vec<Date> = records.iter().map(|it| it.day).collect();
        sqlx::query!(
            r#"SELECT ensure_usage_partition(day)
               FROM (SELECT DISTINCT day FROM unnest($1::date[]) AS it (day)) AS wanted
               WHERE day BETWEEN current_date - 31 AND current_date + 1
                 AND day >= coalesce((SELECT max(day) FROM usage_horizon), '-infinity')
               ORDER BY day"#,
            &days,
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(())
    }
}

/// The first day of which records are kept, if any was dropped. It stays so until the transaction ends: whoever drops days
/// waits for it.
async fn horizon(connection: &mut PgConnection) -> Result<Option<Date>, StoreError> {
    sqlx::query!("SELECT pg_advisory_xact_lock_shared(hashtext('usage_horizon'), 0)")
        .execute(&mut *connection)
        .await?;
    let horizon = sqlx::query_scalar!("SELECT max(day) FROM usage_horizon");
    Ok(horizon.fetch_one(connection).await?)
}

/// Stores those that are not there yet, and tells which these are.
async fn insert(
    connection: &mut PgConnection,
    (edge_id, region): (&str, &Region),
    batch: i64,
    dated: &[Dated<'_>],
) -> Result<HashSet<(Date, Uuid)>, StoreError> {
    let records = dated;
    let days: Vec<Date> = records.iter().map(|it| it.day).collect();
    let ats: Vec<OffsetDateTime> = records.iter().map(|it| it.at).collect();
    let uuids = |pick: fn(&UsageRecord) -> [u8; 16]| uuids(records, pick);
    let texts = |pick: fn(&UsageRecord) -> &str| texts(records, pick);
    let counts = |pick: fn(&UsageRecord) -> u64| counts(records, pick);
    let bytes = |pick: fn(&UsageRecord) -> &[u8]| bytes(records, pick);
    let numbers = |pick: fn(&UsageRecord) -> u8| -> Vec<i16> {
        records.iter().map(|it| pick(it.record).into()).collect()
    };
    let flags = |pick: fn(&UsageRecord) -> bool| -> Vec<bool> {
        records.iter().map(|it| pick(it.record)).collect()
    };
    let statuses: Vec<i32> = records.iter().map(|it| it.record.status.into()).collect();
    let new = sqlx::query_file!(
        "src/usage_insert.sql",
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
        &flags(|it| it.streamed),
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
        &flags(|it| it.cost_nano.is_some()),
        &bytes(|it| &it.charges),
        &texts(|it| &it.tags),
        &texts(|it| &it.end_user),
        &bytes(|it| &it.attempts),
        batch,
        &counts(|it| it.overhead_us),
        &counts(|it| it.queue_us),
        &bytes(|it| &it.trace_id),
        &numbers(|it| it.finish),
        &bytes(|it| &it.decision),
    )
    .fetch_all(connection)
    .await?;
    Ok(new.into_iter().map(|row| (row.day, row.id)).collect())
}

fn uuids(records: &[Dated<'_>], pick: fn(&UsageRecord) -> [u8; 16]) -> Vec<Uuid> {
    records.iter().map(|it| uuid(pick(it.record))).collect()
}

fn texts(records: &[Dated<'_>], pick: fn(&UsageRecord) -> &str) -> Vec<String> {
    records
        .iter()
        .map(|it| pick(it.record).to_owned())
        .collect()
}

fn bytes(records: &[Dated<'_>], pick: fn(&UsageRecord) -> &[u8]) -> Vec<Vec<u8>> {
    records.iter().map(|it| pick(it.record).to_vec()).collect()
}

fn counts(records: &[Dated<'_>], pick: fn(&UsageRecord) -> u64) -> Vec<i64> {
    let number = |it: &Dated<'_>| column::number(pick(it.record));
    records.iter().map(number).collect()
}

fn provider(record: &UsageRecord) -> Option<Uuid> {
    record.provider.map(|id| uuid(*id.as_bytes()))
}

fn providers(records: &[Dated<'_>]) -> Vec<Option<Uuid>> {
    records.iter().map(|it| provider(it.record)).collect()
}

/// Of each record, the ids of limits that it names, one behind the other.
fn joined(records: &[Dated<'_>]) -> Vec<Vec<u8>> {
    let ids = |it: &Dated<'_>| {
        let ids = it.record.over_limits.iter();
        ids.flat_map(|id| *id.as_bytes()).collect()
    };
    records.iter().map(ids).collect()
}

// === impl Stored ===

impl Stored {
    /// Of a batch of `all`, `kept` were young enough, and so many of these were stored now.
    fn of(stored: usize, kept: usize, all: usize) -> Self {
        let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        Self {
            stored: number(stored),
            duplicates: number(kept.saturating_sub(stored)),
            too_old: number(all.saturating_sub(kept)),
        }
    }
}

// === impl Dated ===

impl<'a> Dated<'a> {
    fn of(record: &'a UsageRecord) -> Result<Self, StoreError> {
        let at = column::moment(record.at_ms)?;
        let day = at.date();
        Ok(Self { record, at, day })
    }

    fn key(&self) -> (Date, Uuid) {
        (self.day, uuid(self.record.id))
    }

    const fn is_partial(&self) -> bool {
        self.record.outcome == PARTIAL
    }

    /// What it adds to the sums. How long a request took that is known in part is not among it.
    fn spread(&self, region: &Region) -> Spread {
        let it = self.record;
        let mut sums = Sums {
            requests: 1,
            estimated: i64::from(it.usage_source != 1),
            unpriced: i64::from(it.cost_nano.is_none()),
            cost_nano: column::number(it.cost_nano.unwrap_or(0)),
            counts: it.usage.counts().map(column::number),
            duration: Sketch::default(),
            first_byte: Sketch::default(),
            overhead: Sketch::default(),
        };
        if !self.is_partial() {
            sums.duration.add(it.duration_us);
        }
        if it.first_byte_us > 0 {
            sums.first_byte.add(it.first_byte_us);
        }
        if it.overhead_us > 0 {
            sums.overhead.add(it.overhead_us);
        }
        Spread {
            at: self.at,
            region: region.to_string(),
            organization: uuid(*it.organization.as_bytes()),
            project: uuid(*it.project.as_bytes()),
            key_id: it.key_id.clone(),
            model: uuid(*it.model.as_bytes()),
            version: uuid(*it.version.as_bytes()),
            provider: provider(it),
            status: it.status.into(),
            end_user: it.end_user.clone(),
            tags: it.tags.clone(),
            pairs_to: usage_pair::ALL,
            sums,
        }
    }
}
