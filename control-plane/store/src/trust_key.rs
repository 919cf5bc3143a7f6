//! Operator keys that are given for tokens which a trust takes: each token once, each key for a short while.
//!
//! Knows how many there may be; knows nothing of tokens but their hashes and when they end. What has ended is swept as others
//! come, so nothing grows beyond what still counts.

use domain::{access::Bindings, name::OperatorKeyName, segment::KeyId};
use time::OffsetDateTime;

use crate::{conflict, error::StoreError, operator_key, trust, write::Write};

/// The most keys of one trust that work at the same time.
// Full: tokens are refused until some have ended.
const WORKING_MAX: i64 = 1_000;

/// The most ended rows that go with one exchange.
// Full: the next exchange takes more.
const SWEPT_MAX: i64 = 100;

/// What to make, and for what.
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
    /// Whom the token is about.
    pub subject: String,
    /// What identifies the token.
    pub token_digest: [u8; 32],
    /// When the token ends by itself.
    pub token_expires_at: OffsetDateTime,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// The key.
    Key(Box<operator_key::Row>),
    /// The token was taken before.
    Used,
    /// As many keys of this trust work as may.
    Full,
}

/// Gives a key for a token of this trust, once. Whatever else comes of it than a key must be rolled back.
pub async fn give(write: &mut Write, trust: &trust::Row, new: New) -> Result<Given, StoreError> {
    // Whoever deletes the trust waits, or has deleted it before.
    sqlx::query!("SELECT id FROM trust WHERE id = $1 FOR SHARE", trust.id)
        .fetch_optional(write.connection())
        .await?
        .ok_or_else(|| conflict::missing(&trust.name))?;
    sweep(write).await?;
    let taken = sqlx::query!(
        r#"INSERT INTO trust_token (trust, digest, expires_at) VALUES ($1, $2, $3)
           ON CONFLICT ON CONSTRAINT trust_token_pkey DO NOTHING"#,
        trust.id,
        new.token_digest.as_slice(),
        new.token_expires_at,
    )
    .execute(write.connection())
    .await?;
    if taken.rows_affected() == 0 {
        return Ok(Given::Used);
    }
    let working = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM operator_key
           WHERE trust = $1 AND revoked_at IS NULL AND expires_at > now()"#,
        trust.id,
    )
    .fetch_one(write.connection())
    .await?;
    if working >= WORKING_MAX {
        return Ok(Given::Full);
    }
    let name = OperatorKeyName {
        organization: trust.name.organization.clone(),
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
        "UPDATE operator_key SET trust = $2, trust_name = $3, subject = $4 WHERE key_id = $1",
        name.operator_key.as_str(),
        trust.id,
        trust.name.to_string(),
        new.subject,
    )
    .execute(write.connection())
    .await?;
    let row = operator_key::in_write(write, &name).await?;
    Ok(Given::Key(Box::new(row)))
}

/// Forgets tokens that have ended, and keys that were given for one and ended a day ago.
async fn sweep(write: &mut Write) -> Result<(), StoreError> {
    sqlx::query!(
        r#"DELETE FROM trust_token WHERE (trust, digest) IN (
               SELECT trust, digest FROM trust_token WHERE expires_at < now()
               ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)"#,
        SWEPT_MAX,
    )
    .execute(write.connection())
    .await?;
    sqlx::query!(
        r#"DELETE FROM operator_key WHERE key_id IN (
               SELECT key_id FROM operator_key
               WHERE subject <> '' AND expires_at < now() - interval '1 day'
               ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)"#,
        SWEPT_MAX,
    )
    .execute(write.connection())
    .await?;
    Ok(())
}
