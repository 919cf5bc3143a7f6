//! Which regions have reported usage, and which of them did so first: sums tell the others apart from it, and what is left of all is
//! its own. So whoever has one region keeps no sums for it.
//!
//! What is decided is never taken back, so that a later price goes where the record went.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use crate::error::StoreError;

/// The regions that have reported, as far as they matter here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Regions {
    /// The one that reported first.
    pub(crate) first: Option<String>,
    /// All others.
    pub(crate) others: BTreeSet<String>,
}

/// The facet of all requests of a region that has one.
pub(crate) fn facet(region: &str) -> String {
    format!("region:{region}")
}

/// The facet of its end users.
pub(crate) fn user_facet(region: &str) -> String {
    format!("region:{region}:user")
}

// === impl Regions ===

impl Regions {
    /// Those that are known.
    pub(crate) async fn known(connection: &mut PgConnection) -> Result<Self, StoreError> {
        let rows = sqlx::query!("SELECT region, first FROM usage_region")
            .fetch_all(connection)
            .await?;
        let mut regions = Self::default();
        for row in rows {
            if row.first {
                regions.first = Some(row.region);
            } else {
                regions.others.insert(row.region);
            }
        }
        Ok(regions)
    }

    /// The same, with those of `wanted` that are new.
    pub(crate) async fn settled(
        connection: &mut PgConnection,
        wanted: &BTreeSet<&str>,
    ) -> Result<Self, StoreError> {
        let known = Self::known(connection).await?;
        if wanted.iter().all(|it| known.has(it)) {
            return Ok(known);
        }
        sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('usage_region'), 0)")
            .execute(&mut *connection)
            .await?;
        for region in wanted {
            sqlx::query!(
                "INSERT INTO usage_region (region, first)
                 SELECT $1, NOT EXISTS (SELECT FROM usage_region) ON CONFLICT DO NOTHING",
                *region,
            )
            .execute(&mut *connection)
            .await?;
        }
        Self::known(connection).await
    }

    /// Whether sums tell this region apart.
    pub(crate) fn are_apart(&self, region: &str) -> bool {
        self.first.as_deref() != Some(region)
    }

    fn has(&self, region: &str) -> bool {
        !self.are_apart(region) || self.others.contains(region)
    }
}
