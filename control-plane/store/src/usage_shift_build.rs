//! Makes sums of days that begin elsewhere out of those of hours or quarters, day after day back to the first one.
//!
//! One writer with whoever folds, so that nothing is added to what is being read. A day is written as it is, and not added to: made
//! twice it is the same.

use domain::grain::{Grain, Shift};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    column,
    error::StoreError,
    store::Store,
    usage_cell::{Cell, Ledger, Line},
    usage_fold::{self, Place},
    usage_shift::NEVER,
};

/// The next one of which not all is there.
struct Unfinished {
    organization: Uuid,
    quarters: i16,
    since_ms: i64,
}

// === impl Store ===

impl Store {
    /// Makes the sums of one day more of those that were asked for. Says whether there may be more.
    pub async fn shift_usage(&self) -> Result<bool, StoreError> {
        let mut tx = self.transaction().await?;
        if !usage_fold::alone(&mut tx).await? {
            return Ok(false);
        }
        let Some(next) = unfinished(&mut tx).await? else {
            // Ended at once, not when its connection is used again: whoever comes next finds the lock free.
            tx.rollback().await?;
            return Ok(false);
        };
        let mut since_ms = 0;
        if let Some(shift) = Shift::from_quarters(next.quarters)
            && let Some(at_ms) = last_before(&mut tx, &next).await?
        {
            let day = Grain::Shifted(shift);
            let start_ms = day.start_of(at_ms);
            let ledger = summed(&mut tx, &next, day, start_ms).await?;
            usage_fold::write(&mut tx, &ledger).await?;
            since_ms = column::number(start_ms);
        }
        sqlx::query!(
            "UPDATE usage_shift SET since_ms = $3 WHERE organization = $1 AND quarters = $2",
            next.organization,
            next.quarters,
            since_ms,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }
}

async fn unfinished(connection: &mut PgConnection) -> Result<Option<Unfinished>, StoreError> {
    let next = sqlx::query_as!(
        Unfinished,
        r#"SELECT organization, quarters, since_ms FROM usage_shift
           WHERE since_ms > 0 ORDER BY since_ms DESC, organization, quarters LIMIT 1"#
    );
    Ok(next.fetch_optional(connection).await?)
}

/// The last hour that is not part of it yet.
async fn last_before(
    connection: &mut PgConnection,
    next: &Unfinished,
) -> Result<Option<u64>, StoreError> {
    let before = column::moment(column::count(next.since_ms)).ok();
    let last = sqlx::query_scalar!(
        r#"SELECT max(start) FROM usage_sum
           WHERE organization = $1 AND facet = '' AND grain = $2
             AND ($3::timestamptz IS NULL OR start < $3)"#,
        next.organization,
        Grain::Quarter.number(),
        before.filter(|_| next.since_ms != NEVER),
    );
    let last = last.fetch_one(connection).await?;
    Ok(last.map(column::milliseconds))
}

/// The sums of one day, of every facet.
async fn summed(
    connection: &mut PgConnection,
    next: &Unfinished,
    day: Grain,
    start_ms: u64,
) -> Result<Ledger<Place>, StoreError> {
    let whole_hours = start_ms == Grain::Hour.start_of(start_ms);
    let of = if whole_hours {
        Grain::Hour
    } else {
        Grain::Quarter
    };
    let (start, end) = (
        column::moment(start_ms)?,
        column::moment(start_ms + day.length_ms())?,
    );
    let lines = sqlx::query_file_as!(
        Line,
        "src/usage_shift_build.sql",
        next.organization,
        of.number(),
        start,
        end,
    )
    .fetch_all(connection)
    .await?;
    let mut ledger: Ledger<Place> = Ledger::default();
    for line in lines {
        let (cell, sums) = line.read()?;
        ledger.add((day.number(), Cell { start, ..cell }), &sums);
    }
    Ok(ledger)
}
