//! A role and its place between columns and the value, for whatever holds roles.

use domain::{
    access::{Binding, Bound, OwnRole, Permissions, Place, Role},
    name::{OrganizationName, ProjectName, RoleName},
    segment::Slug,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{column, conflict, error::StoreError};

/// A role that something holds, and where, as the database has it.
pub(crate) struct Columns {
    /// The word of one that is built in; empty for one of an organization's own.
    pub(crate) role: String,
    /// The name of one of the organization's own, and what that holds.
    pub(crate) own: Option<(String, Vec<String>)>,
    /// Absent for everywhere.
    pub(crate) organization: Option<String>,
    /// Absent for the organization.
    pub(crate) project: Option<String>,
}

/// What is written of a role: its word, or nothing and the id of one of an organization's own.
pub(crate) async fn columns(
    connection: &mut PgConnection,
    field: &str,
    role: &Bound,
) -> Result<(&'static str, Option<Uuid>), StoreError> {
    let name = match role {
        Bound::BuiltIn(role) => return Ok((role.word(), None)),
        Bound::Own(role) => &role.name,
    };
    let id = sqlx::query_scalar!(
        r#"SELECT it.id FROM role it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.role.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    match id {
        Some(id) => Ok(("", Some(id))),
        None => Err(conflict::dangling(field, name)),
    }
}

// === impl Columns ===

impl Columns {
    /// The role and where; `None` for a role that only a newer control plane knows, which allows nothing here.
    pub(crate) fn binding(self) -> Result<Option<Binding>, StoreError> {
        let slug = |text: &str| column::read(Slug::parse(text), "a role's place");
        let at = match (&self.organization, &self.project) {
            (None, _) => Place::Everywhere,
            (Some(organization), None) => Place::Organization(OrganizationName {
                organization: slug(organization)?,
            }),
            (Some(organization), Some(project)) => Place::Project(ProjectName {
                organization: slug(organization)?,
                project: slug(project)?,
            }),
        };
        let role = match (self.own, self.organization) {
            (Some((name, words)), Some(organization)) => Bound::Own(OwnRole {
                name: RoleName {
                    organization: slug(&organization)?,
                    role: column::read(Slug::parse(&name), "role.name")?,
                },
                permissions: Permissions::of_words(&words),
            }),
            _ => match Role::parse(&self.role) {
                Some(role) => Bound::BuiltIn(role),
                None => return Ok(None),
            },
        };
        Ok(Some(Binding { role, at }))
    }
}
