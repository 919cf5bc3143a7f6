//! The aliases of a model as edges are told them, with it; and what keeps the names of models and aliases apart.

use domain::name::{ModelAliasName, ModelName, OrganizationName};
use policy::{
    alias::Alias,
    id::{ModelId, VersionId},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{error::StoreError, id::uuid};

/// The aliases of a model, by name. Of its versions the newest is the one that was made last of those that are not deprecated; where all
/// are, of all.
pub(crate) async fn of(
    connection: &mut PgConnection,
    model: Uuid,
) -> Result<Vec<Alias>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT it.name, serves.id AS "version?"
           FROM model_alias it
           LEFT JOIN LATERAL (
               SELECT version.id FROM model_version version
               WHERE version.model = it.model AND (it.follows = 2 OR version.id = it.pinned)
               ORDER BY version.deprecated_at IS NOT NULL, version.created_at DESC, version.id DESC LIMIT 1
           ) serves ON it.follows <> 1
           WHERE it.model = $1 ORDER BY it.name"#,
        model,
    )
    .fetch_all(connection)
    .await?;
    let alias = rows.into_iter().map(|row| Alias {
        name: row.name,
        version: row.version.map(|id| VersionId::from_bytes(id.into_bytes())),
    });
    Ok(alias.collect())
}

/// Whether an alias of the model stands for its newest version.
pub(crate) async fn follows_newest(
    connection: &mut PgConnection,
    model: ModelId,
) -> Result<bool, StoreError> {
    let follows = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM model_alias WHERE model = $1 AND follows = 2) AS "follows!""#,
        uuid(*model.as_bytes()),
    )
    .fetch_one(connection)
    .await?;
    Ok(follows)
}

/// Keeps others from writing a model until this write ends, save by what names it: whoever publishes it sees what this write has done.
pub(crate) async fn hold_model(
    connection: &mut PgConnection,
    model: ModelId,
) -> Result<(), StoreError> {
    sqlx::query!(
        "SELECT id FROM model WHERE id = $1 FOR NO KEY UPDATE",
        uuid(*model.as_bytes()),
    )
    .fetch_optional(connection)
    .await?;
    Ok(())
}

/// Keeps others from giving a name to a model or an alias of an organization until this write ends.
pub(crate) async fn hold_names(
    connection: &mut PgConnection,
    organization: Uuid,
) -> Result<(), StoreError> {
    sqlx::query!(
        "SELECT id FROM organization WHERE id = $1 FOR NO KEY UPDATE",
        organization,
    )
    .fetch_optional(connection)
    .await?;
    Ok(())
}

/// Refuses a name for a model that an alias has.
pub(crate) async fn is_free_of_aliases(
    connection: &mut PgConnection,
    organization: Uuid,
    name: &ModelName,
) -> Result<(), StoreError> {
    let taken = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM model_alias WHERE organization = $1 AND name = $2) AS "taken!""#,
        organization,
        name.model.as_str(),
    )
    .fetch_one(connection)
    .await?;
    let alias = ModelAliasName {
        organization: name.organization.clone(),
        model_alias: name.model.clone(),
    };
    free(taken, alias.to_string())
}

/// Refuses a name for an alias that a model has.
pub(crate) async fn is_free_of_models(
    connection: &mut PgConnection,
    organization: Uuid,
    name: &ModelAliasName,
) -> Result<(), StoreError> {
    let taken = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM model WHERE organization = $1 AND name = $2) AS "taken!""#,
        organization,
        name.model_alias.as_str(),
    )
    .fetch_one(connection)
    .await?;
    let OrganizationName { organization } = name.parent();
    let model = ModelName {
        organization,
        model: name.model_alias.clone(),
    };
    free(taken, model.to_string())
}

fn free(taken: bool, name: String) -> Result<(), StoreError> {
    if taken {
        Err(StoreError::Exists { name })
    } else {
        Ok(())
    }
}
