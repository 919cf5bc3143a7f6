//! Whose usage is asked for, and the ids of what questions name.
//!
//! Knows names; knows nothing of sums.

use domain::name::{OrganizationName, ProjectName};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{error::StoreError, named};

/// Whose usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// That of all organizations.
    Everybody,
    /// That of one.
    Organization(OrganizationName),
    /// That of one of its projects.
    Project(ProjectName),
}

/// Of what names are.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Project,
    Model,
    Version,
    Provider,
}

/// The organizations, and the project where it is one's.
pub(crate) async fn whose(
    connection: &mut PgConnection,
    whose: &Whose,
) -> Result<(Vec<Uuid>, Option<Uuid>), StoreError> {
    match whose {
        Whose::Everybody => {
            let all = sqlx::query_scalar!("SELECT id FROM organization");
            Ok((all.fetch_all(&mut *connection).await?, None))
        }
        Whose::Organization(name) => Ok((vec![named::organization(connection, name).await?], None)),
        Whose::Project(name) => {
            let (project, organization) = named::project(connection, name).await?;
            let (project, organization) = (project.as_bytes(), organization.as_bytes());
            let organization = Uuid::from_bytes(*organization);
            Ok((vec![organization], Some(Uuid::from_bytes(*project))))
        }
    }
}

/// The ids of these names; what is gone is called by its id. `None` means: all.
pub(crate) async fn ids(
    connection: &mut PgConnection,
    kind: Kind,
    organizations: &[Uuid],
    names: &[String],
) -> Result<Option<Vec<Uuid>>, StoreError> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut ids = sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM project
           WHERE $1 = 0 AND organization = ANY($2) AND name = ANY($3)
           UNION ALL SELECT id FROM model
           WHERE $1 = 1 AND organization = ANY($2) AND name = ANY($3)
           UNION ALL SELECT it.id FROM model_version it JOIN model ON model.id = it.model
           WHERE $1 = 2 AND organization = ANY($2) AND it.name = ANY($3)
           UNION ALL SELECT id FROM provider
           WHERE $1 = 3 AND organization = ANY($2) AND name = ANY($3)"#,
        kind as i32,
        organizations,
        names,
    )
    .fetch_all(connection)
    .await?;
    ids.extend(names.iter().filter_map(|it| Uuid::try_parse(it).ok()));
    Ok(Some(ids))
}
