//! Whose a key is: the service account that it belongs to, if any.
//!
//! Whoever writes a key has its account to themselves, and so has whoever switches the account: so no key is published as it was
//! before the switch after it.

use domain::name::ServiceAccountName;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    conflict,
    error::{Obstacle, StoreError},
    id::uuid,
};

/// The most keys of an account that are not revoked: as many as are published in one write.
const KEYS_MAX: i64 = 1_000; // Full: another one is refused.

/// The field that names it.
const FIELD: &str = "key.service_account";

/// Keeps others from writing the account of a key, and keys of it, until this write ends.
pub(crate) async fn hold(connection: &mut PgConnection, key: Uuid) -> Result<(), StoreError> {
    sqlx::query!(
        r#"SELECT it.id FROM service_account it JOIN key ON key.service_account = it.id
           WHERE key.id = $1 FOR UPDATE OF it"#,
        key,
    )
    .fetch_optional(connection)
    .await?;
    Ok(())
}

/// Gives the key to this account, or to none.
pub(crate) async fn set(
    connection: &mut PgConnection,
    key: [u8; 16],
    account: Option<&ServiceAccountName>,
) -> Result<(), StoreError> {
    let id = match account {
        Some(name) => Some(with_room(connection, key, name).await?),
        None => None,
    };
    sqlx::query!(
        "UPDATE key SET service_account = $2 WHERE id = $1",
        uuid(key),
        id,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The id of the account, held, in which there is room for this key.
async fn with_room(
    connection: &mut PgConnection,
    key: [u8; 16],
    name: &ServiceAccountName,
) -> Result<Uuid, StoreError> {
    let id = sqlx::query_scalar!(
        r#"SELECT it.id FROM service_account it
           JOIN project ON project.id = it.project
           JOIN organization ON organization.id = project.organization
           WHERE organization.name = $1 AND project.name = $2 AND it.name = $3 FOR UPDATE OF it"#,
        name.organization.as_str(),
        name.project.as_str(),
        name.service_account.as_str(),
    )
    .fetch_optional(&mut *connection)
    .await?;
    let id = id.ok_or_else(|| conflict::dangling(FIELD, name))?;
    let others = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM key
           WHERE service_account = $1 AND id <> $2 AND revoked_at IS NULL"#,
        id,
        uuid(key),
    )
    .fetch_one(connection)
    .await?;
    if others >= KEYS_MAX {
        return Err(conflict::blocked(name, Obstacle::HasManyAccountKeys));
    }
    Ok(id)
}
