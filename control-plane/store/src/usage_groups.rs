//! Groups of sums as the database makes them, with the last segment of each name, or an id in hex where what was used is
//! gone.
//!
//! Reads sums and what is not folded into them yet in one statement, so that it sees each addition once. Never reads records.

use domain::grain::Piece;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    column,
    error::StoreError,
    usage_cell::{Sums, sums_of},
};

/// By what to group; nothing means: one sum over all of a facet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a set of dimensions, each there or not"
)]
#[expect(missing_docs, reason = "each field is the dimension it is called by")]
pub struct GroupBy {
    pub organization: bool,
    pub project: bool,
    pub key: bool,
    pub model: bool,
    pub version: bool,
    pub provider: bool,
    pub status: bool,
}

/// What is read.
pub(crate) struct Asked<'a> {
    pub(crate) organizations: Vec<Uuid>,
    pub(crate) facets: Vec<String>,
    pub(crate) pieces: &'a [Piece],
    pub(crate) by: GroupBy,
    pub(crate) percentiles: bool,
    pub(crate) unreached: bool,
    /// Only these; `None` means: all.
    pub(crate) projects: Option<Vec<Uuid>>,
    pub(crate) keys: Option<Vec<String>>,
    pub(crate) models: Option<Vec<Uuid>>,
    pub(crate) versions: Option<Vec<Uuid>>,
    pub(crate) providers: Option<Vec<Uuid>>,
    pub(crate) statuses: Option<Vec<i32>>,
    /// Does not concern the facet of all.
    pub(crate) labels: Option<Vec<String>>,
}

/// Which group. A dimension that is not grouped by is `None`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group {
    pub(crate) bucket_ms: u64,
    pub(crate) organization: Option<String>,
    pub(crate) project: Option<String>,
    pub(crate) key_id: Option<String>,
    pub(crate) model: Option<String>,
    /// The model's name, `/versions/` and its own.
    pub(crate) version: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) status: Option<i32>,
}

/// One group of one facet.
pub(crate) struct Read {
    pub(crate) group: Group,
    pub(crate) facet: String,
    pub(crate) label: Option<String>,
    pub(crate) sums: Sums,
}

/// The same as a row.
struct Row {
    bucket: i64,
    facet: String,
    label: Option<String>,
    organization: Option<String>,
    project: Option<String>,
    key_id: Option<String>,
    model: Option<String>,
    version: Option<String>,
    provider: Option<String>,
    status: Option<i32>,
    requests: i64,
    estimated: i64,
    unpriced: i64,
    cost_nano: i64,
    input: i64,
    cached_input: i64,
    cache_write: i64,
    cache_write_hour: i64,
    audio_input: i64,
    output: i64,
    reasoning: i64,
    audio_output: i64,
    images: i64,
    served: i64,
    units: i64,
    duration: Vec<u8>,
    first_byte: Vec<u8>,
    overhead: Vec<u8>,
}

/// The pieces as columns: bucket, grain, first moment, and the first one after.
type Pieces = (Vec<i64>, Vec<i16>, Vec<OffsetDateTime>, Vec<OffsetDateTime>);

fn columns(pieces: &[Piece]) -> Result<Pieces, StoreError> {
    let mut columns = Pieces::default();
    for it in pieces {
        columns.0.push(column::number(it.bucket_ms));
        columns.1.push(it.grain.number());
        columns.2.push(column::moment(it.from_ms)?);
        columns.3.push(column::moment(it.to_ms)?);
    }
    Ok(columns)
}

/// How many sums would be looked at, at most `max`.
pub(crate) async fn count(
    connection: &mut PgConnection,
    asked: &Asked<'_>,
    max: i64,
) -> Result<i64, StoreError> {
    let (_, grains, froms, tos) = columns(asked.pieces)?;
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM (
               SELECT FROM unnest($1::smallint[], $2::timestamptz[], $3::timestamptz[])
                   AS piece (grain, from_at, to_at)
               JOIN usage_sum it ON it.organization = ANY($4) AND it.facet = ANY($5)
                   AND it.grain = piece.grain
                   AND it.start >= piece.from_at AND it.start < piece.to_at
               LIMIT $6) AS looked_at"#,
        &grains,
        &froms,
        &tos,
        &asked.organizations,
        &asked.facets,
        max,
    );
    Ok(count.fetch_one(connection).await?)
}

/// The groups, at most `rows_max`.
pub(crate) async fn read(
    connection: &mut PgConnection,
    asked: &Asked<'_>,
    rows_max: usize,
) -> Result<Vec<Read>, StoreError> {
    let (buckets, grains, froms, tos) = columns(asked.pieces)?;
    let by = asked.by;
    let rows = sqlx::query_file_as!(
        Row,
        "src/usage_groups.sql",
        &buckets,
        &grains,
        &froms,
        &tos,
        &asked.organizations,
        &asked.facets,
        by.organization,
        by.project,
        by.key,
        by.model,
        by.version,
        by.provider,
        by.status,
        asked.percentiles,
        asked.unreached,
        asked.projects.as_deref() as Option<&[Uuid]>,
        asked.keys.as_deref() as Option<&[String]>,
        asked.models.as_deref() as Option<&[Uuid]>,
        asked.versions.as_deref() as Option<&[Uuid]>,
        asked.providers.as_deref() as Option<&[Uuid]>,
        asked.statuses.as_deref() as Option<&[i32]>,
        asked.labels.as_deref() as Option<&[String]>,
        i64::try_from(rows_max).unwrap_or(i64::MAX),
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::read).collect()
}

// === impl Row ===

impl Row {
    fn read(self) -> Result<Read, StoreError> {
        let sums = sums_of!(&self)?;
        let group = Group {
            bucket_ms: column::count(self.bucket),
            organization: self.organization,
            project: self.project,
            key_id: self.key_id,
            model: self.model,
            version: self.version,
            provider: self.provider,
            status: self.status,
        };
        Ok(Read {
            group,
            facet: self.facet,
            label: self.label,
            sums,
        })
    }
}
