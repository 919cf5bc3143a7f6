//! Service accounts: who owns keys that no person holds, and the switch for all of them.

use domain::{
    etag::etag,
    name::{KeyName, ProjectName, ServiceAccountName},
    page::Page,
    segment::{KeyId, Slug},
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    column, conflict,
    error::{Obstacle, StoreError},
    id::uuid,
    key,
    list::{self, Listed},
    named,
    store::Store,
    write::Write,
};

/// The most accounts of a project.
const ACCOUNTS_MAX: i64 = 1_000; // Full: another one is refused.

/// What to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: [u8; 16],
    /// Its name.
    pub name: ServiceAccountName,
    /// What people call it.
    pub display_name: String,
    /// Whether it is switched off.
    pub disabled: bool,
}

/// An account as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: [u8; 16],
    /// Its name.
    pub name: ServiceAccountName,
    /// What people call it. Can change.
    pub display_name: String,
    /// Whether it is switched off, and its keys with it. Can change.
    pub disabled: bool,
    /// Counts its writes.
    pub version: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

struct Columns {
    id: Uuid,
    name: String,
    display_name: String,
    disabled: bool,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

/// Reads one.
pub async fn get(store: &Store, name: &ServiceAccountName) -> Result<Row, StoreError> {
    read(&mut *store.connection().await?, name).await
}

/// Reads a page.
pub async fn list(
    store: &Store,
    parent: &ProjectName,
    page: &Page,
) -> Result<Listed<Row>, StoreError> {
    let mut connection = store.connection().await?;
    let (project, _) = named::project(&mut connection, parent).await?;
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT id, name, display_name, disabled, version, created_at, updated_at
           FROM service_account WHERE project = $1 AND name > $2 ORDER BY name LIMIT $3"#,
        uuid(*project.as_bytes()),
        page.after,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *connection)
    .await?;
    let rows = columns.into_iter().map(|it| it.row(parent));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(list::cut(rows, page, |row| {
        row.name.service_account.as_str()
    }))
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let (project, _) = named::project(write.connection(), &parent).await?;
    let project = uuid(*project.as_bytes());
    let stand = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM service_account WHERE project = $1"#,
        project
    )
    .fetch_one(write.connection())
    .await?;
    if stand >= ACCOUNTS_MAX {
        return Err(conflict::blocked(&parent, Obstacle::HasManyAccounts));
    }
    sqlx::query!(
        r#"INSERT INTO service_account (id, project, name, display_name, disabled)
           VALUES ($1, $2, $3, $4, $5)"#,
        uuid(new.id),
        project,
        new.name.service_account.as_str(),
        new.display_name,
        new.disabled,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &parent))?;
    read(write.connection(), &new.name).await
}

/// Reads one and keeps others from writing it and its keys until this write ends. `etag` must be that of the state that
/// stands, or empty.
pub async fn lock(
    write: &mut Write,
    name: &ServiceAccountName,
    etag: &str,
) -> Result<Row, StoreError> {
    sqlx::query!(
        r#"SELECT it.id FROM service_account it
           JOIN project ON project.id = it.project
           JOIN organization ON organization.id = project.organization
           WHERE organization.name = $1 AND project.name = $2 AND it.name = $3 FOR UPDATE OF it"#,
        name.organization.as_str(),
        name.project.as_str(),
        name.service_account.as_str(),
    )
    .fetch_optional(write.connection())
    .await?;
    let row = read(write.connection(), name).await?;
    conflict::check_etag(etag, &row.etag(), name)?;
    Ok(row)
}

/// Writes what can change of a row that is locked, and publishes its keys anew where it was `switched`.
pub async fn update(write: &mut Write, row: &Row, switched: bool) -> Result<Row, StoreError> {
    sqlx::query!(
        r#"UPDATE service_account SET display_name = $2, disabled = $3, version = version + 1,
               updated_at = now()
           WHERE id = $1"#,
        uuid(row.id),
        row.display_name,
        row.disabled,
    )
    .execute(write.connection())
    .await?;
    if switched {
        let keys = sqlx::query_scalar!(
            r#"SELECT key_id FROM key WHERE service_account = $1 AND revoked_at IS NULL
               ORDER BY key_id"#,
            uuid(row.id),
        )
        .fetch_all(write.connection())
        .await?;
        for key_id in keys {
            let ProjectName {
                organization,
                project,
            } = row.name.parent();
            let name = KeyName {
                organization,
                project,
                key: column::read(KeyId::parse(&key_id), "key.key_id")?,
            };
            key::written(write, &name).await?;
        }
    }
    read(write.connection(), &row.name).await
}

/// Deletes one that is locked and has no keys but revoked ones, which then belong to nobody.
pub async fn delete(write: &mut Write, row: &Row) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE key SET service_account = NULL WHERE service_account = $1 AND revoked_at IS NOT NULL",
        uuid(row.id),
    )
    .execute(write.connection())
    .await?;
    sqlx::query!("DELETE FROM service_account WHERE id = $1", uuid(row.id))
        .execute(write.connection())
        .await
        .map_err(|why| conflict::on_delete(why, &row.name))?;
    Ok(())
}

async fn read(connection: &mut PgConnection, name: &ServiceAccountName) -> Result<Row, StoreError> {
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, it.display_name, it.disabled, it.version, it.created_at,
                  it.updated_at
           FROM service_account it
           JOIN project ON project.id = it.project
           JOIN organization ON organization.id = project.organization
           WHERE organization.name = $1 AND project.name = $2 AND it.name = $3"#,
        name.organization.as_str(),
        name.project.as_str(),
        name.service_account.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    columns.row(&name.parent())
}

// === impl Row ===

impl Row {
    /// Which state this is.
    pub fn etag(&self) -> String {
        etag(&self.id, self.version)
    }
}

// === impl Columns ===

impl Columns {
    fn row(self, parent: &ProjectName) -> Result<Row, StoreError> {
        Ok(Row {
            id: self.id.into_bytes(),
            name: ServiceAccountName {
                organization: parent.organization.clone(),
                project: parent.project.clone(),
                service_account: column::read(Slug::parse(&self.name), "service_account.name")?,
            },
            display_name: self.display_name,
            disabled: self.disabled,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}
