//! Operator keys that are given to whoever showed who they are: each for a short while, so many at a time.
//!
//! Knows who they are by name; knows nothing of how that was shown. What has ended is swept as others are given, so nothing grows
//! beyond what still counts.

use domain::{access::Bindings, name::OperatorKeyName, segment::KeyId, segment::Slug};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{column, error::StoreError, operator_key, write::Write};

/// The most keys of one trust that work at the same time.
// Full: tokens are refused until some have ended.
const OF_TRUST_MAX: u64 = 1_000;

/// The most keys of one person that work at the same time.
// Full: they are let in when some have ended, or were given back.
const OF_PERSON_MAX: u64 = 20;

/// The most ended rows that go with one that is given.
// Full: the next one takes more.
const SWEPT_MAX: i64 = 100;

/// What to give.
#[derive(Clone)]
pub struct New {
    /// The public part of its text.
    pub key_id: KeyId,
    /// SHA-256 of its secret, which has 256 random bits.
    pub secret_sha256: [u8; 32],
    /// What people call it.
    pub display_name: String,
    /// What it may do.
    pub bindings: Bindings,
    /// When it stops working.
    pub expires_at: OffsetDateTime,
    /// Whom it is for.
    pub subject: String,
}

/// What gives it.
pub(crate) struct By {
    /// The organization that keeps it; `None` for one above all.
    pub(crate) organization: Option<Slug>,
    /// Its name.
    pub(crate) name: String,
    /// Its id.
    pub(crate) id: Giver,
}

/// The id of what gives.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Giver {
    /// A trust.
    Trust(Uuid),
    /// A local user, to themselves.
    LocalUser(Uuid),
}

/// Gives one; `None` where as many work as may.
pub(crate) async fn give(
    write: &mut Write,
    by: By,
    new: New,
) -> Result<Option<operator_key::Row>, StoreError> {
    sweep(write.connection()).await?;
    let (trust, local_user, max) = by.id.columns();
    let working = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM operator_key
           WHERE (trust = $1 OR local_user = $2) AND revoked_at IS NULL AND expires_at > now()"#,
        trust,
        local_user,
    )
    .fetch_one(write.connection())
    .await?;
    if column::count(working) >= max {
        return Ok(None);
    }
    let name = OperatorKeyName {
        organization: by.organization,
        operator_key: new.key_id,
    };
    let made = operator_key::New {
        name: name.clone(),
        display_name: new.display_name,
        bindings: new.bindings,
        expires_at: Some(new.expires_at),
        secret_sha256: new.secret_sha256,
    };
    operator_key::create(write, made).await?;
    sqlx::query!(
        r#"UPDATE operator_key SET trust = $2, local_user = $3, trust_name = $4, subject = $5
           WHERE key_id = $1"#,
        name.operator_key.as_str(),
        trust,
        local_user,
        by.name,
        new.subject,
    )
    .execute(write.connection())
    .await?;
    operator_key::in_write(write, &name).await.map(Some)
}

/// Revokes what was given, and says how many of those still worked.
pub(crate) async fn revoke(write: &mut Write, by: Giver) -> Result<u64, StoreError> {
    let (trust, local_user, _) = by.columns();
    let revoked = sqlx::query!(
        r#"UPDATE operator_key SET revoked_at = now()
           WHERE (trust = $1 OR local_user = $2) AND revoked_at IS NULL AND expires_at > now()"#,
        trust,
        local_user,
    )
    .execute(write.connection())
    .await?;
    Ok(revoked.rows_affected())
}

/// Forgets keys that were given and ended a day ago.
async fn sweep(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!(
        r#"DELETE FROM operator_key WHERE key_id IN (
               SELECT key_id FROM operator_key
               WHERE subject <> '' AND expires_at < now() - interval '1 day'
               ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)"#,
        SWEPT_MAX,
    )
    .execute(connection)
    .await?;
    Ok(())
}

// === impl Giver ===

impl Giver {
    /// The trust, the local user, and how many keys of it may work.
    const fn columns(self) -> (Option<Uuid>, Option<Uuid>, u64) {
        match self {
            Self::Trust(id) => (Some(id), None, OF_TRUST_MAX),
            Self::LocalUser(id) => (None, Some(id), OF_PERSON_MAX),
        }
    }
}
