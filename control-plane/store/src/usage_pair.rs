//! By which pairs of tags usage is summed, by organization, and how far their sums are whole.
//!
//! Each batch says up to which pair it was summed, in its own transaction; pairs have numbers that only rise. So what a pair lacks is
//! known however it came about: batches of before it was named, of a moment in which that was not seen yet, and of code that knows
//! of no pairs. Knows nothing of what is summed.

use std::collections::{BTreeMap, BTreeSet};

use domain::tag_pair::TagPair;
use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{column, error::StoreError};

/// Up to which pair that is summed which is all of them.
pub(crate) const ALL: i64 = i64::MAX;

/// A pair of tags that is summed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    /// Rises from pair to pair, and is never used again.
    pub(crate) id: i64,
    pub(crate) first: String,
    pub(crate) second: String,
}

/// The pairs of some organizations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pairs(BTreeMap<Uuid, Vec<Pair>>);

/// Up to which pair batches were summed.
pub(crate) struct Summed(BTreeMap<(i64, Uuid), i64>);

/// A pair of which a question asks.
pub(crate) struct Known {
    pub(crate) id: i64,
    /// The first day from which on its records are summed; `None`: from the first record on.
    pub(crate) since: Option<Date>,
}

/// How facets of pairs begin.
pub(crate) const FACETS: &str = "pair:";

/// The facet of this pair's values.
pub(crate) fn facet(id: i64) -> String {
    format!("{FACETS}{id}")
}

/// Two values as one label, which [`values`] takes apart again.
pub(crate) fn label(first: &str, second: &str) -> String {
    format!("{}:{first}{second}", first.len())
}

/// The two values of a label; both empty where it is none.
pub(crate) fn values(label: &str) -> (&str, &str) {
    let (length, both) = label.split_once(':').unwrap_or(("0", ""));
    let at = length.parse().unwrap_or(0);
    both.split_at_checked(at).unwrap_or((both, ""))
}

/// Those of these organizations that are to be added to.
pub(crate) async fn of(
    connection: &mut PgConnection,
    organizations: &[Uuid],
) -> Result<Pairs, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id, organization, first, second FROM usage_pair
           WHERE organization = ANY($1) AND NOT gone ORDER BY id"#,
        organizations,
    )
    .fetch_all(connection)
    .await?;
    let mut pairs = Pairs::default();
    for row in rows {
        let of_it = pairs.0.entry(row.organization).or_default();
        of_it.push(Pair {
            id: row.id,
            first: row.first,
            second: row.second,
        });
    }
    Ok(pairs)
}

/// Keeps whoever builds sums of pairs waiting until this transaction ends: what records cost is about to change, and which of their
/// batches stand in which sums must not meanwhile.
pub(crate) async fn hold(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_advisory_xact_lock_shared(hashtext('usage_pair'), 0)")
        .execute(connection)
        .await?;
    Ok(())
}

/// Waits until nobody changes what records cost, and keeps others from it until this transaction ends.
pub(crate) async fn hold_alone(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('usage_pair'), 0)")
        .execute(connection)
        .await?;
    Ok(())
}

/// Up to which pair each of these batches was summed.
pub(crate) async fn summed_to(
    connection: &mut PgConnection,
    batches: impl Iterator<Item = i64>,
) -> Result<Summed, StoreError> {
    let batches: BTreeSet<i64> = batches.collect();
    let batches: Vec<i64> = batches.into_iter().collect();
    let rows = sqlx::query!(
        "SELECT batch, organization, pairs_to FROM usage_batch WHERE batch = ANY($1)",
        &batches,
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter();
    let summed = rows.map(|row| ((row.batch, row.organization), row.pairs_to));
    Ok(Summed(summed.collect()))
}

/// This pair, if the organization names it.
pub(crate) async fn find(
    connection: &mut PgConnection,
    organization: Uuid,
    pair: &TagPair,
) -> Result<Option<Known>, StoreError> {
    let found = sqlx::query_as!(
        Known,
        r#"SELECT id, since FROM usage_pair
           WHERE organization = $1 AND first = $2 AND second = $3 AND NOT gone"#,
        organization,
        pair.first(),
        pair.second(),
    );
    Ok(found.fetch_optional(connection).await?)
}

/// How many records that may be of this range are not part of a pair's sums yet.
pub(crate) async fn missing(
    connection: &mut PgConnection,
    (organization, id): (Uuid, i64),
    (start, end): (OffsetDateTime, OffsetDateTime),
) -> Result<i64, StoreError> {
    let missing = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(records), 0)::bigint AS "missing!" FROM usage_batch
           WHERE organization = $1 AND pairs_to < $2 AND last_at >= $3 AND first_at < $4"#,
        organization,
        id,
        start,
        end,
    );
    Ok(missing.fetch_one(connection).await?)
}

/// Those labels of a pair that are wanted.
pub(crate) async fn labels(
    connection: &mut PgConnection,
    (organization, id): (Uuid, i64),
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<String>, StoreError> {
    let labels = sqlx::query_scalar!(
        "SELECT DISTINCT label FROM usage_label WHERE organization = $1 AND facet = $2",
        organization,
        facet(id),
    );
    let mut labels = labels.fetch_all(connection).await?;
    labels.retain(|it| wanted(it));
    Ok(labels)
}

/// Names these pairs of an organization, and no others. The sums of new ones are made of the records that are kept; those of pairs that
/// are gone go.
pub(crate) async fn name(
    connection: &mut PgConnection,
    organization: Uuid,
    pairs: &[TagPair],
) -> Result<(), StoreError> {
    let firsts: Vec<String> = pairs.iter().map(|it| it.first().to_owned()).collect();
    let seconds: Vec<String> = pairs.iter().map(|it| it.second().to_owned()).collect();
    sqlx::query!(
        r#"UPDATE usage_pair SET gone = true
           WHERE organization = $1 AND NOT gone AND (first, second)
               NOT IN (SELECT * FROM unnest($2::text[], $3::text[]))"#,
        organization,
        &firsts,
        &seconds,
    )
    .execute(&mut *connection)
    .await?;
    if pairs.is_empty() {
        return Ok(());
    }
    // Whoever drops days waits, so that it is known from which day on there are records.
    sqlx::query!("SELECT pg_advisory_xact_lock_shared(hashtext('usage_horizon'), 0)")
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        r#"INSERT INTO usage_pair (organization, first, second, since)
           SELECT $1, it.first, it.second, (SELECT max(day) FROM usage_horizon)
           FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS it (first, second, place)
           WHERE NOT EXISTS (
               SELECT FROM usage_pair there WHERE there.organization = $1 AND NOT there.gone
                   AND there.first = it.first AND there.second = it.second)
           ORDER BY it.place"#,
        organization,
        &firsts,
        &seconds,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The pairs of an organization as the database gives them, each `first,second`.
pub(crate) fn read(texts: &[String]) -> Result<Vec<TagPair>, StoreError> {
    let pairs = texts.iter().map(|text| text.parse());
    column::read(pairs.collect::<Result<_, _>>(), "organization.tag_pairs")
}

// === impl Summed ===

impl Summed {
    /// Up to which pair this organization's part of a batch was; zero where there is no batch.
    pub(crate) fn of(&self, batch: Option<i64>, organization: Uuid) -> i64 {
        let summed = batch.and_then(|batch| self.0.get(&(batch, organization)));
        summed.copied().unwrap_or(0)
    }
}

// === impl Pairs ===

impl Pairs {
    /// Those of this organization.
    pub(crate) fn of(&self, organization: Uuid) -> &[Pair] {
        self.0.get(&organization).map_or(&[], Vec::as_slice)
    }

    /// The newest one of this organization; zero where there is none.
    pub(crate) fn newest(&self, organization: Uuid) -> i64 {
        self.of(organization).last().map_or(0, |it| it.id)
    }

    /// Only those behind this one.
    pub(crate) fn after(mut self, id: i64) -> Self {
        for of_it in self.0.values_mut() {
            of_it.retain(|it| it.id > id);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_values_are_one_label_and_come_apart_as_they_were() {
        for both in [
            ("a", "b"),
            ("", "b"),
            ("a", ""),
            ("1:2", "3:"),
            ("\u{e4}", "x:y"),
        ] {
            assert_eq!(values(&label(both.0, both.1)), both);
        }
        assert_eq!(values(""), ("", ""));
    }
}
