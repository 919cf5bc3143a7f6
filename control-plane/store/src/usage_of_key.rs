//! What one key has spent, from sums.
//!
//! Knows ids, because edges ask by them. What has no known cost is no part of it. Tokens beyond the first ones of a month are
//! summed together, so that what one of those has spent is not known by itself.

use domain::grain::{Bucketing, Shifts};
use policy::{
    calendar::{Period, Zone},
    id::{OrganizationId, ProjectId},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    column,
    error::StoreError,
    store::Store,
    usage_groups::{self, Asked, GroupBy},
    usage_label,
};

/// Before this moment nobody can have spent anything: the first of 2020, milliseconds since 1970.
const FIRST_MS: u64 = 1_577_836_800_000;

/// What a key has spent, nano-dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Ever.
    pub all_nano: u64,
    /// Today, in UTC.
    pub day_nano: u64,
    /// Since Monday.
    pub week_nano: u64,
    /// Since the first.
    pub month_nano: u64,
}

/// What this key has spent until now.
pub async fn spent(
    store: &Store,
    (organization, project): (OrganizationId, ProjectId),
    key_id: &str,
    now_ms: u64,
) -> Result<Spent, StoreError> {
    let mut tx = store.transaction().await?;
    // As other questions for sums do: they lie in short runs of an index.
    sqlx::query!("SELECT set_config('enable_seqscan', 'off', true) AS by_index")
        .fetch_one(&mut *tx)
        .await?;
    let since = |period: Period| period.span(&Zone::UTC, now_ms).from_ms;
    let key = Asker {
        organization: Uuid::from_bytes(*organization.as_bytes()),
        project: Uuid::from_bytes(*project.as_bytes()),
        key: key_id.to_owned(),
    };
    let spent = Spent {
        all_nano: key.since(&mut tx, (FIRST_MS, now_ms)).await?,
        day_nano: key.since(&mut tx, (since(Period::Day), now_ms)).await?,
        week_nano: key.since(&mut tx, (since(Period::Week), now_ms)).await?,
        month_nano: key.since(&mut tx, (since(Period::Month), now_ms)).await?,
    };
    tx.rollback().await?;
    Ok(spent)
}

struct Asker {
    organization: Uuid,
    project: Uuid,
    key: String,
}

// === impl Asker ===

impl Asker {
    async fn since(
        &self,
        connection: &mut PgConnection,
        (start_ms, now_ms): (u64, u64),
    ) -> Result<u64, StoreError> {
        let range = Bucketing::counted(start_ms, now_ms + 1);
        let pieces = Bucketing::Whole.pieces(range, &Shifts::new());
        let pieces = pieces.map_err(|_| StoreError::broken("one bucket is too many"))?;
        let asked = Asked {
            organizations: vec![self.organization],
            facets: vec![usage_label::ALL.to_owned()],
            pieces: &pieces,
            by: GroupBy::default(),
            percentiles: false,
            unreached: true,
            projects: Some(vec![self.project]),
            keys: Some(vec![self.key.clone()]),
            models: None,
            versions: None,
            providers: None,
            statuses: None,
            labels: None,
        };
        let read = usage_groups::read(connection, &asked, 1).await?;
        let costs = read.iter().map(|it| column::count(it.sums.cost_nano));
        Ok(costs.fold(0, u64::saturating_add))
    }
}
