//! Operator keys: what is presented to the admin API, and what each may do.
//!
//! One that may do everything must always be left: a control plane that nobody operates helps nobody.

use domain::{
    access::Bindings,
    name::{OperatorKeyName, OrganizationName},
    page::Page,
    segment::{KeyId, Slug},
};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    bound, column, conflict,
    error::{Obstacle, StoreError},
    list::{self, Listed},
    named,
    store::Store,
    write::Write,
};

/// What a request is checked against.
#[derive(Clone, PartialEq, Eq)]
pub struct Operator {
    /// SHA-256 of the secret.
    pub secret_sha256: [u8; 32],
    /// What it may do.
    pub bindings: Bindings,
}

/// What to make.
#[derive(Clone)]
pub struct New {
    /// Its name; the last segment is the public part of its text.
    pub name: OperatorKeyName,
    /// What people call it.
    pub display_name: String,
    /// What it may do.
    pub bindings: Bindings,
    /// When it stops working; `None` means: never.
    pub expires_at: Option<OffsetDateTime>,
    /// SHA-256 of its secret, which has 256 random bits.
    pub secret_sha256: [u8; 32],
}

/// An operator key as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: OperatorKeyName,
    /// What people call it. Can change.
    pub display_name: String,
    /// What it may do. Can change.
    pub bindings: Bindings,
    /// When it stops working; `None` means: never. Can change.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was revoked; `None` while it is not.
    pub revoked_at: Option<OffsetDateTime>,
    /// What it was given by, a trust or a local user, and for whom; `None` for one that an operator made.
    pub given: Option<(String, String)>,
}

struct Columns {
    key_id: String,
    display_name: String,
    expires_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    revoked_at: Option<OffsetDateTime>,
    trust_name: String,
    subject: String,
}

/// Reads one.
pub async fn get(store: &Store, name: &OperatorKeyName) -> Result<Row, StoreError> {
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
        r#"SELECT key_id, display_name, expires_at, created_at, revoked_at, trust_name, subject
           FROM operator_key
           WHERE organization IS NOT DISTINCT FROM $1 AND key_id > $2 ORDER BY key_id LIMIT $3"#,
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
    Ok(list::cut(listed, page, |row| {
        row.name.operator_key.as_str()
    }))
}

/// The name of the one with this id; of whoever presents it, so that it is there.
pub async fn named(store: &Store, key_id: &str) -> Result<OperatorKeyName, StoreError> {
    let organization = sqlx::query_scalar!(
        r#"SELECT organization.name AS "organization?"
           FROM operator_key it LEFT JOIN organization ON organization.id = it.organization
           WHERE it.key_id = $1"#,
        key_id,
    )
    .fetch_optional(&mut *store.connection().await?)
    .await?;
    let organization = organization.ok_or_else(|| conflict::missing(&key_id))?;
    let organization = organization.map(|it| column::read(Slug::parse(&it), "organization.name"));
    Ok(OperatorKeyName {
        organization: organization.transpose()?,
        operator_key: column::read(KeyId::parse(key_id), "operator_key.key_id")?,
    })
}

/// Reads one in a write.
pub(crate) async fn in_write(write: &mut Write, name: &OperatorKeyName) -> Result<Row, StoreError> {
    read(write.connection(), name).await
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let keeper = new.name.keeper();
    let organization = named::keeper(write.connection(), keeper.as_ref()).await?;
    sqlx::query!(
        r#"INSERT INTO operator_key (key_id, secret_sha256, display_name, organization, expires_at)
           VALUES ($1, $2, $3, $4, $5)"#,
        new.name.operator_key.as_str(),
        new.secret_sha256.as_slice(),
        new.display_name,
        organization,
        new.expires_at,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &new.name))?;
    bind(write.connection(), &new.name, &new.bindings).await?;
    read(write.connection(), &new.name).await
}

/// Reads one and keeps others from writing any until this write ends, so that of two owners who revoke each other
/// one stays.
pub async fn lock(write: &mut Write, name: &OperatorKeyName) -> Result<Row, StoreError> {
    sqlx::query!("LOCK TABLE operator_key IN SHARE ROW EXCLUSIVE MODE")
        .execute(write.connection())
        .await?;
    read(write.connection(), name).await
}

/// Writes what can change of a row that is locked.
pub async fn update(write: &mut Write, row: &Row) -> Result<Row, StoreError> {
    if row.revoked_at.is_some() {
        return Err(conflict::blocked(&row.name, Obstacle::IsRevoked));
    }
    // What it was given by says how much and how long.
    if row.given.is_some() {
        return Err(conflict::blocked(&row.name, Obstacle::IsGiven));
    }
    // What is not known here would be lost.
    if !all_known(write.connection(), row.name.operator_key.as_str()).await? {
        return Err(conflict::blocked(&row.name, Obstacle::HoldsUnknown));
    }
    sqlx::query!(
        "UPDATE operator_key SET display_name = $2, expires_at = $3 WHERE key_id = $1",
        row.name.operator_key.as_str(),
        row.display_name,
        row.expires_at,
    )
    .execute(write.connection())
    .await?;
    sqlx::query!(
        "DELETE FROM role_binding WHERE operator_key = $1",
        row.name.operator_key.as_str(),
    )
    .execute(write.connection())
    .await?;
    bind(write.connection(), &row.name, &row.bindings).await?;
    an_owner_is_left(write, &row.name).await?;
    read(write.connection(), &row.name).await
}

/// Revokes one that is locked, for ever. The time of an earlier revocation stands.
pub async fn revoke(write: &mut Write, name: &OperatorKeyName) -> Result<Row, StoreError> {
    sqlx::query!(
        "UPDATE operator_key SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = $1",
        name.operator_key.as_str(),
    )
    .execute(write.connection())
    .await?;
    an_owner_is_left(write, name).await?;
    read(write.connection(), name).await
}

/// Revokes one that was given by a login, for whoever presents it.
pub async fn give_back(write: &mut Write, name: &OperatorKeyName) -> Result<Row, StoreError> {
    let row = lock(write, name).await?;
    if row.given.is_none() {
        return Err(conflict::blocked(name, Obstacle::IsNotGiven));
    }
    revoke(write, name).await
}

async fn an_owner_is_left(write: &mut Write, name: &OperatorKeyName) -> Result<(), StoreError> {
    if name.organization.is_some() {
        // It owned nothing above that, and who does is not to be seen from there.
        return Ok(());
    }
    let left = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM operator_key it JOIN role_binding ON role_binding.operator_key = it.key_id
               WHERE it.revoked_at IS NULL AND it.expires_at IS NULL
                   AND role_binding.role = 'owner' AND role_binding.organization IS NULL
           ) AS "exists!""#
    )
    .fetch_one(write.connection())
    .await?;
    if left {
        Ok(())
    } else {
        Err(conflict::blocked(name, Obstacle::IsLastOwner))
    }
}

async fn bind(
    connection: &mut PgConnection,
    name: &OperatorKeyName,
    bindings: &Bindings,
) -> Result<(), StoreError> {
    for (at, binding) in bindings.0.iter().enumerate() {
        let field = format!("operator_key.bindings[{at}]");
        let scope = format!("{field}.scope");
        let (organization, project) = named::place(connection, &scope, &binding.at).await?;
        let field = format!("{field}.role");
        let (role, own_role) = bound::columns(connection, &field, &binding.role).await?;
        sqlx::query!(
            r#"INSERT INTO role_binding (operator_key, place, role, organization, project, own_role)
               VALUES ($1, $2, $3, $4, $5, $6)"#,
            name.operator_key.as_str(),
            column::read(i16::try_from(at), "role_binding.place")?,
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

async fn read(connection: &mut PgConnection, name: &OperatorKeyName) -> Result<Row, StoreError> {
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.key_id, it.display_name, it.expires_at, it.created_at, it.revoked_at, it.trust_name, it.subject
           FROM operator_key it LEFT JOIN organization ON organization.id = it.organization
           WHERE it.key_id = $1 AND organization.name IS NOT DISTINCT FROM $2"#,
        name.operator_key.as_str(),
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
    Ok(Row {
        bindings: bindings(connection, &columns.key_id).await?,
        name: OperatorKeyName {
            organization,
            operator_key: column::read(KeyId::parse(&columns.key_id), "operator_key.key_id")?,
        },
        display_name: columns.display_name,
        expires_at: columns.expires_at,
        created_at: columns.created_at,
        revoked_at: columns.revoked_at,
        given: (!columns.trust_name.is_empty()).then_some((columns.trust_name, columns.subject)),
    })
}

async fn bindings(connection: &mut PgConnection, key_id: &str) -> Result<Bindings, StoreError> {
    let held = held(connection, key_id).await?;
    let held = held.into_iter().filter_map(|it| it.binding().transpose());
    held.collect::<Result<_, _>>().map(Bindings)
}

/// Whether this control plane knows every role that the key holds.
async fn all_known(connection: &mut PgConnection, key_id: &str) -> Result<bool, StoreError> {
    for columns in held(connection, key_id).await? {
        if columns.binding()?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn held(
    connection: &mut PgConnection,
    key_id: &str,
) -> Result<Vec<bound::Columns>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT it.role, organization.name AS "organization?", project.name AS "project?",
                  role.name AS "own_role?", role.permissions AS "permissions?"
           FROM role_binding it
           LEFT JOIN organization ON organization.id = it.organization
           LEFT JOIN project ON project.id = it.project
           LEFT JOIN role ON role.id = it.own_role
           WHERE it.operator_key = $1 ORDER BY it.place"#,
        key_id,
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

// === impl Store ===

impl Store {
    /// The operator key with this id, while it works.
    pub async fn operator_key(&self, key_id: &str) -> Result<Option<Operator>, StoreError> {
        let mut connection = self.connection().await?;
        let secret = sqlx::query_scalar!(
            r#"SELECT secret_sha256 FROM operator_key
               WHERE key_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"#,
            key_id,
        )
        .fetch_optional(&mut *connection)
        .await?;
        let Some(secret) = secret else {
            return Ok(None);
        };
        let secret = <[u8; 32]>::try_from(secret);
        Ok(Some(Operator {
            secret_sha256: column::read(secret, "operator_key.secret_sha256")?,
            bindings: bindings(&mut connection, key_id).await?,
        }))
    }

    /// Keeps another operator key beside those there are, which may do everything.
    pub async fn add_operator_key(
        &self,
        key_id: &str,
        secret_sha256: &[u8; 32],
    ) -> Result<(), StoreError> {
        let mut tx = self.transaction().await?;
        sqlx::query!(
            "INSERT INTO operator_key (key_id, secret_sha256) VALUES ($1, $2)",
            key_id,
            secret_sha256.as_slice(),
        )
        .execute(&mut *tx)
        .await?;
        own(&mut tx, key_id).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Keeps an operator key that may do everything if there has never been one, and says whether it did. Of several
    /// replicas that start at once one makes it.
    pub async fn first_operator_key(
        &self,
        key_id: &str,
        secret_sha256: &[u8; 32],
    ) -> Result<bool, StoreError> {
        let mut tx = self.transaction().await?;
        sqlx::query!("LOCK TABLE operator_key IN SHARE ROW EXCLUSIVE MODE")
            .execute(&mut *tx)
            .await?;
        let made = sqlx::query!(
            r#"INSERT INTO operator_key (key_id, secret_sha256)
               SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM operator_key)"#,
            key_id,
            secret_sha256.as_slice(),
        )
        .execute(&mut *tx)
        .await?;
        let made = made.rows_affected() == 1;
        if made {
            own(&mut tx, key_id).await?;
        }
        tx.commit().await?;
        Ok(made)
    }
}

/// Makes a key an owner of everything.
async fn own(connection: &mut PgConnection, key_id: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO role_binding (operator_key, place, role) VALUES ($1, 0, 'owner')",
        key_id,
    )
    .execute(connection)
    .await?;
    Ok(())
}
