//! Limits: rates over an organization, a project or a key.

use domain::{
    etag::etag,
    name::{LimitName, OrganizationName, ScopeName},
    page::Page,
    segment::Slug,
};
use policy::{
    id::{LimitId, OrganizationId, ProjectId},
    limit::{Limit, Rate, Scope, Unit},
    object::{Kind, Object},
    region::Audience,
    revision::Revision,
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    column, conflict,
    error::StoreError,
    id::uuid,
    limit_scope,
    list::{self, Listed},
    named,
    store::Store,
    write::Write,
};

/// What to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: LimitId,
    /// Its name.
    pub name: LimitName,
    /// What people call it.
    pub display_name: String,
    /// Whose use it counts.
    pub scope: ScopeName,
    /// What it counts.
    pub unit: Unit,
    /// The numbers.
    pub rate: Rate,
}

/// A limit as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: LimitId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// Its name.
    pub name: LimitName,
    /// What people call it. Can change.
    pub display_name: String,
    /// Whose use it counts.
    pub scope: ScopeName,
    /// What it counts.
    pub unit: Unit,
    /// The numbers. Can change.
    pub rate: Rate,
    /// Counts its writes.
    pub version: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
    /// The revision of its last committed write; zero when there is none.
    pub revision: Revision,
    scope_id: Option<ProjectId>,
}

struct Columns {
    id: Uuid,
    organization: Uuid,
    name: String,
    display_name: String,
    scope_project: Option<Uuid>,
    project: Option<String>,
    key_id: Option<String>,
    unit: i32,
    amount: i64,
    window_ms: i64,
    burst: i64,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    revision: i64,
}

/// Reads one.
pub async fn get(store: &Store, name: &LimitName) -> Result<Row, StoreError> {
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
    // Kind 6 is `policy::object::Kind::Limit`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.organization, it.name, it.display_name, it.scope_project,
                  project.name AS "project?", key.key_id AS "key_id?", it.unit, it.amount,
                  it.window_ms, it.burst, it.version, it.created_at, it.updated_at,
                  coalesce(o.revision, 0) AS "revision!"
           FROM rate_limit it
           LEFT JOIN key ON key.id = it.scope_key
           LEFT JOIN project ON project.id = coalesce(it.scope_project, key.project)
           LEFT JOIN object o ON o.kind = 6 AND o.key = uuid_send(it.id)
           WHERE it.organization = $1 AND it.name > $2 ORDER BY it.name LIMIT $3"#,
        organization,
        page.after,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *connection)
    .await?;
    let rows = columns
        .into_iter()
        .map(|it| it.row(parent))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(list::cut(rows, page, |row| row.name.limit.as_str()))
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let organization = named::organization(write.connection(), &parent).await?;
    let (scope_project, scope_key) = limit_scope::ids(write.connection(), &new.scope).await?;
    sqlx::query!(
        r#"INSERT INTO rate_limit (id, organization, name, display_name, scope_project, scope_key,
                                   unit, amount, window_ms, burst)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"#,
        uuid(*new.id.as_bytes()),
        organization,
        new.name.limit.as_str(),
        new.display_name,
        scope_project,
        scope_key,
        column::read(i32::try_from(new.unit as u32), "rate_limit.unit")?,
        column::number(new.rate.amount()),
        column::number(new.rate.window_ms()),
        column::number(new.rate.burst()),
    )
    .execute(write.connection())
    .await
    .map_err(
        |why| match why.as_database_error().and_then(|it| it.constraint()) {
            Some("rate_limit_scope_project_fkey" | "rate_limit_scope_key_fkey") => {
                conflict::dangling(limit_scope::FIELD, &new.scope)
            }
            _ => conflict::on_create(why, &new.name, &parent),
        },
    )?;
    written(write, &new.name).await
}

/// Reads one and keeps others from writing it until this write ends. `etag` must be that of the state that
/// stands, or empty.
pub async fn lock(write: &mut Write, name: &LimitName, etag: &str) -> Result<Row, StoreError> {
    sqlx::query!(
        r#"SELECT it.id FROM rate_limit it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2 FOR UPDATE OF it"#,
        name.organization.as_str(),
        name.limit.as_str(),
    )
    .fetch_optional(write.connection())
    .await?;
    let row = read(write.connection(), name).await?;
    conflict::check_etag(etag, &row.etag(), name)?;
    Ok(row)
}

/// Writes what can change of a row that is locked.
pub async fn update(write: &mut Write, row: &Row) -> Result<Row, StoreError> {
    sqlx::query!(
        r#"UPDATE rate_limit SET display_name = $2, amount = $3, window_ms = $4, burst = $5,
               version = version + 1, updated_at = now()
           WHERE id = $1"#,
        uuid(*row.id.as_bytes()),
        row.display_name,
        column::number(row.rate.amount()),
        column::number(row.rate.window_ms()),
        column::number(row.rate.burst()),
    )
    .execute(write.connection())
    .await?;
    written(write, &row.name).await
}

/// Deletes one.
pub async fn delete(write: &mut Write, name: &LimitName, etag: &str) -> Result<(), StoreError> {
    let row = lock(write, name, etag).await?;
    sqlx::query!(
        "DELETE FROM rate_limit WHERE id = $1",
        uuid(*row.id.as_bytes())
    )
    .execute(write.connection())
    .await?;
    write.forget(Kind::Limit, row.id.as_bytes());
    Ok(())
}

async fn read(connection: &mut PgConnection, name: &LimitName) -> Result<Row, StoreError> {
    // Kind 6 is `policy::object::Kind::Limit`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.organization, it.name, it.display_name, it.scope_project,
                  project.name AS "project?", key.key_id AS "key_id?", it.unit, it.amount,
                  it.window_ms, it.burst, it.version, it.created_at, it.updated_at,
                  coalesce(o.revision, 0) AS "revision!"
           FROM rate_limit it
           JOIN organization ON organization.id = it.organization
           LEFT JOIN key ON key.id = it.scope_key
           LEFT JOIN project ON project.id = coalesce(it.scope_project, key.project)
           LEFT JOIN object o ON o.kind = 6 AND o.key = uuid_send(it.id)
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.limit.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    columns.row(&name.parent())
}

/// Publishes the row as it is now.
async fn written(write: &mut Write, name: &LimitName) -> Result<Row, StoreError> {
    let row = read(write.connection(), name).await?;
    let scope = match (&row.scope, row.scope_id) {
        (ScopeName::Key(name), _) => Scope::Key(name.key.to_string()),
        (_, Some(project)) => Scope::Project(project),
        (_, None) => Scope::Organization(row.organization),
    };
    let object = Limit {
        id: row.id,
        organization: row.organization,
        name: row.name.limit.to_string(),
        scope,
        unit: row.unit,
        rate: row.rate,
    };
    write.put(Object::Limit(object), Audience::everywhere());
    Ok(row)
}

// === impl Row ===

impl Row {
    /// Which state this is.
    pub fn etag(&self) -> String {
        etag(self.id.as_bytes(), self.version)
    }
}

// === impl Columns ===

impl Columns {
    fn row(self, parent: &OrganizationName) -> Result<Row, StoreError> {
        let limit = column::read(Slug::parse(&self.name), "rate_limit.name")?;
        let unit = u32::try_from(self.unit).ok().and_then(Unit::from_number);
        let [amount, window_ms, burst] =
            [self.amount, self.window_ms, self.burst].map(column::count);
        Ok(Row {
            id: LimitId::from_bytes(self.id.into_bytes()),
            organization: OrganizationId::from_bytes(self.organization.into_bytes()),
            scope: limit_scope::name(parent, self.project.as_deref(), self.key_id.as_deref())?,
            name: LimitName {
                organization: parent.organization.clone(),
                limit,
            },
            display_name: self.display_name,
            unit: column::known(unit, "rate_limit.unit")?,
            rate: column::read(Rate::new(amount, window_ms, burst), "rate_limit.amount")?,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            revision: column::revision(self.revision),
            scope_id: self
                .scope_project
                .map(|id| ProjectId::from_bytes(id.into_bytes())),
        })
    }
}
