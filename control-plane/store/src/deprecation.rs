//! Deprecating models and versions, and taking that back. Edges hear of both with the model.

use domain::{
    deprecation::{Deprecation, Successor},
    name::{ModelName, VersionName},
};
use policy::deprecation::DEPRECATED_MAX;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    column, conflict,
    error::{Obstacle, StoreError},
    id::uuid,
    model, named, version,
    write::Write,
};

/// The field that names what takes its place, for errors.
const SUCCESSOR: &str = "deprecation.successor";

/// Deprecates a model, or takes that back.
pub async fn of_model(
    write: &mut Write,
    row: &model::Row,
    deprecation: Option<&Deprecation>,
) -> Result<model::Row, StoreError> {
    let columns = columns(write.connection(), deprecation).await?;
    sqlx::query!(
        r#"UPDATE model SET deprecated_at = $2, sunset_at = $3, successor = $4,
               version = version + 1, updated_at = now()
           WHERE id = $1"#,
        uuid(*row.id.as_bytes()),
        columns.0,
        columns.1,
        columns.2,
    )
    .execute(write.connection())
    .await?;
    model::written(write, &row.name).await
}

/// Reads a version and keeps others from writing its model until this write ends.
pub async fn lock_version(
    write: &mut Write,
    name: &VersionName,
) -> Result<version::Row, StoreError> {
    match model::lock(write, &name.parent(), "").await {
        Err(StoreError::NotFound { .. }) => return Err(conflict::missing(name)),
        model => model?,
    };
    version::read(write.connection(), name).await
}

/// Deprecates a version of a model that is locked, or takes that back.
pub async fn of_version(
    write: &mut Write,
    row: &version::Row,
    deprecation: Option<&Deprecation>,
) -> Result<version::Row, StoreError> {
    let columns = columns(write.connection(), deprecation).await?;
    sqlx::query!(
        r#"UPDATE model_version SET deprecated_at = $2, sunset_at = $3, successor = $4
           WHERE id = $1"#,
        uuid(*row.id.as_bytes()),
        columns.0,
        columns.1,
        columns.2,
    )
    .execute(write.connection())
    .await?;
    let parent = row.name.parent();
    let stands = model::written(write, &parent).await?;
    let deprecated = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM model_version
           WHERE model = $1 AND deprecated_at IS NOT NULL"#,
        uuid(*stands.id.as_bytes()),
    )
    .fetch_one(write.connection())
    .await?;
    if column::count(deprecated) > DEPRECATED_MAX as u64 {
        return Err(conflict::blocked(&parent, Obstacle::HasManyDeprecated));
    }
    version::read(write.connection(), &row.name).await
}

/// The values of the columns. What is named as a successor must stand.
async fn columns(
    connection: &mut PgConnection,
    deprecation: Option<&Deprecation>,
) -> Result<(Option<OffsetDateTime>, Option<OffsetDateTime>, String), StoreError> {
    let Some(it) = deprecation else {
        return Ok((None, None, String::new()));
    };
    match &it.successor {
        None => {}
        Some(Successor::Model(name)) => stands(connection, name).await?,
        Some(Successor::Version(name)) => version_stands(connection, name).await?,
    }
    let successor = it.successor.as_ref().map(ToString::to_string);
    Ok((
        Some(column::moment(it.from_ms)?),
        it.sunset_ms.map(column::moment).transpose()?,
        successor.unwrap_or_default(),
    ))
}

async fn stands(connection: &mut PgConnection, name: &ModelName) -> Result<(), StoreError> {
    let found = named::model(connection, name).await?;
    found
        .map(drop)
        .ok_or_else(|| conflict::dangling(SUCCESSOR, name))
}

async fn version_stands(
    connection: &mut PgConnection,
    name: &VersionName,
) -> Result<(), StoreError> {
    match version::read(connection, name).await {
        Err(StoreError::NotFound { .. }) => Err(conflict::dangling(SUCCESSOR, name)),
        found => found.map(drop),
    }
}
