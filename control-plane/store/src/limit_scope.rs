//! Whose use a limit counts: between the name of a scope and the columns that hold it.

use domain::{
    limit::Narrowing,
    name::{KeyName, ModelName, OrganizationName, ProjectName, ProviderName, ScopeName},
    segment::{KeyId, ModelSlug, Slug},
};
use policy::limit::Members;
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

/// What the names in a narrowing stand for: a model and a provider.
pub(crate) async fn narrowing(
    connection: &mut PgConnection,
    narrowing: &Narrowing,
) -> Result<(Option<Uuid>, Option<Uuid>), StoreError> {
    let model = match &narrowing.model {
        Some(name) => {
            let id = named::model(connection, name).await?;
            let id = id.ok_or_else(|| conflict::dangling("limit.model", name))?;
            Some(uuid(*id.as_bytes()))
        }
        None => None,
    };
    let provider = match &narrowing.provider {
        Some(name) => {
            let id = named::provider(connection, name).await?;
            let id = id.ok_or_else(|| conflict::dangling("limit.provider", name))?;
            Some(uuid(*id.as_bytes()))
        }
        None => None,
    };
    Ok((model, provider))
}

/// The narrowing that these columns stand for: the names of a model and a provider, an end user or nothing, and the
/// bits of what each is counted by itself.
pub(crate) fn narrowed(
    parent: &OrganizationName,
    (model, provider): (Option<&str>, Option<&str>),
    (end_user, each): (String, i32),
) -> Result<Narrowing, StoreError> {
    let organization = || parent.organization.clone();
    let model = model.map(|name| {
        column::read(ModelSlug::parse(name), "model.name").map(|model| ModelName {
            organization: organization(),
            model,
        })
    });
    let provider = provider.map(|name| {
        column::read(Slug::parse(name), "provider.name").map(|provider| ProviderName {
            organization: organization(),
            provider,
        })
    });
    let each = u32::try_from(each).ok().and_then(Members::from_bits);
    Ok(Narrowing {
        model: model.transpose()?,
        provider: provider.transpose()?,
        end_user: Some(end_user).filter(|name| !name.is_empty()),
        each: column::known(each, "rate_limit.scope_each")?,
    })
}
