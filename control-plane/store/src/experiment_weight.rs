//! The shares that the arms of experiments have had, a row for each change of them, and which numbers of a split are whose.

use domain::{
    experiment::Plan,
    slices::{self, Slice},
};
use policy::revision::Revision;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{column, error::StoreError, write::Write};

/// The most changes that are shown.
const SHOWN_MAX: i64 = 100; // Full: older ones are kept and not shown.

/// Shares from a time on.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed {
    /// When.
    pub at: OffsetDateTime,
    /// From which revision on edges shared so; zero of what it was started with.
    pub revision: Revision,
    /// Of each arm, hundredths of a percent.
    pub shares: Vec<i32>,
    /// The chance that each arm was the best; none where nobody asked for it.
    pub chances: Vec<f64>,
    /// Why.
    pub reason: String,
}

/// New shares.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Of each arm, hundredths of a percent.
    pub shares: &'a [u16],
    /// The chance that each is the best; empty where nobody asked for it.
    pub chances: &'a [f64],
    /// Why.
    pub reason: &'a str,
    /// The arm that is taken out by this, counted from 0.
    pub out: Option<usize>,
}

/// The newest shares that the arms of an experiment have had, the newest first.
pub(crate) async fn of(
    connection: &mut PgConnection,
    experiment: Uuid,
) -> Result<Vec<Weighed>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT at, revision, shares, chances, reason FROM experiment_weight
           WHERE experiment = $1 ORDER BY turn DESC LIMIT $2"#,
        experiment,
        SHOWN_MAX,
    )
    .fetch_all(connection)
    .await?;
    let weighed = rows.into_iter().map(|it| Weighed {
        at: it.at,
        revision: column::revision(it.revision),
        shares: it.shares,
        chances: it.chances,
        reason: it.reason,
    });
    Ok(weighed.collect())
}

/// Writes what one starts with.
pub(crate) async fn begin(
    write: &mut Write,
    (experiment, plan): (Uuid, &Plan),
) -> Result<(), StoreError> {
    let shares: Vec<u16> = plan.all_shares().collect();
    let change = Change {
        shares: &shares,
        chances: &[],
        reason: "as it was started",
        out: None,
    };
    note(write.connection(), experiment, change).await
}

/// Writes what arms get from now on.
pub(crate) async fn note(
    connection: &mut PgConnection,
    experiment: Uuid,
    change: Change<'_>,
) -> Result<(), StoreError> {
    let shares: Vec<i32> = change.shares.iter().map(|it| i32::from(*it)).collect();
    sqlx::query!(
        r#"INSERT INTO experiment_weight (experiment, turn, shares, chances, reason)
           SELECT $1, coalesce(max(turn) + 1, 0), $2, $3, $4
           FROM experiment_weight WHERE experiment = $1"#,
        experiment,
        &shares,
        change.chances,
        change.reason,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Which numbers belong to which arm, as it was kept.
pub(crate) fn slices(
    (arms, shares): (&[i32], &[i32]),
    plan_shares: &[u16],
) -> Result<Vec<Slice>, StoreError> {
    if arms.is_empty() {
        return Ok(slices::laid_out(plan_shares));
    }
    let slices = arms.iter().zip(shares).map(|(arm, share)| {
        Ok(Slice {
            arm: column::read(usize::try_from(*arm), "experiment.slice_arms")?,
            basis_points: column::read(u16::try_from(*share), "experiment.slice_shares")?,
        })
    });
    slices.collect()
}
