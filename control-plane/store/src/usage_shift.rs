//! For which days that begin elsewhere than UTC's there are sums, by organization: those of the time zones that it asks for.
//!
//! Whoever folds adds to them; whoever asks takes them as far as they are whole, and says which it would have liked. Knows
//! nothing of what is summed. A fold by code that does not know of them makes the database forget all of it.

use std::collections::BTreeMap;

use domain::grain::{Grain, Shift, Shifts};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{column, error::StoreError, store::Store};

/// For how many shifts an organization has sums. A zone with a summer time has two.
const SHIFTS_MAX: usize = 8; // Full: days of further zones are made of hours, as all of them were.

/// From when on sums are whole of which there is none yet, in milliseconds since 1970.
pub(crate) const NEVER: i64 = i64::MAX;

/// The shifts of some organizations.
#[derive(Debug, Default)]
pub(crate) struct Kept(BTreeMap<Uuid, Shifts>);

/// Those to which whoever folds is to add; from here on the transaction may take additions away.
pub(crate) async fn kept(
    connection: &mut PgConnection,
    organizations: &[Uuid],
) -> Result<Kept, StoreError> {
    let rows = sqlx::query!(
        "SELECT organization, quarters, since_ms FROM usage_shift WHERE organization = ANY($1)",
        organizations,
    )
    .fetch_all(connection)
    .await?;
    let mut kept = Kept::default();
    for row in rows {
        if let Some(shift) = Shift::from_quarters(row.quarters) {
            let shifts = kept.0.entry(row.organization).or_default();
            shifts.insert(shift, column::count(row.since_ms));
        }
    }
    Ok(kept)
}

/// Says that this transaction adds to them what it folds.
pub(crate) async fn added_to(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!("SELECT set_config('sluice.folds_shifts', 'on', true) AS said")
        .fetch_one(connection)
        .await?;
    Ok(())
}

/// Those of this organization.
pub(crate) async fn of(
    connection: &mut PgConnection,
    organization: Uuid,
) -> Result<Shifts, StoreError> {
    let mut kept = kept(connection, &[organization]).await?;
    Ok(kept.0.remove(&organization).unwrap_or_default())
}

/// Asks for sums of these from now on, as far as there is room.
pub(crate) async fn ask(
    store: &Store,
    organization: Uuid,
    (wanted, known): (&[Shift], &Shifts),
) -> Result<(), StoreError> {
    let new = wanted.iter().filter(|it| !known.contains_key(it));
    let new: Vec<i16> = new.map(|it| it.quarters()).collect();
    if new.is_empty() || known.len() >= SHIFTS_MAX {
        return Ok(());
    }
    let mut tx = store.transaction().await?;
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('usage_shift'), 0)")
        .execute(&mut *tx)
        .await?;
    let known = of(&mut tx, organization).await?;
    let room = SHIFTS_MAX.saturating_sub(known.len());
    sqlx::query!(
        r#"INSERT INTO usage_shift (organization, quarters, since_ms)
           SELECT $1, quarters, $3 FROM unnest($2::smallint[]) AS it (quarters)
           LIMIT $4 ON CONFLICT DO NOTHING"#,
        organization,
        &new,
        NEVER,
        i64::try_from(room).unwrap_or(0),
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

// === impl Kept ===

impl Kept {
    /// The days that hold this moment and are whole.
    pub(crate) fn grains_of(&self, organization: Uuid, at_ms: u64) -> impl Iterator<Item = Grain> {
        let shifts = self.0.get(&organization).into_iter().flatten();
        let whole = shifts.filter(move |(_, since_ms)| **since_ms <= at_ms);
        whole.map(|(shift, _)| Grain::Shifted(*shift))
    }
}
