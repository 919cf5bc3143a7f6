//! Folds what batches added into the sums, and adds what older code stored without adding it.
//!
//! One writer at a time, by a lock that ends with its transaction; whoever does not get it leaves the work to the one who has
//! it. What is folded goes in the same transaction, so that it counts once. Whether it is folded already changes no answer.

use std::collections::BTreeSet;

use domain::grain::Grain;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    column,
    error::StoreError,
    store::Store,
    usage_again::{Again, Counting},
    usage_batch,
    usage_cell::{Cell, Columns, Ledger, Line, with_columns},
    usage_shift,
    usage_spread::{self, Spread},
};

/// The most additions that are folded at once.
const FOLDED_MAX: i64 = 16_000; // Full: the others come next.

/// The most records of older code that are added at once.
const CAUGHT_UP_MAX: i64 = 1_000; // Full: as above.

/// What a sum is over, and of which grain it is.
pub(crate) type Place = (i16, Cell);

// === impl Store ===

impl Store {
    /// Folds a part, and numbers new batches. Says whether there is more.
    pub async fn fold_usage(&self) -> Result<bool, StoreError> {
        let mut tx = self.transaction().await?;
        if !alone(&mut tx).await? {
            return Ok(false);
        }
        usage_batch::number(&mut tx).await?;
        usage_shift::added_to(&mut tx).await?;
        let lines = taken(&mut tx).await?;
        let more = i64::try_from(lines.len()).unwrap_or(i64::MAX) >= FOLDED_MAX;
        let whose: BTreeSet<Uuid> = lines.iter().map(|it| it.organization).collect();
        let whose: Vec<Uuid> = whose.into_iter().collect();
        let shifts = usage_shift::kept(&mut tx, &whose).await?;
        let mut ledger: Ledger<Place> = Ledger::default();
        for line in lines {
            let (cell, sums) = line.read()?;
            let at_ms = column::milliseconds(cell.start);
            let shifted = shifts.grains_of(cell.organization, at_ms);
            for grain in Grain::ALL.into_iter().chain(shifted) {
                let start = column::moment(grain.start_of(at_ms))?;
                let cell = Cell {
                    start,
                    ..cell.clone()
                };
                ledger.add((grain.number(), cell), &sums);
            }
        }
        if !ledger.0.is_empty() {
            known(&mut tx, &mut ledger).await?;
            write(&mut tx, &ledger).await?;
        }
        tx.commit().await?;
        Ok(more)
    }

    /// Adds a part of the records that were stored by code that knew of no sums. Says whether there are more.
    pub async fn catch_up_usage(&self, counting: Counting) -> Result<bool, StoreError> {
        let mut tx = self.transaction().await?;
        let batch = usage_batch::next(&mut tx).await?;
        let rows = sqlx::query_as!(
            Again,
            r#"UPDATE usage_record SET batch = $1
               WHERE batch IS NULL AND (day, id) IN (
                   SELECT day, id FROM usage_record WHERE batch IS NULL LIMIT $2
                   FOR UPDATE SKIP LOCKED)
               RETURNING at, region, organization, project, key_id, model, model_version AS version, provider, status,
                   end_user, tags, usage_source, cost_nano, cost_known, charges, input_tokens,
                   cached_input_tokens, output_tokens, reasoning_tokens, duration_us, first_byte_us,
                   overhead_us"#,
            batch,
            CAUGHT_UP_MAX,
        )
        .fetch_all(&mut *tx)
        .await?;
        let more = i64::try_from(rows.len()).unwrap_or(i64::MAX) >= CAUGHT_UP_MAX;
        let spreads: Vec<Spread> = rows.into_iter().map(|it| it.spread(counting)).collect();
        if spreads.is_empty() {
            return Ok(false);
        }
        let pairs = usage_spread::pairs(&mut tx, &spreads).await?;
        usage_batch::note(&mut tx, batch, &spreads, &pairs).await?;
        usage_spread::add(&mut tx, &spreads, &pairs).await?;
        tx.commit().await?;
        Ok(more)
    }
}

/// Whether this is the one writer that folds, until its transaction ends.
pub(crate) async fn alone(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let free = sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock(hashtext('usage_sum'), 0) AS "free!""#
    );
    Ok(free.fetch_one(connection).await?)
}

/// Takes the oldest additions away: up to the last of them, and not each by its id. A queue that was empty when the planner last looked
/// would have it compare every addition with every id.
async fn taken(connection: &mut PgConnection) -> Result<Vec<Line>, StoreError> {
    let lines = sqlx::query_as!(
        Line,
        r#"DELETE FROM usage_delta
           WHERE id <= (SELECT max(id) FROM (SELECT id FROM usage_delta ORDER BY id LIMIT $1) AS oldest)
           RETURNING 0::smallint AS "grain!", organization, facet, start, label, project, key_id, model,
               model_version AS version, provider, status, requests, estimated, unpriced, cost_nano,
               input, cached_input, cache_write, cache_write_hour, audio_input, output, reasoning,
               audio_output, images, served, units, duration, first_byte,
               overhead"#,
        FOLDED_MAX,
    )
    .fetch_all(connection)
    .await?;
    Ok(lines)
}

/// Adds what the sums hold already. Nobody else writes them meanwhile.
async fn known(
    connection: &mut PgConnection,
    ledger: &mut Ledger<Place>,
) -> Result<(), StoreError> {
    let it = Columns::of(ledger.0.iter().map(|((_, cell), sums)| (cell, sums)));
    let (grains, cells) = keys(ledger);
    let lines = sqlx::query_as!(
        Line,
        r#"SELECT it.grain, it.organization, it.facet, it.start, label, project, key_id, model,
               model_version AS version, provider, status, requests, estimated, unpriced, cost_nano,
               input, cached_input, cache_write, cache_write_hour, audio_input, output, reasoning,
               audio_output, images, served, units, duration, first_byte, overhead
           FROM usage_sum it
           JOIN unnest($1::uuid[], $2::text[], $3::smallint[], $4::timestamptz[], $5::uuid[])
               AS wanted (organization, facet, grain, start, cell)
           ON it.organization = wanted.organization AND it.facet = wanted.facet
              AND it.grain = wanted.grain AND it.start = wanted.start AND it.cell = wanted.cell"#,
        &it.organization,
        &it.facet,
        &grains,
        &it.start,
        &cells,
    )
    .fetch_all(connection)
    .await?;
    for line in lines {
        let grain = line.grain;
        let (cell, sums) = line.read()?;
        ledger.add((grain, cell), &sums);
    }
    Ok(())
}

/// Writes sums as they stand now. Only for the one writer that folds.
pub(crate) async fn write(
    connection: &mut PgConnection,
    ledger: &Ledger<Place>,
) -> Result<(), StoreError> {
    let it = Columns::of(ledger.0.iter().map(|((_, cell), sums)| (cell, sums)));
    let (grains, cells) = keys(ledger);
    with_columns!(query_file!("src/usage_fold.sql"), it, &grains, &cells)
        .execute(connection)
        .await?;
    Ok(())
}

/// The rest of the keys, in the order of the columns.
fn keys(ledger: &Ledger<Place>) -> (Vec<i16>, Vec<Uuid>) {
    let keys = ledger.0.keys();
    keys.map(|(grain, cell)| (*grain, cell.digest())).unzip()
}
