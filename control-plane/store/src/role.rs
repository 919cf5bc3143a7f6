//! Roles of organizations' own.
//!
//! Who binds a role and who changes it meet at its row: what it holds is read where it is locked, so that nobody gives what
//! it came to hold meanwhile.

use domain::{
    access::{Binding, Bound, Permissions},
    etag::etag,
    name::{OrganizationName, RoleName},
    page::Page,
    segment::Slug,
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    column, conflict,
    error::{Obstacle, StoreError},
    id::uuid,
    list::{self, Listed},
    named,
    store::Store,
    write::Write,
};

/// The most roles of an organization.
const ROLES_MAX: i64 = 100; // Full: another one is refused.

/// What to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: [u8; 16],
    /// Its name.
    pub name: RoleName,
    /// What people call it.
    pub display_name: String,
    /// What it holds.
    pub permissions: Permissions,
}

/// A role as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: [u8; 16],
    /// Its name.
    pub name: RoleName,
    /// What people call it. Can change.
    pub display_name: String,
    /// What it holds. Can change.
    pub permissions: Permissions,
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
    permissions: Vec<String>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

/// Reads one.
pub async fn get(store: &Store, name: &RoleName) -> Result<Row, StoreError> {
    read(&mut *store.connection().await?, name).await
}

/// Reads a page.
pub async fn list(
    store: &Store,
    parent: &OrganizationName,
    page: &Page,
) -> Result<Listed<Row>, StoreError> {
    let mut connection = store.connection().await?;
    let organization = named::organization(&mut connection, parent).await?;
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT id, name, display_name, permissions, version, created_at, updated_at
           FROM role WHERE organization = $1 AND name > $2 ORDER BY name LIMIT $3"#,
        organization,
        page.after,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *connection)
    .await?;
    let rows = columns.into_iter().map(|it| it.row(parent));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(list::cut(rows, page, |row| row.name.role.as_str()))
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let organization = named::organization(write.connection(), &parent).await?;
    let stand = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM role WHERE organization = $1"#,
        organization
    )
    .fetch_one(write.connection())
    .await?;
    if stand >= ROLES_MAX {
        return Err(conflict::blocked(&parent, Obstacle::HasManyRoles));
    }
    sqlx::query!(
        r#"INSERT INTO role (id, organization, name, display_name, permissions)
           VALUES ($1, $2, $3, $4, $5)"#,
        uuid(new.id),
        organization,
        new.name.role.as_str(),
        new.display_name,
        &words(&new.permissions),
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &parent))?;
    read(write.connection(), &new.name).await
}

/// Reads one and keeps others from writing and from binding it until this write ends. `etag` must be that of the state that
/// stands, or empty.
pub async fn lock(write: &mut Write, name: &RoleName, etag: &str) -> Result<Row, StoreError> {
    sqlx::query!(
        r#"SELECT it.id FROM role it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2 FOR UPDATE OF it"#,
        name.organization.as_str(),
        name.role.as_str(),
    )
    .fetch_optional(write.connection())
    .await?;
    let row = read(write.connection(), name).await?;
    conflict::check_etag(etag, &row.etag(), name)?;
    if row.permissions.is_whole() {
        Ok(row)
    } else {
        Err(conflict::blocked(name, Obstacle::HoldsUnknown))
    }
}

/// Writes what can change of a row that is locked. Whoever holds it may do so from their next call on.
pub async fn update(write: &mut Write, row: &Row) -> Result<Row, StoreError> {
    sqlx::query!(
        r#"UPDATE role SET display_name = $2, permissions = $3, version = version + 1, updated_at = now()
           WHERE id = $1"#,
        uuid(row.id),
        row.display_name,
        &words(&row.permissions),
    )
    .execute(write.connection())
    .await?;
    read(write.connection(), &row.name).await
}

/// Deletes one that is locked and that nobody holds. What holds it and never works again does not count.
pub async fn delete(write: &mut Write, row: &Row) -> Result<(), StoreError> {
    sqlx::query!(
        r#"DELETE FROM role_binding USING operator_key
           WHERE role_binding.own_role = $1 AND operator_key.key_id = role_binding.operator_key
               AND (operator_key.revoked_at IS NOT NULL
                    OR (operator_key.subject <> '' AND operator_key.expires_at < now()))"#,
        uuid(row.id),
    )
    .execute(write.connection())
    .await?;
    sqlx::query!("DELETE FROM role WHERE id = $1", uuid(row.id))
        .execute(write.connection())
        .await
        .map_err(|why| conflict::on_delete(why, &row.name))?;
    Ok(())
}

/// Looks up what a role that is about to be bound holds, and keeps it so until this write ends. One that is built in holds
/// what it always does.
pub async fn look_up(
    write: &mut Write,
    field: &str,
    binding: &mut Binding,
) -> Result<(), StoreError> {
    let Bound::Own(role) = &mut binding.role else {
        return Ok(());
    };
    let words = sqlx::query_scalar!(
        r#"SELECT it.permissions FROM role it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2 FOR SHARE OF it"#,
        role.name.organization.as_str(),
        role.name.role.as_str(),
    )
    .fetch_optional(write.connection())
    .await?;
    let words = words.ok_or_else(|| conflict::dangling(field, &role.name))?;
    role.permissions = Permissions::of_words(&words);
    if role.permissions.is_whole() {
        Ok(())
    } else {
        Err(conflict::blocked(&role.name, Obstacle::HoldsUnknown))
    }
}

async fn read(connection: &mut PgConnection, name: &RoleName) -> Result<Row, StoreError> {
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, it.display_name, it.permissions, it.version, it.created_at,
                  it.updated_at
           FROM role it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.role.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    columns.row(&name.parent())
}

fn words(permissions: &Permissions) -> Vec<String> {
    permissions.known().map(|it| it.word().to_owned()).collect()
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
    fn row(self, parent: &OrganizationName) -> Result<Row, StoreError> {
        Ok(Row {
            id: self.id.into_bytes(),
            name: RoleName {
                organization: parent.organization.clone(),
                role: column::read(Slug::parse(&self.name), "role.name")?,
            },
            display_name: self.display_name,
            permissions: Permissions::of_words(&self.permissions),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}
