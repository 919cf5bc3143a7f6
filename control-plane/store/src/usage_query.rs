//! Questions about usage, answered from sums.
//!
//! Owns what may be asked together and what the answer is called. Of one facet (a tag, or end users) what has none is what
//! is left of all requests when those are taken away that have one.

use std::collections::BTreeMap;

use domain::{
    grain::{Bucketing, Piece, Shifts},
    sketch::Sketch,
    tag_pair::TagPair,
};
use policy::usage::Usage;
use sqlx::PgConnection;
use time::Date;
use uuid::Uuid;

use crate::{
    column,
    error::StoreError,
    store::Store,
    usage_cell::Sums,
    usage_groups::{self, Asked, Group, Read},
    usage_label::{self, Label, Labels},
    usage_named::{Kind, ids, whose},
    usage_pair, usage_shift,
};

pub use crate::{usage_groups::GroupBy, usage_named::Whose};

/// The most rows of one answer.
pub const ROWS_MAX: usize = 10_000; // Full: the answer says that it is cut.

/// The most sums whose sketches are read for one answer.
const SKETCHES_MAX: i64 = 100_000; // Full: the question is refused.

/// Which part of a request is grouped by besides its dimensions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Facet {
    /// None.
    #[default]
    None,
    /// For whom the client asked.
    EndUser,
    /// The value of this tag.
    Tag(String),
    /// The values of these two, which the organization names as a pair.
    Tags(String, String),
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
    /// End users or values of the first tag, whichever the facet is.
    pub labels: Vec<String>,
    /// Values of the second tag.
    pub second: Vec<String>,
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
    /// The organization does not name these tags as a pair.
    NotPaired,
    /// Sums by these two tags are being made; about so many records are to be added.
    Pairing(i64),
    /// There are sums by these two tags from this day on.
    PairedSince(Date),
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
    /// The value of the second tag, likewise.
    pub second_tag: Option<String>,
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
    let pair = pair(connection, query, &whose.0).await?;
    let asked = asked(connection, (query, pair), whose, &pieces).await?;
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
    if let Some(id) = pair {
        check_whole(connection, &asked.organizations, id, query.range).await?;
    }
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

async fn asked<'a>(
    connection: &mut PgConnection,
    (query, pair): (&Query, Option<i64>),
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
    let apart = match &query.facet {
        Facet::None => None,
        Facet::EndUser => Some(usage_label::USER.to_owned()),
        Facet::Tag(key) => Some(usage_label::tag(key)),
        Facet::Tags(..) => pair.map(usage_pair::facet),
    };
    // What has none is wanted where all are, or where the empty one is.
    let rest = query.wants(&(String::new(), String::new()));
    let labels = match (pair, &organizations[..]) {
        // To know what is left, all others must be known.
        _ if rest => None,
        (Some(id), [one]) => {
            let wanted = |label: &str| query.wants(&query.said(label));
            Some(usage_pair::labels(connection, (*one, id), wanted).await?)
        }
        _ => some(&filter.labels),
    };
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
        labels,
    })
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

/// The pair that is asked for, by its number.
async fn pair(
    connection: &mut PgConnection,
    query: &Query,
    organizations: &[Uuid],
) -> Result<Option<i64>, NoAnswer> {
    let Facet::Tags(one, other) = &query.facet else {
        return Ok(None);
    };
    let ([organization], Some(pair)) = (organizations, TagPair::of(one, other)) else {
        return Err(NoAnswer::NotPaired);
    };
    // Whoever builds waits: what is seen to be whole at the end of the answer was so at its beginning.
    usage_pair::hold(connection).await?;
    let known = usage_pair::find(connection, *organization, &pair).await?;
    let known = known.ok_or(NoAnswer::NotPaired)?;
    let start = column::moment(query.range.0)?;
    match known.since {
        Some(since) if start < since.midnight().assume_utc() => Err(NoAnswer::PairedSince(since)),
        _ => Ok(Some(known.id)),
    }
}

/// Whether a pair's sums hold every record of a range.
async fn check_whole(
    connection: &mut PgConnection,
    organizations: &[Uuid],
    id: i64,
    (start_ms, end_ms): (u64, u64),
) -> Result<(), NoAnswer> {
    let range = (column::moment(start_ms)?, column::moment(end_ms)?);
    for organization in organizations {
        let missing = usage_pair::missing(connection, (*organization, id), range).await?;
        if missing > 0 {
            return Err(NoAnswer::Pairing(missing));
        }
    }
    Ok(())
}

/// The end user or the value of the tag, and the value of the second tag.
type Said = (String, String);

type Labelled = (Group, bool, Option<Said>);

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
        let said = it.label.as_deref().map(|label| query.said(label));
        let wanted = match &said {
            Some(said) => query.wants(said),
            None => query.filter.labels.is_empty() && query.filter.second.is_empty(),
        };
        if wanted {
            let row = rows.entry((it.group, said.is_none(), said)).or_default();
            row.merge(&it.sums);
        }
    }
    let none = query.facet != Facet::None;
    // Of a part of the groups nobody can tell what is left.
    if !(none && truncated) {
        let rest = rest.into_iter().filter(|(_, sums)| !sums.is_nothing());
        for (group, sums) in rest {
            // Who says that a tag is empty says no more than who does not say it.
            let said = none.then(Said::default);
            rows.entry((group, false, said)).or_default().merge(&sums);
        }
    }
    rows.into_iter().collect()
}

// === impl Query ===

impl Query {
    /// What a label says, in the order in which it is asked for.
    fn said(&self, label: &str) -> Said {
        let Facet::Tags(one, other) = &self.facet else {
            return (label.to_owned(), String::new());
        };
        let (first, second) = usage_pair::values(label);
        let (first, second) = (first.to_owned(), second.to_owned());
        if one < other {
            (first, second)
        } else {
            (second, first)
        }
    }

    /// Whether what says this counts.
    fn wants(&self, (label, second): &Said) -> bool {
        let among = |these: &[String], it| these.is_empty() || these.contains(it);
        among(&self.filter.labels, label) && among(&self.filter.second, second)
    }

    fn named(&self, ((group, rest, said), sums): (Labelled, Sums)) -> Sum {
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
        let (label, second) = said.unzip();
        let (end_user, tag, second_tag) = match &self.facet {
            Facet::None => (None, None, None),
            Facet::EndUser => (label, None, None),
            Facet::Tag(_) => (None, label, None),
            Facet::Tags(..) => (None, label, second),
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
            second_tag,
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
