//! Operator keys that are given for tokens which a trust takes: each token once.
//!
//! Knows nothing of tokens but their hashes and when they end. What has ended is swept as others come, so nothing grows beyond what
//! still counts.

use time::OffsetDateTime;

use crate::{
    conflict,
    error::StoreError,
    given_key::{self, By, Giver},
    operator_key, trust,
    write::Write,
};

/// The most ended tokens that go with one exchange.
// Full: the next exchange takes more.
const SWEPT_MAX: i64 = 100;

/// A token that was proved.
#[derive(Debug, Clone, Copy)]
pub struct Token {
    /// What identifies it.
    pub digest: [u8; 32],
    /// When it ends by itself.
    pub expires_at: OffsetDateTime,
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
pub async fn give(
    write: &mut Write,
    trust: &trust::Row,
    token: Token,
    new: given_key::New,
) -> Result<Given, StoreError> {
    // Whoever deletes the trust waits, or has deleted it before.
    sqlx::query!("SELECT id FROM trust WHERE id = $1 FOR SHARE", trust.id)
        .fetch_optional(write.connection())
        .await?
        .ok_or_else(|| conflict::missing(&trust.name))?;
    sweep(write).await?;
    let remembered = sqlx::query!(
        r#"INSERT INTO trust_token (trust, digest, expires_at) VALUES ($1, $2, $3)
           ON CONFLICT ON CONSTRAINT trust_token_pkey DO NOTHING"#,
        trust.id,
        token.digest.as_slice(),
        token.expires_at,
    )
    .execute(write.connection())
    .await?;
    if remembered.rows_affected() == 0 {
        return Ok(Given::Used);
    }
    let by = By {
        organization: trust.name.organization.clone(),
        name: trust.name.to_string(),
        id: Giver::Trust(trust.id),
    };
    let given = given_key::give(write, by, new).await?;
    Ok(given.map_or(Given::Full, |row| Given::Key(Box::new(row))))
}

/// Forgets tokens that have ended.
async fn sweep(write: &mut Write) -> Result<(), StoreError> {
    sqlx::query!(
        r#"DELETE FROM trust_token WHERE (trust, digest) IN (
               SELECT trust, digest FROM trust_token WHERE expires_at < now()
               ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)"#,
        SWEPT_MAX,
    )
    .execute(write.connection())
    .await?;
    Ok(())
}
