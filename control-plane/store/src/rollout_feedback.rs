//! What clients said of answers that a rollout or an experiment assigned: taken once as the rollout is judged.
//!
//! It rests for nothing: a client says what it thinks when it likes, of either version. Knows scores; what they mean for a rollout is judged
//! elsewhere.

use std::{collections::HashSet, time::Duration};

use policy::revision::Revision;
use uuid::Uuid;

use crate::{
    column, error::StoreError, id::uuid, rollout::Row, rollout_outcome::Trial, store::Store,
    write::Write,
};

/// The most that are taken at once.
const TAKEN_MAX: i64 = 5_000; // Full: the others are taken next time.

/// The most rows that one sweep takes away.
const SWEEP_ROWS_MAX: i64 = 5_000; // Full: the next sweep takes the rest.

/// A score that is to be judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Whether the candidate answered, and not the stable version.
    pub is_candidates: bool,
    /// How good, 0 to 1.
    pub score: f64,
    /// Whether it is the first of its client in this step, or of none that sticks.
    pub is_first: bool,
}

/// What was said of an answer of an arm.
pub(crate) struct Said {
    /// Which arm, the stable version 0.
    pub(crate) arm: usize,
    /// What its client is known by; zero where it was assigned by itself.
    pub(crate) client: i64,
    /// The configuration that the request saw.
    pub(crate) revision: Revision,
    /// How good, 0 to 1.
    pub(crate) score: f64,
}

/// Takes what was said of requests that a rollout which is locked assigned, in the order in which it was said. What saw an earlier step is
/// taken and left out; what belongs to no outcome waits for it, and goes when it is old. The second number is how many were taken.
pub async fn take(write: &mut Write, row: &Row) -> Result<(Vec<Scored>, usize), StoreError> {
    let arms = [row.stable_id, row.candidate_id];
    let trial = Trial {
        id: row.id,
        since: row.step_revision,
        arms: &arms,
    };
    let (said, ids) = said(write, trial).await?;
    let clients: Vec<i64> = said.iter().map(|it| it.client).collect();
    let mut met = met(write, row, &clients).await?;
    mark(write, trial, &ids).await?;
    let said = said.into_iter().map(|it| Scored {
        is_candidates: it.arm > 0,
        score: it.score,
        is_first: it.client == 0 || met.insert(it.client),
    });
    Ok((said.collect(), ids.len()))
}

/// What was said of answers of the arms of a trial, and the ids of all that is to be marked.
pub(crate) async fn said(
    write: &mut Write,
    trial: Trial<'_>,
) -> Result<(Vec<Said>, Vec<Uuid>), StoreError> {
    let taken = sqlx::query!(
        r#"SELECT it.id, it.score, outcome.model_version, outcome.client, outcome.revision
           FROM rollout_feedback it JOIN rollout_outcome outcome USING (rollout, id)
           WHERE it.rollout = $1 AND NOT it.judged ORDER BY it.given_at, it.id LIMIT $2"#,
        uuid(*trial.id.as_bytes()),
        TAKEN_MAX,
    )
    .fetch_all(write.connection())
    .await?;
    let ids = taken.iter().map(|it| it.id).collect();
    let said = taken.into_iter().filter_map(|it| {
        let arm = trial.arm(it.model_version, it.revision)?;
        Some(Said {
            arm,
            client: it.client,
            revision: column::revision(it.revision),
            score: it.score,
        })
    });
    Ok((said.collect(), ids))
}

/// Marks what was said as judged.
pub(crate) async fn mark(
    write: &mut Write,
    trial: Trial<'_>,
    ids: &[Uuid],
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE rollout_feedback SET judged = true WHERE rollout = $1 AND id = ANY($2)",
        uuid(*trial.id.as_bytes()),
        ids,
    )
    .execute(write.connection())
    .await?;
    Ok(())
}

/// Those of the clients of whom a score of this step has been judged already.
async fn met(write: &mut Write, row: &Row, clients: &[i64]) -> Result<HashSet<i64>, StoreError> {
    let met = sqlx::query_scalar!(
        r#"SELECT DISTINCT outcome.client
           FROM rollout_feedback it JOIN rollout_outcome outcome USING (rollout, id)
           WHERE it.rollout = $1 AND it.judged AND outcome.client <> 0 AND outcome.client = ANY($2)
             AND outcome.revision >= $3"#,
        uuid(*row.id.as_bytes()),
        clients,
        column::number(row.step_revision.0),
    )
    .fetch_all(write.connection())
    .await?;
    Ok(met.into_iter().collect())
}

// === impl Store ===

impl Store {
    /// Takes away what was said longer ago than `age`, at most 5,000 rows, and says how many.
    pub async fn sweep_rollout_feedback(&self, age: Duration) -> Result<u64, StoreError> {
        let gone = sqlx::query!(
            r#"DELETE FROM rollout_feedback WHERE ctid = ANY(ARRAY(
                   SELECT ctid FROM rollout_feedback
                   WHERE given_at < now() - make_interval(secs => $1) ORDER BY given_at LIMIT $2))"#,
            age.as_secs_f64(),
            SWEEP_ROWS_MAX,
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(gone.rows_affected())
    }
}
