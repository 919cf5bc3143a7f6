//! When keys were last used, as usage tells, to the minute.
//!
//! Written beside the keys, so that usage never waits for an operator's write, and seldom: at most once a minute for
//! each key. Refers to nothing, as usage does.

use std::collections::BTreeMap;

use policy::id::OrganizationId;
use sqlx::types::Uuid;
use time::OffsetDateTime;

use crate::{column, error::StoreError, id::uuid, store::Store};

/// A use of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Which key's.
    pub key_id: String,
    /// Whose that is: the use of a key that is not theirs counts for nothing.
    pub organization: OrganizationId,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Whether with the secret that a rotation replaced.
    pub previous: bool,
}

/// The latest uses of one key.
#[derive(Default)]
struct Latest {
    any_ms: u64,
    previous_ms: Option<u64>,
}

// === impl Store ===

impl Store {
    /// Notes uses. Those that are less than a minute newer than what is known change nothing; one that claims to come
    /// from the future counts as now, for a clock that is wrong must not hide that a key is unused.
    pub async fn note_key_uses(
        &self,
        uses: impl IntoIterator<Item = Use>,
    ) -> Result<(), StoreError> {
        // Sorted, so that two reports at once take the rows in one order.
        let mut latest: BTreeMap<(String, OrganizationId), Latest> = BTreeMap::new();
        for Use {
            key_id,
            organization,
            at_ms,
            previous,
        } in uses
        {
            let known = latest.entry((key_id, organization)).or_default();
            known.any_ms = known.any_ms.max(at_ms);
            if previous {
                known.previous_ms = known.previous_ms.max(Some(at_ms));
            }
        }
        if latest.is_empty() {
            return Ok(());
        }
        let key_ids: Vec<String> = latest.keys().map(|it| it.0.clone()).collect();
        let organizations = latest.keys().map(|it| uuid(*it.1.as_bytes()));
        let organizations: Vec<Uuid> = organizations.collect();
        let any = latest.values().map(|it| column::moment(it.any_ms));
        let any: Vec<OffsetDateTime> = any.collect::<Result<_, _>>()?;
        let previous = latest
            .values()
            .map(|it| it.previous_ms.map(column::moment).transpose());
        let previous: Vec<Option<OffsetDateTime>> = previous.collect::<Result<_, _>>()?;
        sqlx::query!(
            r#"INSERT INTO key_use (key_id, used_at, previous_used_at)
               SELECT it.key_id, least(it.used_at, now()), least(it.previous_used_at, now())
               FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::uuid[])
                   AS it (key_id, used_at, previous_used_at, organization)
               JOIN key ON key.key_id = it.key_id
               JOIN project ON project.id = key.project AND project.organization = it.organization
               ORDER BY it.key_id
               ON CONFLICT ON CONSTRAINT key_use_pkey DO UPDATE
               SET used_at = greatest(key_use.used_at, EXCLUDED.used_at),
                   previous_used_at = greatest(key_use.previous_used_at, EXCLUDED.previous_used_at)
               WHERE EXCLUDED.used_at >= key_use.used_at + interval '1 minute'
                  OR EXCLUDED.previous_used_at
                         >= coalesce(key_use.previous_used_at, '-infinity') + interval '1 minute'"#,
            &key_ids,
            &any,
            &previous as &[Option<OffsetDateTime>],
            &organizations,
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(())
    }
}
