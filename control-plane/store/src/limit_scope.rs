//! Whose use a limit counts: between the name of a scope and the columns that hold it.

use domain::{
    name::{KeyName, OrganizationName, ProjectName, ScopeName},
    segment::{KeyId, Slug},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{column, conflict, error::StoreError, id::uuid, named};

/// The field that names the scope, for errors.
pub(crate) const FIELD: &str = "limit.scope";

/// What the scope's name stands for: a project, a key, or neither for the organization itself.
pub(crate) async fn ids(
    connection: &mut PgConnection,
    scope: &ScopeName,
) -> Result<(Option<Uuid>, Option<Uuid>), StoreError> {
    match scope {
        ScopeName::Organization(_) => Ok((None, None)),
        ScopeName::Project(name) => match named::project(connection, name).await {
            Ok((id, _)) => Ok((Some(uuid(*id.as_bytes())), None)),
            Err(StoreError::NotFound { .. }) => Err(conflict::dangling(FIELD, name)),
            Err(why) => Err(why),
        },
        ScopeName::Key(name) => {
            let id = named::key(connection, name).await?;
            Ok((
                None,
                Some(id.ok_or_else(|| conflict::dangling(FIELD, name))?),
            ))
        }
    }
}

/// The name of the scope that these columns stand for.
pub(crate) fn name(
    parent: &OrganizationName,
    project: Option<&str>,
    key_id: Option<&str>,
) -> Result<ScopeName, StoreError> {
    let organization = parent.organization.clone();
    let Some(project) = project else {
        return Ok(ScopeName::Organization(parent.clone()));
    };
    let project = column::read(Slug::parse(project), "project.name")?;
    let Some(key_id) = key_id else {
        return Ok(ScopeName::Project(ProjectName {
            organization,
            project,
        }));
    };
    let key = column::read(KeyId::parse(key_id), "key.key_id")?;
    Ok(ScopeName::Key(KeyName {
        organization,
        project,
        key,
    }))
}
