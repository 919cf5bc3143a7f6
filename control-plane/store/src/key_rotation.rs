//! The secrets of a key: one, and while a rotation lets both work, the one before.
//!
//! What a secret is replaced by comes as its hash, sealed, and its tag. A revoked key never gets another one.

use domain::name::{KeyName, ProjectName};
use time::OffsetDateTime;

use crate::{
    column, conflict,
    error::{Obstacle, StoreError},
    id::uuid,
    key::{self, Row},
    key_secret::Secret,
    write::Write,
};

/// How long the old secrets of this project's keys go on working, as it says, in milliseconds; `None` where it says
/// nothing.
pub async fn overlap_ms(write: &mut Write, name: &ProjectName) -> Result<Option<u64>, StoreError> {
    let overlap = sqlx::query_scalar!(
        r#"SELECT it.rotation_overlap_ms
           FROM project it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.project.as_str(),
    )
    .fetch_optional(write.connection())
    .await?;
    let overlap = overlap.ok_or_else(|| conflict::missing(name))?;
    Ok(overlap.map(column::count))
}

/// Gives a key another secret at `now`. The one it has works until `until`; `None` means: no longer, and neither does
/// one before it.
pub async fn rotate(
    write: &mut Write,
    (name, etag): (&KeyName, &str),
    secret: Secret,
    (now, until): (OffsetDateTime, Option<OffsetDateTime>),
) -> Result<Row, StoreError> {
    let row = changeable(write, name, etag).await?;
    if until.is_some() && row.previous_expires_at.is_some_and(|at| at > now) {
        return Err(conflict::blocked(name, Obstacle::HasTwoSecrets));
    }
    sqlx::query!(
        r#"UPDATE key SET
               previous_secret_sha256 = CASE WHEN $5::timestamptz IS NOT NULL THEN secret_sha256 END,
               previous_tag = CASE WHEN $5::timestamptz IS NOT NULL THEN tag END,
               previous_pepper_version = CASE WHEN $5::timestamptz IS NOT NULL THEN pepper_version END,
               previous_created_at = CASE WHEN $5::timestamptz IS NOT NULL THEN secret_created_at END,
               previous_expires_at = $5, secret_sha256 = $2, tag = $3, pepper_version = $4,
               secret_created_at = $6, version = version + 1, updated_at = now()
           WHERE id = $1"#,
        uuid(row.uid),
        secret.sha256_sealed,
        secret.tag.as_slice(),
        column::read(i32::try_from(secret.pepper_version), "key.pepper_version")?,
        until,
        now,
    )
    .execute(write.connection())
    .await?;
    // What was said of the one before does not hold for the one that is the one before from now on.
    sqlx::query!(
        "UPDATE key_use SET previous_used_at = NULL WHERE key_id = $1",
        name.key.as_str(),
    )
    .execute(write.connection())
    .await?;
    key::written(write, name).await
}

/// Takes the secret before this one away. Does nothing where there is none.
pub async fn end_overlap(write: &mut Write, name: &KeyName) -> Result<Row, StoreError> {
    let row = changeable(write, name, "").await?;
    if row.previous_expires_at.is_none() {
        return Ok(row);
    }
    sqlx::query!(
        r#"UPDATE key SET previous_secret_sha256 = NULL, previous_tag = NULL,
               previous_pepper_version = NULL, previous_created_at = NULL,
               previous_expires_at = NULL, version = version + 1, updated_at = now()
           WHERE id = $1"#,
        uuid(row.uid),
    )
    .execute(write.connection())
    .await?;
    key::written(write, name).await
}

/// The row, locked, of a key that is not revoked.
async fn changeable(write: &mut Write, name: &KeyName, etag: &str) -> Result<Row, StoreError> {
    let row = key::lock(write, name, etag).await?;
    if row.revoked_at.is_some() {
        return Err(conflict::blocked(name, Obstacle::IsRevoked));
    }
    Ok(row)
}
