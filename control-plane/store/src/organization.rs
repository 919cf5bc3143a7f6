//! Organizations.

use domain::{etag::etag, name::OrganizationName, page::Page, segment::Slug, tag_pair::TagPair};
use policy::{
    audit_access::AuditAccess,
    calendar::Zone,
    id::OrganizationId,
    object::{Kind, Object},
    organization::Organization,
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
    list::{self, Listed},
    store::Store,
    usage_pair,
    write::Write,
};

/// What to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: OrganizationId,
    /// Its name.
    pub name: OrganizationName,
    /// What people call it.
    pub display_name: String,
    /// Where its days begin.
    pub zone: Zone,
    /// By which pairs of tags its usage is summed.
    pub tag_pairs: Vec<TagPair>,
    /// Which decisions of edges about its requests are told to the audit trail.
    pub audit_access: AuditAccess,
}

/// An organization as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: OrganizationName,
    /// What people call it. Can change.
    pub display_name: String,
    /// Where its days begin. Can change.
    pub zone: Zone,
    /// By which pairs of tags its usage is summed. Can change.
    pub tag_pairs: Vec<TagPair>,
    /// Which decisions of edges about its requests are told to the audit trail. Can change.
    pub audit_access: AuditAccess,
    /// Counts its writes.
    pub version: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
    /// The revision of its last committed write; zero when there is none.
    pub revision: Revision,
}

struct Columns {
    id: Uuid,
    name: String,
    display_name: String,
    time_zone: String,
    tag_pairs: Vec<String>,
    audit_access: i16,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    revision: i64,
}

/// Reads one.
pub async fn get(store: &Store, name: &OrganizationName) -> Result<Row, StoreError> {
    read(&mut *store.connection().await?, name).await
}

/// Reads a page.
///
/// `visible` names those that may be seen; `None` means: all.
pub async fn list(
    store: &Store,
    visible: Option<&[Slug]>,
    page: &Page,
) -> Result<Listed<Row>, StoreError> {
    let visible: Option<Vec<String>> =
        visible.map(|slugs| slugs.iter().map(ToString::to_string).collect());
    // Kind 1 is `policy::object::Kind::Organization`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, it.display_name, it.time_zone,
                  ARRAY(SELECT pair.first || ',' || pair.second FROM usage_pair pair
                        WHERE pair.organization = it.id AND NOT pair.gone ORDER BY pair.id) AS "tag_pairs!",
                  it.audit_access, it.version, it.created_at, it.updated_at, coalesce(o.revision, 0) AS "revision!"
           FROM organization it
           LEFT JOIN object o ON o.kind = 1 AND o.key = uuid_send(it.id)
           WHERE it.name > $1 AND ($3::text[] IS NULL OR it.name = ANY ($3))
           ORDER BY it.name LIMIT $2"#,
        page.after,
        list::rows_wanted(page),
        visible.as_deref(),
    )
    .fetch_all(&mut *store.connection().await?)
    .await?;
    let rows = columns
        .into_iter()
        .map(Row::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(list::cut(rows, page, |row| row.name.organization.as_str()))
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    sqlx::query!(
        r#"INSERT INTO organization (id, name, display_name, time_zone, audit_access)
           VALUES ($1, $2, $3, $4, $5)"#,
        uuid(*new.id.as_bytes()),
        new.name.organization.as_str(),
        new.display_name,
        new.zone.name(),
        new.audit_access as i16,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &new.name))?;
    let id = uuid(*new.id.as_bytes());
    usage_pair::name(write.connection(), id, &new.tag_pairs).await?;
    written(write, &new.name).await
}

/// Reads one and keeps others from writing it until this write ends. `etag` must be that of the state that
/// stands, or empty.
pub async fn lock(
    write: &mut Write,
    name: &OrganizationName,
    etag: &str,
) -> Result<Row, StoreError> {
    sqlx::query!(
        "SELECT id FROM organization WHERE name = $1 FOR UPDATE",
        name.organization.as_str()
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
        r#"UPDATE organization SET display_name = $2, time_zone = $3, audit_access = $4,
               version = version + 1, updated_at = now()
           WHERE id = $1"#,
        uuid(*row.id.as_bytes()),
        row.display_name,
        row.zone.name(),
        row.audit_access as i16,
    )
    .execute(write.connection())
    .await?;
    let id = uuid(*row.id.as_bytes());
    usage_pair::name(write.connection(), id, &row.tag_pairs).await?;
    written(write, &row.name).await
}

/// Deletes one that holds nothing more.
pub async fn delete(
    write: &mut Write,
    name: &OrganizationName,
    etag: &str,
) -> Result<(), StoreError> {
    let row = lock(write, name, etag).await?;
    usage_pair::name(write.connection(), uuid(*row.id.as_bytes()), &[]).await?;
    // Before the channels that they tell, which go with the organization.
    sqlx::query!(
        "DELETE FROM alert_rule WHERE organization = $1",
        uuid(*row.id.as_bytes())
    )
    .execute(write.connection())
    .await?;
    sqlx::query!(
        "DELETE FROM organization WHERE id = $1",
        uuid(*row.id.as_bytes())
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_delete(why, name))?;
    write.forget(Kind::Organization, row.id.as_bytes());
    Ok(())
}

async fn read(connection: &mut PgConnection, name: &OrganizationName) -> Result<Row, StoreError> {
    // Kind 1 is `policy::object::Kind::Organization`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, it.display_name, it.time_zone,
                  ARRAY(SELECT pair.first || ',' || pair.second FROM usage_pair pair
                        WHERE pair.organization = it.id AND NOT pair.gone ORDER BY pair.id) AS "tag_pairs!",
                  it.audit_access, it.version, it.created_at, it.updated_at, coalesce(o.revision, 0) AS "revision!"
           FROM organization it
           LEFT JOIN object o ON o.kind = 1 AND o.key = uuid_send(it.id)
           WHERE it.name = $1"#,
        name.organization.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    columns.ok_or_else(|| conflict::missing(name))?.try_into()
}

/// Publishes the row as it is now.
async fn written(write: &mut Write, name: &OrganizationName) -> Result<Row, StoreError> {
    let row = read(write.connection(), name).await?;
    let object = Organization {
        id: row.id,
        name: row.name.organization.to_string(),
        zone: row.zone.clone(),
        audit_access: row.audit_access,
    };
    write.put(Object::Organization(object), Audience::everywhere());
    Ok(row)
}

// === impl Row ===

impl Row {
    /// Which state this is.
    pub fn etag(&self) -> String {
        etag(self.id.as_bytes(), self.version)
    }
}

impl TryFrom<Columns> for Row {
    type Error = StoreError;

    fn try_from(columns: Columns) -> Result<Self, StoreError> {
        let organization = column::read(Slug::parse(&columns.name), "organization.name")?;
        Ok(Self {
            id: OrganizationId::from_bytes(columns.id.into_bytes()),
            name: OrganizationName { organization },
            display_name: columns.display_name,
            tag_pairs: usage_pair::read(&columns.tag_pairs)?,
            zone: column::read(Zone::parse(&columns.time_zone), "organization.time_zone")?,
            audit_access: AuditAccess::from_number(columns.audit_access.unsigned_abs().into()),
            version: columns.version,
            created_at: columns.created_at,
            updated_at: columns.updated_at,
            revision: column::revision(columns.revision),
        })
    }
}
