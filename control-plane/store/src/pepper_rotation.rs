//! How one pepper takes another one's place: made, used once every edge has it, left by every key, and gone.
//!
//! Knows the order and what may not happen before what; tags are made elsewhere. A key is tagged anew as it stands, under the
//! lock that every write of a key takes; the database refuses to let a pepper go that a key needs.

use std::time::Duration;

use domain::{
    name::KeyName,
    segment::{KeyId, Slug},
};
use policy::{
    credential::Pepper,
    object::{Kind, Object},
    region::Audience,
};
use time::OffsetDateTime;

use crate::{
    column, conflict, edge,
    error::{Obstacle, StoreError},
    id::uuid,
    key,
    store::Store,
    write::Write,
};

/// A pepper, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its version.
    pub version: u32,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// Since when keys are tagged under it; `None` while not every edge has it.
    pub used_at: Option<OffsetDateTime>,
    /// Since when no key is; `None` while one is, or it is the newest.
    pub left_at: Option<OffsetDateTime>,
    /// How many secrets of keys are tagged under it.
    pub secrets: u64,
}

/// What a key has been given by a pepper that is to go.
pub struct Tagged {
    /// The key.
    pub name: KeyName,
    /// SHA-256 of its secret, sealed.
    pub secret: Vec<u8>,
    /// The same of the secret before it; `None` where there is none.
    pub previous: Option<Vec<u8>>,
    uid: [u8; 16],
    revoked: bool,
}

/// The peppers that stand, in the order of their versions.
pub async fn standing(store: &Store) -> Result<Vec<Standing>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT version, created_at, used_at, left_at,
                  (SELECT count(*) FROM key WHERE pepper_version = it.version)
                  + (SELECT count(*) FROM key WHERE previous_pepper_version = it.version)
                  AS "secrets!"
           FROM pepper it ORDER BY version"#,
    )
    .fetch_all(&mut *store.connection().await?)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Standing {
                version: column::read(u32::try_from(row.version), "pepper.version")?,
                created_at: row.created_at,
                used_at: row.used_at,
                left_at: row.left_at,
                secrets: column::count(row.secrets),
            })
        })
        .collect()
}

/// Whether one takes another one's place.
pub async fn is_under_way(store: &Store) -> Result<bool, StoreError> {
    let stand = sqlx::query_scalar!(r#"SELECT count(*) AS "stand!" FROM pepper"#)
        .fetch_one(&mut *store.connection().await?)
        .await?;
    Ok(stand > 1)
}

/// The version that the next pepper has. `FAILED_PRECONDITION` while one still takes another one's place.
pub async fn next_version(write: &mut Write) -> Result<u32, StoreError> {
    // Two who ask at once: the second finds what the first has made.
    sqlx::query!("LOCK TABLE pepper IN SHARE ROW EXCLUSIVE MODE")
        .execute(write.connection())
        .await?;
    let stand = sqlx::query_scalar!("SELECT version FROM pepper ORDER BY version")
        .fetch_all(write.connection())
        .await?;
    match stand.as_slice() {
        [only] => column::read(u32::try_from(only + 1), "pepper.version"),
        _ => Err(conflict::blocked(&"peppers", Obstacle::HasTwoPeppers)),
    }
}

/// Makes the pepper of that version and publishes it. The one before stays for `overlap` after the last key has left it.
pub async fn begin(
    write: &mut Write,
    pepper: &Pepper,
    sealed: &[u8],
    overlap: Duration,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO pepper (version, secret, used_at, overlap_ms) VALUES ($1, $2, NULL, $3)",
        column::read(i32::try_from(pepper.version), "pepper.version")?,
        sealed,
        i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX),
    )
    .execute(write.connection())
    .await?;
    write.put(Object::Pepper(pepper.clone()), Audience::everywhere());
    Ok(())
}

/// Uses the newest pepper from now on, if every edge has it that is waited for; whether one is used since this.
pub async fn use_newest(store: &Store) -> Result<bool, StoreError> {
    // Kind 9 is `policy::object::Kind::Pepper`.
    let waits = sqlx::query!(
        r#"SELECT version, revision FROM pepper
           JOIN object ON kind = 9 AND object.key = int4send(version)
           WHERE used_at IS NULL"#,
    )
    .fetch_optional(&mut *store.connection().await?)
    .await?;
    let Some(waits) = waits else {
        return Ok(false);
    };
    let seen = edge::behind(store, column::revision(waits.revision), None, 1).await?;
    if !seen.stragglers.is_empty() {
        return Ok(false);
    }
    let used = sqlx::query!(
        "UPDATE pepper SET used_at = now() WHERE version = $1 AND used_at IS NULL",
        waits.version,
    )
    .execute(&mut *store.connection().await?)
    .await?;
    Ok(used.rows_affected() == 1)
}

/// Some keys that a pepper below `version` has tagged, of those behind one, in the order of their ids.
pub async fn behind(
    store: &Store,
    (version, after, max): (u32, [u8; 16], u16),
) -> Result<Vec<([u8; 16], KeyName)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT key.id, key_id, project.name AS project, organization.name AS organization
           FROM key JOIN project ON project.id = key.project
           JOIN organization ON organization.id = project.organization
           WHERE key.id > $2 AND (pepper_version < $1 OR previous_pepper_version < $1)
           ORDER BY key.id LIMIT $3"#,
        column::read(i32::try_from(version), "pepper.version")?,
        uuid(after),
        i64::from(max),
    )
    .fetch_all(&mut *store.connection().await?)
    .await?;
    rows.into_iter()
        .map(|row| {
            let name = KeyName {
                organization: column::read(Slug::parse(&row.organization), "organization.name")?,
                project: column::read(Slug::parse(&row.project), "project.name")?,
                key: column::read(KeyId::parse(&row.key_id), "key.key_id")?,
            };
            Ok((row.id.into_bytes(), name))
        })
        .collect()
}

/// Locks a key and gives what its tags are made of; `None` where it is gone.
pub async fn lock(write: &mut Write, name: &KeyName) -> Result<Option<Tagged>, StoreError> {
    let row = match key::lock(write, name, "").await {
        Err(StoreError::NotFound { .. }) => return Ok(None),
        row => row?,
    };
    let kept = sqlx::query!(
        "SELECT secret_sha256, previous_secret_sha256 FROM key WHERE id = $1",
        uuid(row.uid),
    )
    .fetch_one(write.connection())
    .await?;
    Ok(Some(Tagged {
        name: name.clone(),
        secret: kept.secret_sha256,
        previous: kept.previous_secret_sha256,
        uid: row.uid,
        revoked: row.revoked_at.is_some(),
    }))
}

/// Writes the tags of a key that is locked, under the pepper of this version, and publishes it unless it is revoked.
pub async fn retag(
    write: &mut Write,
    key: &Tagged,
    version: u32,
    (tag, previous): ([u8; 32], Option<[u8; 32]>),
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"UPDATE key SET tag = $2, pepper_version = $3::integer, previous_tag = $4,
               previous_pepper_version = CASE WHEN previous_tag IS NOT NULL THEN $3::integer END
           WHERE id = $1"#,
        uuid(key.uid),
        tag.as_slice(),
        column::read(i32::try_from(version), "pepper.version")?,
        previous.as_ref().map(<[u8; 32]>::as_slice),
    )
    .execute(write.connection())
    .await?;
    // It had been left, and was not: whoever made this key had read it before.
    sqlx::query!(
        r#"UPDATE pepper SET left_at = NULL, left_revision = NULL
           WHERE version < $1 AND left_at IS NOT NULL"#,
        column::read(i32::try_from(version), "pepper.version")?,
    )
    .execute(write.connection())
    .await?;
    if !key.revoked {
        key::written(write, &key.name).await?;
    }
    Ok(())
}

/// Notes since when no key is tagged under a pepper below `version`, or that one is.
pub async fn note_left(store: &Store, version: u32) -> Result<(), StoreError> {
    sqlx::query!(
        r#"UPDATE pepper it SET left_at = now(), left_revision = (SELECT revision FROM head)
           WHERE version < $1 AND left_at IS NULL AND NOT EXISTS (
               SELECT FROM key
               WHERE pepper_version = it.version OR previous_pepper_version = it.version
           )"#,
        column::read(i32::try_from(version), "pepper.version")?,
    )
    .execute(&mut *store.connection().await?)
    .await?;
    Ok(())
}

/// A pepper that may go: no key is tagged under it, every edge knows, and it was kept for as long as it was to be.
pub async fn spent(store: &Store) -> Result<Option<u32>, StoreError> {
    let left = sqlx::query!(
        r#"SELECT version, left_revision AS "left_revision!" FROM pepper it
           WHERE left_revision IS NOT NULL AND left_at + coalesce((
               SELECT overlap_ms FROM pepper WHERE version > it.version ORDER BY version LIMIT 1
           ), 0) * interval '1 millisecond' <= now()
           ORDER BY version LIMIT 1"#,
    )
    .fetch_optional(&mut *store.connection().await?)
    .await?;
    let Some(left) = left else {
        return Ok(None);
    };
    let seen = edge::behind(store, column::revision(left.left_revision), None, 1).await?;
    if !seen.stragglers.is_empty() {
        return Ok(None);
    }
    column::read(u32::try_from(left.version), "pepper.version").map(Some)
}

/// Takes a pepper away, from the database and from edges.
pub async fn retire(write: &mut Write, version: u32) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM pepper WHERE version = $1",
        column::read(i32::try_from(version), "pepper.version")?,
    )
    .execute(write.connection())
    .await?;
    write.forget(Kind::Pepper, &version.to_be_bytes());
    Ok(())
}
