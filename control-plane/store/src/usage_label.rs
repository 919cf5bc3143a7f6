//! Which end users, tags and tokens are summed by themselves: the first ones of each month, up to a bound.
//!
//! What is decided for a month is never taken back: a label that found room keeps it, and where there was none there is none
//! later. So whatever is said of a record afterwards, such as another price, goes where the record went.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;
use time::Date;
use uuid::Uuid;

use crate::{error::StoreError, usage_pair};

/// Stands for all requests.
pub(crate) const ALL: &str = "";

/// Stands for end users.
pub(crate) const USER: &str = "user";

/// Stands for keys of tags.
pub(crate) const TAGS: &str = "tags";

/// Stands for keys that are tokens.
pub(crate) const TOKEN: &str = "token";

/// The most end users of an organization that are summed by themselves in a month.
pub(crate) const USERS_MAX: usize = 1_000; // Full: all others are summed together.

/// The most tokens.
pub(crate) const TOKENS_MAX: usize = 1_000; // Full: as above.

/// The most keys of tags.
const TAGS_MAX: usize = 16; // Full: other tags are not summed, and a question for one says so.

/// The most values of one tag.
const VALUES_MAX: usize = 500; // Full: all others are summed together.

/// The most values of a pair of tags.
const PAIRS_MAX: usize = 2_000; // Full: as above.

/// One that may be summed by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label {
    pub(crate) organization: Uuid,
    pub(crate) month: Date,
    pub(crate) facet: String,
    pub(crate) value: String,
}

/// Those that are summed by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Labels(BTreeSet<Label>);

/// The facet of this tag's values.
pub(crate) fn tag(key: &str) -> String {
    format!("tag:{key}")
}

fn room(facet: &str) -> usize {
    match facet {
        USER => USERS_MAX,
        TOKEN => TOKENS_MAX,
        TAGS => TAGS_MAX,
        pair if pair.starts_with(usage_pair::FACETS) => PAIRS_MAX,
        _ => VALUES_MAX,
    }
}

// === impl Labels ===

impl Labels {
    /// Which of these are summed by themselves.
    pub(crate) async fn known(
        connection: &mut PgConnection,
        wanted: &BTreeSet<Label>,
    ) -> Result<Self, StoreError> {
        if wanted.is_empty() {
            return Ok(Self::default());
        }
        let (organizations, months, facets, labels) = columns(wanted.iter());
        let known = sqlx::query_as!(
            Label,
            r#"SELECT it.organization, it.month, it.facet, it.label AS value
               FROM usage_label it JOIN unnest($1::uuid[], $2::date[], $3::text[], $4::text[])
                   AS wanted (organization, month, facet, label)
                   USING (organization, month, facet, label)"#,
            &organizations,
            &months,
            &facets,
            &labels,
        )
        .fetch_all(connection)
        .await?;
        Ok(Self(known.into_iter().collect()))
    }

    /// The same, where those that are new find room if there is any.
    pub(crate) async fn settled(
        connection: &mut PgConnection,
        wanted: &BTreeSet<Label>,
    ) -> Result<Self, StoreError> {
        let known = Self::known(connection, wanted).await?;
        // What is full stays full, so that most of what is too much is known without waiting for anybody.
        if known.fitting(connection, wanted).await?.is_empty() {
            return Ok(known);
        }
        sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('usage_label'), 0)")
            .execute(&mut *connection)
            .await?;
        let mut known = Self::known(connection, wanted).await?;
        let new = known.fitting(connection, wanted).await?;
        let (organizations, months, facets, labels) = columns(new.iter());
        sqlx::query!(
            r#"INSERT INTO usage_label (organization, month, facet, label)
               SELECT * FROM unnest($1::uuid[], $2::date[], $3::text[], $4::text[])"#,
            &organizations,
            &months,
            &facets,
            &labels,
        )
        .execute(connection)
        .await?;
        known.0.extend(new);
        Ok(known)
    }

    /// The months in which an organization had as many tags as are summed, from one month to another.
    pub(crate) async fn full_months(
        connection: &mut PgConnection,
        organizations: &[Uuid],
        (first, last): (Date, Date),
    ) -> Result<Vec<(Uuid, Date)>, StoreError> {
        let full = sqlx::query!(
            r#"SELECT organization, month FROM usage_label
               WHERE organization = ANY($1) AND facet = $2 AND month BETWEEN $3 AND $4
               GROUP BY 1, 2 HAVING count(*) >= $5"#,
            organizations,
            TAGS,
            first,
            last,
            i64::try_from(TAGS_MAX).unwrap_or(i64::MAX),
        )
        .fetch_all(connection)
        .await?;
        let full = full.into_iter().map(|row| (row.organization, row.month));
        Ok(full.collect())
    }

    /// These, too.
    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Whether this one is summed by itself.
    pub(crate) fn has(&self, label: &Label) -> bool {
        self.0.contains(label)
    }

    /// Those of `wanted` that are new and for which there is room.
    async fn fitting(
        &self,
        connection: &mut PgConnection,
        wanted: &BTreeSet<Label>,
    ) -> Result<Vec<Label>, StoreError> {
        let new: Vec<&Label> = wanted.iter().filter(|it| !self.has(it)).collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let (organizations, months, facets, _) = columns(new.iter().copied());
        let counts = sqlx::query!(
            r#"SELECT organization, month, facet, count(*) AS "count!" FROM usage_label
               WHERE (organization, month, facet)
                   IN (SELECT * FROM unnest($1::uuid[], $2::date[], $3::text[]))
               GROUP BY 1, 2, 3"#,
            &organizations,
            &months,
            &facets,
        )
        .fetch_all(connection)
        .await?;
        let mut taken: BTreeMap<(Uuid, Date, String), usize> = counts
            .into_iter()
            .map(|row| {
                let count = usize::try_from(row.count).unwrap_or(usize::MAX);
                ((row.organization, row.month, row.facet), count)
            })
            .collect();
        let fits = |it: &&Label| {
            let group = (it.organization, it.month, it.facet.clone());
            let taken = taken.entry(group).or_default();
            let fits = *taken < room(&it.facet);
            *taken += usize::from(fits);
            fits
        };
        Ok(new.into_iter().filter(fits).cloned().collect())
    }
}

type Parts = (Vec<Uuid>, Vec<Date>, Vec<String>, Vec<String>);

fn columns<'a>(labels: impl Iterator<Item = &'a Label>) -> Parts {
    let mut parts = Parts::default();
    for it in labels {
        parts.0.push(it.organization);
        parts.1.push(it.month);
        parts.2.push(it.facet.clone());
        parts.3.push(it.value.clone());
    }
    parts
}
