//! Questions about usage, answered from sums.
//!
//! Owns what may be asked together and what the answer is called. Of one facet (a tag, or end users) what has none is what
//! is left of all requests when those are taken away that have one.

use std::collections::BTreeMap;

use domain::{
    grain::{Bucketing, Piece, Shifts},
    name::{OrganizationName, ProjectName},
    sketch::Sketch,
};
use policy::usage::Usage;
use sqlx::PgConnection;
use time::Date;
use uuid::Uuid;

use crate::{
    column,
    error::StoreError,
    named,
    store::Store,
    usage_cell::Sums,
    usage_groups::{self, Asked, Group, Read},
    usage_label::{self, Label, Labels},
    usage_shift,
};

pub use crate::usage_groups::GroupBy;

/// The most rows of one answer.
pub const ROWS_MAX: usize = 10_000; // Full: the answer says that it is cut.

/// The most sums whose sketches are read for one answer.
const SKETCHES_MAX: i64 = 100_000; // Full: the question is refused.

/// Whose usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// That of all organizations.
    Everybody,
    /// That of one.
    Organization(OrganizationName),
    /// That of one of its projects.
    Project(ProjectName),
}

/// Which part of a request is grouped by besides its dimensions; one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Facet {
    /// None.
    #[default]
    None,
    /// For whom the client asked.
    EndUser,
    /// The value of this tag.
    Tag(String),
}

/// Only these; an empty list means: all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Projects, by the last segments of their names, or by ids in hex.
    pub projects: Vec<String>,
    /// Keys, by their ids.
    pub keys: Vec<String>,
    /// Models, likewise.
    pub models: Vec<String>,
    /// Versions, likewise.
    pub versions: Vec<String>,
    /// Providers, likewise.
    pub providers: Vec<String>,
    /// Statuses that clients got.
    pub statuses: Vec<i32>,
    /// End users or values of the tag, whichever the facet is.
    pub labels: Vec<String>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Whose usage.
    pub whose: Whose,
    /// The first moment counted and the first one that is not, milliseconds since 1970; whole quarters of an hour.
    pub range: (u64, u64),
    /// Into what the range is divided.
    pub bucketing: Bucketing,
    /// By what to group.
    pub by: GroupBy,
    /// By what else.
    pub facet: Facet,
    /// Only these.
    pub filter: Filter,
    /// Whether durations are wanted.
    pub percentiles: bool,
    /// Whether requests count that reached no provider.
    pub unreached: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The store failed, or what is named does not exist.
    Store(StoreError),
    /// More buckets than an answer holds.
    Buckets(domain::grain::TooManyBuckets),
    /// More sums than percentiles are made of.
    Sketches,
    /// This tag is not summed, because other tags had come before it.
    NotSummed,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// One for each group that has usage, in the order of its dimensions.
    pub rows: Vec<Sum>,
    /// Whether there were more than [`ROWS_MAX`].
    pub truncated: bool,
}

/// One group. A dimension that was not asked for is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The first moment of its bucket, milliseconds since 1970.
    pub bucket_ms: u64,
    /// The organization's resource name.
    pub organization: Option<String>,
    /// The project's.
    pub project: Option<String>,
    /// The key's.
    pub key: Option<String>,
    /// The public model.
    pub model: Option<String>,
    /// The version's resource name.
    pub version: Option<String>,
    /// The provider's.
    pub provider: Option<String>,
    /// The status that clients got.
    pub status: Option<i32>,
    /// For whom the client asked; empty where it did not say.
    pub end_user: Option<String>,
    /// The value of the tag; empty where a request has none.
    pub tag: Option<String>,
    /// Whether it stands for all that are not told apart: of end users, values or tokens.
    pub other: bool,
    /// Requests.
    pub requests: i64,
    /// Of those, whose counts are ours and not the provider's.
    pub estimated_requests: i64,
    /// Of those, whose cost is not known.
    pub unpriced_requests: i64,
    /// What the others cost, nano-dollars.
    pub cost_nano: i64,
    /// What was used, by counter.
    pub usage: Usage,
    /// From arrival to end, microseconds; empty where it was not asked for.
    pub duration: Sketch,
    /// From arrival to the first byte, of those that had one.
    pub first_byte: Sketch,
    /// The gateway's own part, of those that could be sent.
    pub overhead: Sketch,
}

/// Answers it.
pub async fn query(store: &Store, query: &Query) -> Result<Answer, NoAnswer> {
    let mut tx = store.transaction().await?;
    // Sums lie in short runs of an index, which statistics of a table that grows by the second do not tell; and groups are to be
    // put together in memory.
    sqlx::query!(
        "SELECT set_config('enable_seqscan', 'off', true) AS by_index,
                set_config('work_mem', '64MB', true) AS in_memory"
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(StoreError::from)?;
    let connection = &mut *tx;
    let whose = whose(connection, &query.whose).await?;
    let shifts = match &whose.0[..] {
        [one] => usage_shift::of(connection, *one).await?,
        _ => Shifts::new(),
    };
    let pieces = query.bucketing.pieces(query.range, &shifts);
    let pieces = pieces.map_err(NoAnswer::Buckets)?;
    let asked = asked(connection, query, whose, &pieces).await?;
    if let Facet::Tag(key) = &query.facet {
        check_summed(connection, &asked.organizations, key, query.range).await?;
    }
    let looked_at = asked.percentiles.then_some(SKETCHES_MAX + 1);
    if let Some(max) = looked_at
        && usage_groups::count(connection, &asked, max).await? > SKETCHES_MAX
    {
        return Err(NoAnswer::Sketches);
    }
    let read = usage_groups::read(connection, &asked, ROWS_MAX + 1).await?;
    tx.rollback().await.map_err(StoreError::from)?;
    if let [one] = &asked.organizations[..] {
        let wanted = query.bucketing.wanted(&pieces);
        usage_shift::ask(store, *one, (&wanted, &shifts)).await?;
    }
    let truncated = read.len() > ROWS_MAX;
    let mut groups = split(read, query, truncated);
    groups.truncate(ROWS_MAX);
    let rows = groups.into_iter().map(|it| query.named(it)).collect();
    Ok(Answer { rows, truncated })
}

/// The organizations, and the project where it is one's.
async fn whose(
    connection: &mut PgConnection,
    whose: &Whose,
) -> Result<(Vec<Uuid>, Option<Uuid>), StoreError> {
    match whose {
        Whose::Everybody => {
            let all = sqlx::query_scalar!("SELECT id FROM organization");
            Ok((all.fetch_all(&mut *connection).await?, None))
        }
        Whose::Organization(name) => Ok((vec![named::organization(connection, name).await?], None)),
        Whose::Project(name) => {
            let (project, organization) = named::project(connection, name).await?;
            let (project, organization) = (project.as_bytes(), organization.as_bytes());
            let organization = Uuid::from_bytes(*organization);
            Ok((vec![organization], Some(Uuid::from_bytes(*project))))
        }
    }
}

async fn asked<'a>(
    connection: &mut PgConnection,
    query: &Query,
    (organizations, project): (Vec<Uuid>, Option<Uuid>),
    pieces: &'a [Piece],
) -> Result<Asked<'a>, StoreError> {
    let filter = &query.filter;
    let mut projects = ids(connection, Kind::Project, &organizations, &filter.projects).await?;
    if let Some(project) = project {
        let only = projects.is_none_or(|them| them.contains(&project));
        projects = Some(if only { vec![project] } else { Vec::new() });
    }
    let models = ids(connection, Kind::Model, &organizations, &filter.models).await?;
    let versions = ids(connection, Kind::Version, &organizations, &filter.versions).await?;
    let providers = ids(
        connection,
        Kind::Provider,
        &organizations,
        &filter.providers,
    )
    .await?;
    let some = |them: &[String]| (!them.is_empty()).then(|| them.to_vec());
    let labels = some(&filter.labels);
    let apart = match &query.facet {
        Facet::None => None,
        Facet::EndUser => Some(usage_label::USER.to_owned()),
        Facet::Tag(key) => Some(usage_label::tag(key)),
    };
    // What has none is wanted where all are, or where the empty one is.
    let rest = labels
        .as_ref()
        .is_none_or(|them| them.iter().any(String::is_empty));
    let all = (apart.is_none() || rest).then(|| usage_label::ALL.to_owned());
    // A key is named by its project too, whether or not that was asked for; and all by their organization.
    let mut by = query.by;
    by.project |= by.key;
    by.organization |= query.whose == Whose::Everybody && (by.project || by.version || by.provider);
    Ok(Asked {
        organizations,
        facets: all.into_iter().chain(apart).collect(),
        pieces,
        by,
        percentiles: query.percentiles,
        unreached: query.unreached,
        projects,
        keys: some(&filter.keys),
        models,
        versions,
        providers,
        statuses: (!filter.statuses.is_empty()).then(|| filter.statuses.clone()),
        // To know what is left, all others must be known.
        labels: labels.filter(|_| !rest),
    })
}

#[derive(Clone, Copy)]
enum Kind {
    Project,
    Model,
    Version,
    Provider,
}

/// The ids of these names; what is gone is called by its id. `None` means: all.
async fn ids(
    connection: &mut PgConnection,
    kind: Kind,
    organizations: &[Uuid],
    names: &[String],
) -> Result<Option<Vec<Uuid>>, StoreError> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut ids = sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM project
           WHERE $1 = 0 AND organization = ANY($2) AND name = ANY($3)
           UNION ALL SELECT id FROM model
           WHERE $1 = 1 AND organization = ANY($2) AND name = ANY($3)
           UNION ALL SELECT it.id FROM model_version it JOIN model ON model.id = it.model
           WHERE $1 = 2 AND organization = ANY($2) AND it.name = ANY($3)
           UNION ALL SELECT id FROM provider
           WHERE $1 = 3 AND organization = ANY($2) AND name = ANY($3)"#,
        kind as i32,
        organizations,
        names,
    )
    .fetch_all(connection)
    .await?;
    ids.extend(names.iter().filter_map(|it| Uuid::try_parse(it).ok()));
    Ok(Some(ids))
}

/// Whether this tag was always summed, as far as the range goes.
async fn check_summed(
    connection: &mut PgConnection,
    organizations: &[Uuid],
    key: &str,
    (start_ms, end_ms): (u64, u64),
) -> Result<(), NoAnswer> {
    let month = |ms: u64| -> Result<Date, StoreError> {
        let day = column::moment(ms)?.date();
        Ok(Date::from_calendar_date(day.year(), day.month(), 1).unwrap_or(day))
    };
    let full = Labels::full_months(
        connection,
        organizations,
        (month(start_ms)?, month(end_ms.saturating_sub(1))?),
    )
    .await?;
    let wanted = full.into_iter().map(|(organization, month)| Label {
        organization,
        month,
        facet: usage_label::TAGS.to_owned(),
        value: key.to_owned(),
    });
    let wanted = wanted.collect();
    let known = Labels::known(connection, &wanted).await?;
    if wanted.iter().all(|it| known.has(it)) {
        Ok(())
    } else {
        Err(NoAnswer::NotSummed)
    }
}

type Labelled = (Group, bool, Option<String>);

/// The groups in order. What has no label is what is left of all.
fn split(read: Vec<Read>, query: &Query, truncated: bool) -> Vec<(Labelled, Sums)> {
    let mut rest: BTreeMap<Group, Sums> = BTreeMap::new();
    let mut rows: BTreeMap<Labelled, Sums> = BTreeMap::new();
    let (all, apart): (Vec<_>, Vec<_>) = read
        .into_iter()
        .partition(|it| it.facet == usage_label::ALL);
    for it in all {
        rest.insert(it.group, it.sums);
    }
    for it in apart {
        if let Some(rest) = rest.get_mut(&it.group) {
            rest.take(&it.sums);
        }
        let wanted = query.filter.labels.is_empty()
            || it
                .label
                .as_ref()
                .is_some_and(|it| query.filter.labels.contains(it));
        if wanted {
            rows.insert((it.group, it.label.is_none(), it.label), it.sums);
        }
    }
    let none = query.facet != Facet::None;
    // Of a part of the groups nobody can tell what is left.
    if !(none && truncated) {
        let rest = rest.into_iter().filter(|(_, sums)| !sums.is_nothing());
        rows.extend(rest.map(|(group, sums)| {
            let label = none.then(String::new);
            ((group, false, label), sums)
        }));
    }
    rows.into_iter().collect()
}

// === impl Query ===

impl Query {
    fn named(&self, ((group, rest, label), sums): (Labelled, Sums)) -> Sum {
        let organization = match &self.whose {
            Whose::Everybody => group.organization.unwrap_or_default(),
            Whose::Organization(name) => name.organization.to_string(),
            Whose::Project(name) => name.organization.to_string(),
        };
        let organization = format!("organizations/{organization}");
        let project = group
            .project
            .map(|it| format!("{organization}/projects/{it}"));
        let token = group.key_id.as_deref() == Some("");
        let key = group.key_id.filter(|it| !it.is_empty());
        let key = project.as_ref().zip(key);
        let key = key.map(|(project, it)| format!("{project}/keys/{it}"));
        let counts = sums.counts.map(column::count);
        let (end_user, tag) = match &self.facet {
            Facet::None => (None, None),
            Facet::EndUser => (label, None),
            Facet::Tag(_) => (None, label),
        };
        Sum {
            bucket_ms: group.bucket_ms,
            project: project.filter(|_| self.by.project),
            key: key.or_else(|| token.then(String::new)),
            model: group.model,
            version: group
                .version
                .map(|it| format!("{organization}/models/{it}")),
            provider: group
                .provider
                .map(|it| format!("{organization}/providers/{it}")),
            status: group.status,
            organization: self.by.organization.then_some(organization),
            end_user,
            tag,
            other: rest || token,
            requests: sums.requests,
            estimated_requests: sums.estimated,
            unpriced_requests: sums.unpriced,
            cost_nano: sums.cost_nano,
            usage: Usage::new(counts),
            duration: sums.duration,
            first_byte: sums.first_byte,
            overhead: sums.overhead,
        }
    }
}

// === impl NoAnswer ===

impl From<StoreError> for NoAnswer {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
