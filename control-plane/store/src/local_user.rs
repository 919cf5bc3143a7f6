//! Local users: who proves themselves by a password and a code that are kept here, and what they may do.
//!
//! Holds what is kept of a password as its text form, and what codes are computed from sealed. What they were given goes when what they
//! may do changes.

use domain::{
    access::{Binding, Bindings},
    etag::etag,
    local_user::Checked,
    name::{LocalUserName, OrganizationName},
    page::Page,
    segment::Slug,
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    bound, column, conflict,
    error::{Obstacle, StoreError},
    given_key::{self, Giver},
    id::uuid,
    list::{self, Listed},
    named,
    store::Store,
    write::Write,
};

/// The most users that an organization keeps, or that stand above all.
const USERS_MAX: i64 = 1_000; // Full: another one is refused.

/// What to make.
#[derive(Clone)]
pub struct New {
    /// Their id, from [`crate::id::draw`].
    pub id: [u8; 16],
    /// Their name.
    pub name: LocalUserName,
    /// All that an operator says of them.
    pub checked: Checked,
    /// What lets them choose a password.
    pub fresh: Fresh,
}

/// What lets somebody choose a password, and another secret for their codes.
#[derive(Clone)]
pub struct Fresh {
    /// SHA-256 of the activation code's secret, which has 256 random bits.
    pub activation_sha256: [u8; 32],
    /// Until when it is taken.
    pub activation_ends_at: OffsetDateTime,
    /// What their codes are computed from, sealed for this id.
    pub code_secret: Vec<u8>,
}

/// A local user as they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Their id.
    pub id: [u8; 16],
    /// Their name.
    pub name: LocalUserName,
    /// All that an operator says of them. Can change.
    pub checked: Checked,
    /// Until when an activation code is taken; `None` where there is none.
    pub activates_until: Option<OffsetDateTime>,
    /// When they chose their password; `None` where they have not.
    pub password_changed_at: Option<OffsetDateTime>,
    /// When they were let in last.
    pub logged_in_at: Option<OffsetDateTime>,
    /// Counts its writes by operators.
    pub version: i64,
    /// When they were made.
    pub created_at: OffsetDateTime,
    /// When an operator last changed them.
    pub updated_at: OffsetDateTime,
}

struct Columns {
    id: Uuid,
    name: String,
    display_name: String,
    lifetime_ms: i64,
    disabled: bool,
    activation_ends_at: Option<OffsetDateTime>,
    password_changed_at: Option<OffsetDateTime>,
    logged_in_at: Option<OffsetDateTime>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

/// Reads one.
pub async fn get(store: &Store, name: &LocalUserName) -> Result<Row, StoreError> {
    read(&mut *store.connection().await?, name).await
}

/// Reads a page of those that an organization keeps, or that stand above all.
pub async fn list(
    store: &Store,
    parent: Option<&OrganizationName>,
    page: &Page,
) -> Result<Listed<Row>, StoreError> {
    let mut connection = store.connection().await?;
    let organization = named::keeper(&mut connection, parent).await?;
    let rows = sqlx::query_as!(
        Columns,
        r#"SELECT id, name, display_name, lifetime_ms, disabled, activation_ends_at, password_changed_at,
                  logged_in_at, version, created_at, updated_at
           FROM local_user
           WHERE organization IS NOT DISTINCT FROM $1 AND name > $2 ORDER BY name LIMIT $3"#,
        organization,
        page.after,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut listed = Vec::with_capacity(rows.len());
    for columns in rows {
        let keeper = parent.map(|it| it.organization.clone());
        listed.push(whole(&mut connection, keeper, columns).await?);
    }
    Ok(list::cut(listed, page, |row| row.name.local_user.as_str()))
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let keeper = new.name.keeper();
    let organization = named::keeper(write.connection(), keeper.as_ref()).await?;
    let stand = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM local_user WHERE organization IS NOT DISTINCT FROM $1"#,
        organization
    )
    .fetch_one(write.connection())
    .await?;
    if stand >= USERS_MAX {
        return Err(conflict::blocked(&new.name, Obstacle::HasManyLocalUsers));
    }
    sqlx::query!(
        r#"INSERT INTO local_user (id, organization, name, display_name, lifetime_ms, disabled,
                                   activation_sha256, activation_ends_at, code_secret)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"#,
        uuid(new.id),
        organization,
        new.name.local_user.as_str(),
        new.checked.display_name,
        column::number(new.checked.lifetime_ms),
        new.checked.disabled,
        new.fresh.activation_sha256.as_slice(),
        new.fresh.activation_ends_at,
        new.fresh.code_secret,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &new.name))?;
    bind(write.connection(), new.id, &new.checked.bindings).await?;
    read(write.connection(), &new.name).await
}

/// Reads one and keeps others from writing them, or from letting them in, until this write ends. `seen` must be the etag of the state
/// that stands, or empty.
pub async fn lock(write: &mut Write, name: &LocalUserName, seen: &str) -> Result<Row, StoreError> {
    sqlx::query!(
        r#"SELECT it.id FROM local_user it LEFT JOIN organization ON organization.id = it.organization
           WHERE it.name = $1 AND organization.name IS NOT DISTINCT FROM $2 FOR UPDATE OF it"#,
        name.local_user.as_str(),
        name.organization.as_ref().map(Slug::as_str),
    )
    .fetch_optional(write.connection())
    .await?;
    let row = read(write.connection(), name).await?;
    conflict::check_etag(seen, &row.etag(), name)?;
    // What is not known here would be lost, or given by somebody who does not hold it.
    for columns in held(write.connection(), row.id).await? {
        if columns.binding()?.is_none() {
            return Err(conflict::blocked(name, Obstacle::HoldsUnknown));
        }
    }
    Ok(row)
}

/// Writes what can change of a row that is locked, and revokes what they were given under what stood before.
pub async fn update(write: &mut Write, row: &Row) -> Result<Row, StoreError> {
    sqlx::query!(
        r#"UPDATE local_user SET display_name = $2, lifetime_ms = $3, disabled = $4,
               version = version + 1, updated_at = now()
           WHERE id = $1"#,
        uuid(row.id),
        row.checked.display_name,
        column::number(row.checked.lifetime_ms),
        row.checked.disabled,
    )
    .execute(write.connection())
    .await?;
    sqlx::query!(
        "DELETE FROM local_user_binding WHERE local_user = $1",
        uuid(row.id)
    )
    .execute(write.connection())
    .await?;
    bind(write.connection(), row.id, &row.checked.bindings).await?;
    given_key::revoke(write, Giver::LocalUser(uuid(row.id))).await?;
    read(write.connection(), &row.name).await
}

/// Has one that is locked choose anew: their password and the secret of their codes hold no more, and what they were given is revoked.
/// Says how much of that still worked.
pub async fn reset(write: &mut Write, row: &Row, fresh: Fresh) -> Result<(Row, u64), StoreError> {
    sqlx::query!(
        r#"UPDATE local_user SET activation_sha256 = $2, activation_ends_at = $3, code_secret = $4,
               code_step = 0, password = NULL, password_changed_at = NULL,
               version = version + 1, updated_at = now()
           WHERE id = $1"#,
        uuid(row.id),
        fresh.activation_sha256.as_slice(),
        fresh.activation_ends_at,
        fresh.code_secret,
    )
    .execute(write.connection())
    .await?;
    let revoked = given_key::revoke(write, Giver::LocalUser(uuid(row.id))).await?;
    Ok((read(write.connection(), &row.name).await?, revoked))
}

/// Deletes one that is locked, and revokes what they were given. Says how much of that still worked.
pub async fn delete(write: &mut Write, row: &Row) -> Result<u64, StoreError> {
    let revoked = given_key::revoke(write, Giver::LocalUser(uuid(row.id))).await?;
    sqlx::query!("DELETE FROM local_user WHERE id = $1", uuid(row.id))
        .execute(write.connection())
        .await?;
    Ok(revoked)
}

async fn bind(
    connection: &mut PgConnection,
    local_user: [u8; 16],
    bindings: &Bindings,
) -> Result<(), StoreError> {
    for (at, Binding { role, at: place }) in bindings.0.iter().enumerate() {
        let field = format!("local_user.bindings[{at}]");
        let scope = format!("{field}.scope");
        let (organization, project) = named::place(connection, &scope, place).await?;
        let field = format!("{field}.role");
        let (role, own_role) = bound::columns(connection, &field, role).await?;
        sqlx::query!(
            r#"INSERT INTO local_user_binding (local_user, place, role, organization, project, own_role)
               VALUES ($1, $2, $3, $4, $5, $6)"#,
            uuid(local_user),
            column::read(i16::try_from(at), "local_user_binding.place")?,
            role,
            organization,
            project,
            own_role,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Reads one in a transaction or without.
pub(crate) async fn read(
    connection: &mut PgConnection,
    name: &LocalUserName,
) -> Result<Row, StoreError> {
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, it.display_name, it.lifetime_ms, it.disabled, it.activation_ends_at,
                  it.password_changed_at, it.logged_in_at, it.version, it.created_at, it.updated_at
           FROM local_user it LEFT JOIN organization ON organization.id = it.organization
           WHERE it.name = $1 AND organization.name IS NOT DISTINCT FROM $2"#,
        name.local_user.as_str(),
        name.organization.as_ref().map(Slug::as_str),
    )
    .fetch_optional(&mut *connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    whole(connection, name.organization.clone(), columns).await
}

async fn whole(
    connection: &mut PgConnection,
    organization: Option<Slug>,
    columns: Columns,
) -> Result<Row, StoreError> {
    let id = columns.id.into_bytes();
    let held = held(connection, id).await?;
    let bindings = held.into_iter().filter_map(|it| it.binding().transpose());
    Ok(Row {
        id,
        name: LocalUserName {
            organization,
            local_user: column::read(Slug::parse(&columns.name), "local_user.name")?,
        },
        checked: Checked {
            display_name: columns.display_name,
            bindings: bindings.collect::<Result<_, _>>().map(Bindings)?,
            lifetime_ms: column::count(columns.lifetime_ms),
            disabled: columns.disabled,
        },
        activates_until: columns.activation_ends_at,
        password_changed_at: columns.password_changed_at,
        logged_in_at: columns.logged_in_at,
        version: columns.version,
        created_at: columns.created_at,
        updated_at: columns.updated_at,
    })
}

async fn held(
    connection: &mut PgConnection,
    local_user: [u8; 16],
) -> Result<Vec<bound::Columns>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT it.role, organization.name AS "organization?", project.name AS "project?",
                  role.name AS "own_role?", role.permissions AS "permissions?"
           FROM local_user_binding it
           LEFT JOIN organization ON organization.id = it.organization
           LEFT JOIN project ON project.id = it.project
           LEFT JOIN role ON role.id = it.own_role
           WHERE it.local_user = $1 ORDER BY it.place"#,
        uuid(local_user),
    )
    .fetch_all(connection)
    .await?;
    let columns = rows.into_iter().map(|row| bound::Columns {
        role: row.role,
        own: row.own_role.zip(row.permissions),
        organization: row.organization,
        project: row.project,
    });
    Ok(columns.collect())
}

// === impl Row ===

impl Row {
    /// Which state this is.
    pub fn etag(&self) -> String {
        etag(&self.id, self.version)
    }
}
