//! Projects.

use domain::{
    etag::etag,
    name::{OrganizationName, ProjectName},
    page::Page,
    rotation::Rotation,
    segment::Slug,
};
use policy::{
    guard::Guard,
    handling::Demanded,
    id::{OrganizationId, ProjectId},
    keeping::Keeping,
    object::{Kind, Object},
    pin::Pin,
    preference::Preferences,
    project::Project,
    region::Audience,
    revision::Revision,
    traffic::{Class, Share, Traffic},
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
    publish::EDITS_MAX,
    store::Store,
    write::Write,
};

/// What to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: ProjectId,
    /// Its name.
    pub name: ProjectName,
    /// What people call it.
    pub display_name: String,
    /// How its requests are treated where there is not room for all.
    pub traffic: Traffic,
    /// How the secrets of its keys are replaced.
    pub rotation: Option<Rotation>,
    /// The tags whose values policy says.
    pub pins: Vec<Pin>,
    /// Of which requests content is kept, and for how many days.
    pub keeping: (Keeping, u16),
    /// What its clients may not prefer, and what it demands of providers.
    pub guard: Guard,
}

/// A project as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: ProjectId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// Its name.
    pub name: ProjectName,
    /// What people call it. Can change.
    pub display_name: String,
    /// How its requests are treated where there is not room for all. Can change.
    pub traffic: Traffic,
    /// How the secrets of its keys are replaced. Can change.
    pub rotation: Option<Rotation>,
    /// The tags whose values policy says. Can change.
    pub pins: Vec<Pin>,
    /// Of which requests content is kept, and for how many days. Can change.
    pub keeping: (Keeping, u16),
    /// What its clients may not prefer, and what it demands of providers. Can change.
    pub guard: Guard,
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
    organization: Uuid,
    name: String,
    display_name: String,
    traffic_class: i16,
    traffic_share: i16,
    rotation_period_ms: Option<i64>,
    rotation_overlap_ms: Option<i64>,
    rotation_warn_before_ms: Option<i64>,
    rotation_age_max_ms: Option<i64>,
    tag_sources: Vec<String>,
    content_keeping: i16,
    content_days: i16,
    forbidden_preferences: i16,
    demands_no_collection: bool,
    demands_no_retention: bool,
    residencies: Vec<String>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    revision: i64,
}

/// Reads one.
pub async fn get(store: &Store, name: &ProjectName) -> Result<Row, StoreError> {
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
    // Kind 2 is `policy::object::Kind::Project`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.organization, it.name, it.display_name, it.traffic_class, it.traffic_share,
                  it.version, it.created_at, it.updated_at, it.rotation_period_ms,
                  it.rotation_overlap_ms, it.rotation_warn_before_ms, it.rotation_age_max_ms,
                  it.tag_sources, it.content_keeping, it.content_days, it.forbidden_preferences,
                  it.demands_no_collection, it.demands_no_retention, it.residencies,
                  coalesce(o.revision, 0) AS "revision!"
           FROM project it
           LEFT JOIN object o ON o.kind = 2 AND o.key = uuid_send(it.id)
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
    Ok(list::cut(rows, page, |row| row.name.project.as_str()))
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let organization = named::organization(write.connection(), &parent).await?;
    let [period_ms, overlap_ms, warn_before_ms, age_max_ms] = spans(new.rotation);
    sqlx::query!(
        r#"INSERT INTO project (id, organization, name, display_name, traffic_class, traffic_share,
                                rotation_period_ms, rotation_overlap_ms, rotation_warn_before_ms,
                                rotation_age_max_ms, tag_sources, content_keeping, content_days,
                                forbidden_preferences, demands_no_collection, demands_no_retention, residencies)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"#,
        uuid(*new.id.as_bytes()),
        organization,
        new.name.project.as_str(),
        new.display_name,
        class_column(new.traffic),
        share_column(new.traffic),
        period_ms,
        overlap_ms,
        warn_before_ms,
        age_max_ms,
        &texts(&new.pins),
        new.keeping.0 as i16,
        new.keeping.1.cast_signed(),
        new.guard.forbidden.bits().cast_signed(),
        new.guard.demanded.collects_nothing,
        new.guard.demanded.retains_nothing,
        &new.guard.demanded.residencies,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &parent))?;
    written(write, &new.name).await
}

/// Reads one and keeps others from writing it until this write ends. `etag` must be that of the state that
/// stands, or empty.
pub async fn lock(write: &mut Write, name: &ProjectName, etag: &str) -> Result<Row, StoreError> {
    sqlx::query!(
        r#"SELECT it.id FROM project it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2 FOR UPDATE OF it"#,
        name.organization.as_str(),
        name.project.as_str(),
    )
    .fetch_optional(write.connection())
    .await?;
    let row = read(write.connection(), name).await?;
    conflict::check_etag(etag, &row.etag(), name)?;
    Ok(row)
}

/// Writes what can change of a row that is locked.
pub async fn update(write: &mut Write, row: &Row) -> Result<Row, StoreError> {
    let [period_ms, overlap_ms, warn_before_ms, age_max_ms] = spans(row.rotation);
    sqlx::query!(
        r#"UPDATE project SET display_name = $2, traffic_class = $3, traffic_share = $4,
                  rotation_period_ms = $5, rotation_overlap_ms = $6, rotation_warn_before_ms = $7,
                  rotation_age_max_ms = $8, tag_sources = $9, content_keeping = $10, content_days = $11,
                  forbidden_preferences = $12, demands_no_collection = $13, demands_no_retention = $14,
                  residencies = $15,
                  version = version + 1, updated_at = now()
           WHERE id = $1"#,
        uuid(*row.id.as_bytes()),
        row.display_name,
        class_column(row.traffic),
        share_column(row.traffic),
        period_ms,
        overlap_ms,
        warn_before_ms,
        age_max_ms,
        &texts(&row.pins),
        row.keeping.0 as i16,
        row.keeping.1.cast_signed(),
        row.guard.forbidden.bits().cast_signed(),
        row.guard.demanded.collects_nothing,
        row.guard.demanded.retains_nothing,
        &row.guard.demanded.residencies,
    )
    .execute(write.connection())
    .await?;
    written(write, &row.name).await
}

/// Deletes one without active keys and without limits, and with it its revoked and expired keys, of which there
/// must be fewer than 1,000.
pub async fn delete(write: &mut Write, name: &ProjectName, etag: &str) -> Result<(), StoreError> {
    let row = lock(write, name, etag).await?;
    let id = uuid(*row.id.as_bytes());
    delete_dead_keys(write, id, name).await?;
    sqlx::query!("DELETE FROM project WHERE id = $1", id)
        .execute(write.connection())
        .await
        .map_err(|why| conflict::on_delete(why, name))?;
    write.forget(Kind::Project, row.id.as_bytes());
    Ok(())
}

/// The lock on the project keeps new keys out meanwhile.
async fn delete_dead_keys(
    write: &mut Write,
    project: Uuid,
    name: &ProjectName,
) -> Result<(), StoreError> {
    let active = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM key WHERE project = $1 AND revoked_at IS NULL
                   AND (expires_at IS NULL OR expires_at > now())
           ) AS "exists!""#,
        project,
    )
    .fetch_one(write.connection())
    .await?;
    if active {
        return Err(conflict::blocked(name, Obstacle::HasActiveKeys));
    }
    // One write takes as many, less the project itself.
    let dead = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM (SELECT FROM key WHERE project = $1 LIMIT $2) AS it"#,
        project,
        column::number(EDITS_MAX as u64),
    )
    .fetch_one(write.connection())
    .await?;
    if dead >= column::number(EDITS_MAX as u64) {
        return Err(conflict::blocked(name, Obstacle::HasManyKeys));
    }
    let dead = sqlx::query_scalar!(
        "DELETE FROM key WHERE project = $1 RETURNING key_id",
        project
    )
    .fetch_all(write.connection())
    .await
    .map_err(|why| conflict::on_delete(why, name))?;
    for key_id in dead {
        write.forget(Kind::Key, key_id.as_bytes());
    }
    Ok(())
}

async fn read(connection: &mut PgConnection, name: &ProjectName) -> Result<Row, StoreError> {
    // Kind 2 is `policy::object::Kind::Project`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.organization, it.name, it.display_name, it.traffic_class, it.traffic_share,
                  it.version, it.created_at, it.updated_at, it.rotation_period_ms,
                  it.rotation_overlap_ms, it.rotation_warn_before_ms, it.rotation_age_max_ms,
                  it.tag_sources, it.content_keeping, it.content_days, it.forbidden_preferences,
                  it.demands_no_collection, it.demands_no_retention, it.residencies,
                  coalesce(o.revision, 0) AS "revision!"
           FROM project it
           JOIN organization ON organization.id = it.organization
           LEFT JOIN object o ON o.kind = 2 AND o.key = uuid_send(it.id)
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.project.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    columns.row(&name.parent())
}

/// Publishes the row as it is now.
async fn written(write: &mut Write, name: &ProjectName) -> Result<Row, StoreError> {
    let row = read(write.connection(), name).await?;
    let object = Project {
        id: row.id,
        organization: row.organization,
        name: row.name.project.to_string(),
        traffic: row.traffic,
        key_age_max_ms: row.rotation.and_then(|it| it.age_max_ms),
        pins: (!row.pins.is_empty()).then(|| row.pins.clone().into()),
        keeping: row.keeping.0,
        guard: (!row.guard.is_nothing()).then(|| row.guard.clone().into()),
    };
    write.put(Object::Project(object), Audience::everywhere());
    Ok(row)
}

fn texts(pins: &[Pin]) -> Vec<String> {
    pins.iter().map(ToString::to_string).collect()
}

const fn class_column(traffic: Traffic) -> i16 {
    traffic.class as i16
}

const fn share_column(traffic: Traffic) -> i16 {
    traffic.share.get().cast_signed()
}

/// The columns of a rule: its period, overlap, warning and age.
fn spans(rotation: Option<Rotation>) -> [Option<i64>; 4] {
    let Some(rule) = rotation else {
        return [None; 4];
    };
    [
        rule.period_ms,
        Some(rule.overlap_ms),
        Some(rule.warn_before_ms),
        rule.age_max_ms,
    ]
    .map(|ms| ms.map(column::number))
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
        let project = column::read(Slug::parse(&self.name), "project.name")?;
        let traffic = Traffic {
            class: column::known(
                u8::try_from(self.traffic_class)
                    .ok()
                    .and_then(Class::from_number),
                "project.traffic_class",
            )?,
            share: column::read(
                Share::new(u16::try_from(self.traffic_share).unwrap_or(0)),
                "project.traffic_share",
            )?,
        };
        let pins = self.tag_sources.iter().map(|text| text.parse());
        let pins: Result<Vec<Pin>, _> = pins.collect();
        let spans = self.rotation_overlap_ms.zip(self.rotation_warn_before_ms);
        let rotation = spans.map(|(overlap_ms, warn_before_ms)| Rotation {
            period_ms: self.rotation_period_ms.map(column::count),
            overlap_ms: column::count(overlap_ms),
            warn_before_ms: column::count(warn_before_ms),
            age_max_ms: self.rotation_age_max_ms.map(column::count),
        });
        Ok(Row {
            id: ProjectId::from_bytes(self.id.into_bytes()),
            organization: OrganizationId::from_bytes(self.organization.into_bytes()),
            name: ProjectName {
                organization: parent.organization.clone(),
                project,
            },
            display_name: self.display_name,
            traffic,
            rotation,
            pins: column::read(pins, "project.tag_sources")?,
            keeping: (
                Keeping::from_number(u32::try_from(self.content_keeping).unwrap_or(0)),
                u16::try_from(self.content_days).unwrap_or(1),
            ),
            guard: Guard {
                forbidden: column::known(
                    Preferences::from_bits(
                        u32::try_from(self.forbidden_preferences).unwrap_or(u32::MAX),
                    ),
                    "project.forbidden_preferences",
                )?,
                demanded: Demanded {
                    collects_nothing: self.demands_no_collection,
                    retains_nothing: self.demands_no_retention,
                    residencies: self.residencies,
                },
            },
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            revision: column::revision(self.revision),
        })
    }
}
