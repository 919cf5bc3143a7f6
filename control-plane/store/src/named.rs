//! From names to ids.
//!
//! A name that stands in the path of a request and leads nowhere is an error; one that stands in a field is
//! `None`, and whoever asked knows the field.

use std::fmt::Display;

use domain::{
    access::Place,
    name::{KeyName, ModelName, OrganizationName, ProjectName, ProviderName},
};
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

/// The id of the organization that keeps something; `None` for what stands above all.
pub(crate) async fn keeper(
    connection: &mut PgConnection,
    parent: Option<&OrganizationName>,
) -> Result<Option<Uuid>, StoreError> {
    match parent {
        Some(name) => organization(connection, name).await.map(Some),
        None => Ok(None),
    }
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

/// The ids of the organization and the project of a place that `field` names; neither for everywhere.
pub(crate) async fn place(
    connection: &mut PgConnection,
    field: &str,
    place: &Place,
) -> Result<(Option<Uuid>, Option<Uuid>), StoreError> {
    let dangling = |why| match why {
        StoreError::NotFound { name } => StoreError::Dangling {
            field: field.to_owned(),
            name,
        },
        why => why,
    };
    match place {
        Place::Everywhere => Ok((None, None)),
        Place::Organization(name) => {
            let id = organization(connection, name).await;
            Ok((Some(id.map_err(dangling)?), None))
        }
        Place::Project(name) => {
            let ids = project(connection, name).await;
            let (project, organization) = ids.map_err(dangling)?;
            let organization = Uuid::from_bytes(*organization.as_bytes());
            let project = Uuid::from_bytes(*project.as_bytes());
            Ok((Some(organization), Some(project)))
        }
    }
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

/// The same of a model in the path of a request: where it is not, neither is `asked`, which is it or stands below it.
pub(crate) async fn model_of(
    connection: &mut PgConnection,
    name: &ModelName,
    asked: &impl Display,
) -> Result<ModelId, StoreError> {
    let id = model(connection, name).await?;
    id.ok_or_else(|| conflict::missing(asked))
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
