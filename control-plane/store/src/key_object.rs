//! A key as edges are told of it.

use domain::name::KeyName;
use policy::{
    id::{ModelId, OrganizationId, ProjectId},
    key::{Key, PreviousSecret},
    revision::Revision,
};
use sqlx::PgConnection;

use crate::{column, error::StoreError, key_scope, named};

/// The object of the key that stands.
pub(crate) async fn of(connection: &mut PgConnection, name: &KeyName) -> Result<Key, StoreError> {
    let (project, organization) = named::project(connection, &name.parent()).await?;
    let kept = sqlx::query!(
        r#"SELECT tag, pepper_version, expires_at, secret_created_at, previous_tag,
                  key.disabled OR coalesce(account.disabled, false) AS "disabled!",
                  previous_pepper_version, previous_created_at, previous_expires_at,
                  label_names, label_values,
                  ARRAY(SELECT model FROM key_model WHERE key_model.key = key.id) AS "models!"
           FROM key LEFT JOIN service_account account ON account.id = key.service_account
           WHERE key_id = $1"#,
        name.key.as_str(),
    )
    .fetch_one(&mut *connection)
    .await?;
    let models = kept.models.into_iter();
    let models: Vec<ModelId> = models
        .map(|id| ModelId::from_bytes(id.into_bytes()))
        .collect();
    let previous = match (
        kept.previous_tag,
        kept.previous_pepper_version,
        kept.previous_created_at,
        kept.previous_expires_at,
    ) {
        (Some(tag), Some(pepper_version), Some(created_at), Some(expires_at)) => {
            Some(Box::new(PreviousSecret {
                tag: column::read(<[u8; 32]>::try_from(tag), "key.previous_tag")?,
                pepper_version: column::read(
                    u32::try_from(pepper_version),
                    "key.previous_pepper_version",
                )?,
                created_at_ms: column::milliseconds(created_at),
                expires_at_ms: column::milliseconds(expires_at),
            }))
        }
        _ => None,
    };
    Ok(Key {
        key_id: name.key.to_string(),
        organization,
        project,
        tag: column::read(<[u8; 32]>::try_from(kept.tag), "key.tag")?,
        pepper_version: column::read(u32::try_from(kept.pepper_version), "key.pepper_version")?,
        secret_created_at_ms: column::milliseconds(kept.secret_created_at),
        previous,
        disabled: kept.disabled,
        labels: (!kept.label_names.is_empty()).then(|| {
            kept.label_names
                .into_iter()
                .zip(kept.label_values)
                .collect()
        }),
        scope: key_scope::object(connection, name.key.as_str()).await?,
        // Zero would mean never; nothing expires at the first millisecond of 1970.
        expires_at_ms: kept.expires_at.map(|at| column::milliseconds(at).max(1)),
        config_revision: config_revision(connection, organization, project, &models).await?,
        models,
    })
}

/// The configuration without which the key makes no sense: its organization, its project and its models.
async fn config_revision(
    connection: &mut PgConnection,
    organization: OrganizationId,
    project: ProjectId,
    models: &[ModelId],
) -> Result<Revision, StoreError> {
    let models: Vec<Vec<u8>> = models.iter().map(|id| id.as_bytes().to_vec()).collect();
    // Kinds 1, 2 and 4 are `policy::object::Kind::Organization`, `Project` and `Model`.
    let revision = sqlx::query_scalar!(
        r#"SELECT coalesce(max(revision), 0) AS "revision!" FROM object
           WHERE (kind = 1 AND key = $1) OR (kind = 2 AND key = $2)
              OR (kind = 4 AND key = ANY($3))"#,
        organization.as_bytes().as_slice(),
        project.as_bytes().as_slice(),
        &models,
    )
    .fetch_one(connection)
    .await?;
    Ok(column::revision(revision))
}
