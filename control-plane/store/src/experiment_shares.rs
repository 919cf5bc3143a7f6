//! Gives the arms of an experiment other shares, and knows by which of them a request was drawn.
//!
//! A request has seen a revision, and each change has the one from which on edges shared so; so it is known however late a request is told.

use domain::slices;
use policy::{id::RolloutId, revision::Revision, split::WHOLE};

use crate::{
    column,
    error::StoreError,
    experiment::{self, Row},
    experiment_weight,
    id::uuid,
    model,
    write::{Numbered, Write},
};

pub use crate::experiment_weight::Change;

/// The most changes of one experiment.
pub const CHANGES_MAX: i32 = 1_000; // Full: shares stay as they are, save that guards still take arms out.

/// By which weights requests were drawn, by the revision that they have seen.
pub(crate) struct Drawn {
    /// From which revision on, the oldest first. Never empty.
    changes: Vec<(Revision, Vec<f64>)>,
}

/// Gives the arms of one that is locked these shares, and publishes its model.
pub async fn change(write: &mut Write, row: &Row, change: Change<'_>) -> Result<Row, StoreError> {
    let id = uuid(*row.id.as_bytes());
    for ((place, share), arm) in (0_i32..).zip(change.shares).zip(0_usize..) {
        let reason = if change.out == Some(arm) {
            change.reason
        } else {
            ""
        };
        sqlx::query!(
            r#"UPDATE experiment_arm SET share = $3,
                      out_reason = CASE WHEN $4 = '' THEN out_reason ELSE $4 END
               WHERE experiment = $1 AND place = $2"#,
            id,
            place,
            i32::from(*share),
            reason,
        )
        .execute(write.connection())
        .await?;
    }
    let slices = slices::moved(&row.slices, change.shares);
    let arms = slices
        .iter()
        .map(|it| i32::try_from(it.arm).unwrap_or(i32::MAX));
    let shares = slices.iter().map(|it| i32::from(it.basis_points));
    sqlx::query!(
        r#"UPDATE experiment SET slice_arms = $2, slice_shares = $3, version = version + 1,
                                 updated_at = now()
           WHERE id = $1"#,
        id,
        &arms.collect::<Vec<_>>(),
        &shares.collect::<Vec<_>>(),
    )
    .execute(write.connection())
    .await?;
    experiment_weight::note(write.connection(), id, change).await?;
    model::publish(write, &row.name.parent()).await?;
    experiment::read(write.connection(), row.model, &row.name).await
}

/// Writes down from which revision on edges share as the last change of this experiment says.
pub async fn stamp(numbered: &mut Numbered, experiment: RolloutId) -> Result<(), StoreError> {
    let revision = column::number(numbered.revision().0);
    sqlx::query!(
        r#"UPDATE experiment_weight SET revision = $2
           WHERE experiment = $1
             AND turn = (SELECT max(turn) FROM experiment_weight WHERE experiment = $1)"#,
        uuid(*experiment.as_bytes()),
        revision,
    )
    .execute(numbered.connection())
    .await?;
    Ok(())
}

/// Begins a period of one that is locked: no block of its tally outlasts it. Edges hear nothing of it.
pub async fn begin_period(write: &mut Write, row: &mut Row) -> Result<(), StoreError> {
    row.tally.begin_period();
    sqlx::query!(
        "UPDATE experiment SET weighed_at = now(), tally = $2 WHERE id = $1",
        uuid(*row.id.as_bytes()),
        &row.tally.numbers(),
    )
    .execute(write.connection())
    .await?;
    Ok(())
}

/// How many changes one has had.
pub async fn changes(write: &mut Write, row: &Row) -> Result<i32, StoreError> {
    let turns = sqlx::query_scalar!(
        r#"SELECT coalesce(max(turn), 0) AS "turns!" FROM experiment_weight WHERE experiment = $1"#,
        uuid(*row.id.as_bytes()),
    );
    Ok(turns.fetch_one(write.connection()).await?)
}

// === impl Drawn ===

impl Drawn {
    /// Those of one that is locked.
    pub(crate) async fn read(write: &mut Write, row: &Row) -> Result<Self, StoreError> {
        let mut changes = Vec::new();
        if row.plan.allocation.is_some() {
            let rows = sqlx::query!(
                r#"SELECT revision, shares FROM experiment_weight
                   WHERE experiment = $1 ORDER BY turn"#,
                uuid(*row.id.as_bytes()),
            );
            changes = rows.fetch_all(write.connection()).await?;
        }
        let changes = changes.into_iter().map(|it| {
            let weights = it.shares.iter().map(|it| f64::from(*it) / f64::from(WHOLE));
            (column::revision(it.revision), weights.collect())
        });
        let mut changes: Vec<(Revision, Vec<f64>)> = changes.collect();
        if changes.is_empty() {
            changes.push((Revision(0), row.plan.weights()));
        }
        Ok(Self { changes })
    }

    /// The weights by which one was drawn that has seen this revision.
    pub(crate) fn at(&self, revision: Revision) -> &[f64] {
        let later = self.changes.iter().rev();
        let mut found = later.filter(|(since, _)| *since <= revision);
        let first = self.changes.first();
        found
            .next()
            .or(first)
            .map_or(&[], |(_, weights)| weights.as_slice())
    }
}
