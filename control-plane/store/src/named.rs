//! From names to ids.
//!
//! A name that stands in the path of a request and leads nowhere is an error; one that stands in a field is
//! `None`, and whoever asked knows the field.

use domain::name::{KeyName, ModelName, OrganizationName, ProjectName, ProviderName};
use policy::id::{ModelId, OrganizationId, ProjectId, ProviderId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{conflict, error::StoreError};

/// The id of the organization with this name.
pub(crate) async fn organization(
    connection: &mut PgConnection,
    name: &OrganizationName,
) -> Result<Uuid, StoreError> {
    sqlx::query_scalar!(
        "SELECT id FROM organization WHERE name = $1",
        name.organization.as_str()
    )
    .fetch_optional(connection)
    .await?
    .ok_or_else(|| conflict::missing(name))
}

/// The ids of the project with this name and of its organization.
pub(crate) async fn project(
    connection: &mut PgConnection,
    name: &ProjectName,
) -> Result<(ProjectId, OrganizationId), StoreError> {
    let row = sqlx::query!(
        r#"SELECT it.id, it.organization
           FROM project it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.project.as_str(),
    )
    .fetch_optional(connection)
    .await?
    .ok_or_else(|| conflict::missing(name))?;
    Ok((
        ProjectId::from_bytes(row.id.into_bytes()),
        OrganizationId::from_bytes(row.organization.into_bytes()),
    ))
}

/// The id of the provider with this name.
pub(crate) async fn provider(
    connection: &mut PgConnection,
    name: &ProviderName,
) -> Result<Option<ProviderId>, StoreError> {
    let id = sqlx::query_scalar!(
        r#"SELECT it.id FROM provider it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.provider.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(id.map(|id| ProviderId::from_bytes(id.into_bytes())))
}

/// The id of the model with this name.
pub(crate) async fn model(
    connection: &mut PgConnection,
    name: &ModelName,
) -> Result<Option<ModelId>, StoreError> {
    let id = sqlx::query_scalar!(
        r#"SELECT it.id FROM model it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.model.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(id.map(|id| ModelId::from_bytes(id.into_bytes())))
}

/// The id of the key with this name.
pub(crate) async fn key(
    connection: &mut PgConnection,
    name: &KeyName,
) -> Result<Option<Uuid>, StoreError> {
    let id = sqlx::query_scalar!(
        r#"SELECT it.id FROM key it
           JOIN project ON project.id = it.project
           JOIN organization ON organization.id = project.organization
           WHERE organization.name = $1 AND project.name = $2 AND it.key_id = $3"#,
        name.organization.as_str(),
        name.project.as_str(),
        name.key.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(id)
}
