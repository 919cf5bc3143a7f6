//! Takes what has come for an experiment that is under way into its tally, once.
//!
//! Each request counts by the shares that its edge had when it was drawn.

use std::{collections::HashSet, time::Duration};

use domain::experiment::Draw;
use policy::id::VersionId;

use crate::{
    column,
    error::StoreError,
    experiment::Row,
    experiment_shares::Drawn,
    id::uuid,
    rollout_feedback::{self, Said},
    rollout_outcome::{self, Came, Rested, TAKEN_MAX, Trial},
    write::Write,
};

/// The most clients that one experiment remembers.
const CLIENTS_MAX: f64 = 1_000_000.0; // Full: who comes later is counted, and not judged.

/// Takes what has come for one that is locked into its tally, and keeps that where it is new. Edges hear nothing of it. Says whether there may
/// be more.
pub async fn take(
    write: &mut Write,
    row: &mut Row,
    rest_min: Duration,
) -> Result<bool, StoreError> {
    let arms: Vec<VersionId> = row.arms.iter().map(|it| it.id).collect();
    let trial = Trial {
        id: row.id,
        since: row.start_revision,
        arms: &arms,
    };
    let Rested { came, ids } = rollout_outcome::rested(write, trial, rest_min).await?;
    rollout_outcome::mark(write, trial, &ids).await?;
    let (said, heard) = rollout_feedback::said(write, trial).await?;
    rollout_feedback::mark(write, trial, &heard).await?;
    if !came.is_empty() || !said.is_empty() {
        count(write, row, (&came, &said)).await?;
    }
    sqlx::query!(
        r#"UPDATE experiment SET start_revision = $2, tally = $3
           WHERE id = $1 AND (start_revision, tally) IS DISTINCT FROM ($2, $3)"#,
        uuid(*row.id.as_bytes()),
        column::number(row.start_revision.0),
        &row.tally.numbers(),
    )
    .execute(write.connection())
    .await?;
    Ok(ids.len() >= TAKEN_MAX)
}

/// Counts what has come and what was said, each by the shares by which it was drawn.
async fn count(
    write: &mut Write,
    row: &mut Row,
    (came, said): (&[Came], &[Said]),
) -> Result<(), StoreError> {
    let drawn = Drawn::read(write, row).await?;
    let clients = came.iter().map(|it| it.client).collect();
    let mut new = new_clients(write, row, (1, clients)).await?;
    for it in came {
        let draw = Draw {
            arm: it.arm,
            weights: drawn.at(it.revision),
            is_judged: it.client == 0 || new.remove(&it.client),
        };
        row.tally.take(&row.plan, draw, &it.outcome);
    }
    let clients = said.iter().map(|it| it.client).collect();
    let mut new = new_clients(write, row, (2, clients)).await?;
    for it in said {
        let draw = Draw {
            arm: it.arm,
            weights: drawn.at(it.revision),
            is_judged: it.client == 0 || new.remove(&it.client),
        };
        row.tally.score(&row.plan, draw, it.score);
    }
    Ok(())
}

/// Remembers these clients, and says which of them were not known.
async fn new_clients(
    write: &mut Write,
    row: &Row,
    (kind, clients): (i16, Vec<i64>),
) -> Result<HashSet<i64>, StoreError> {
    if clients.is_empty() || row.tally.clients() >= CLIENTS_MAX {
        return Ok(HashSet::new());
    }
    let new = sqlx::query_scalar!(
        r#"INSERT INTO experiment_client (experiment, kind, client)
           SELECT $1, $2, client FROM unnest($3::bigint[]) AS it (client) WHERE client <> 0
           ON CONFLICT DO NOTHING RETURNING client"#,
        uuid(*row.id.as_bytes()),
        kind,
        &clients,
    )
    .fetch_all(write.connection())
    .await?;
    Ok(new.into_iter().collect())
}
