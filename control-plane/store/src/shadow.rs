//! Shadows: samples of a model's requests that are copied to another of its versions.
//!
//! Whoever changes one holds its model first, as of rollouts: so that a model has one at most, and edges hear of each change in the
//! transaction that makes it.

use domain::{
    etag::etag,
    name::{ModelName, ShadowName, VersionName},
    page::Page,
    segment::{ModelSlug, Slug},
    shadow::{Plan, State, Used},
};
use policy::{
    id::{ModelId, ShadowId},
    revision::Revision,
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    column, conflict,
    error::{Obstacle, StoreError},
    id::uuid,
    list::{self, Listed},
    model, named,
    store::Store,
    write::Write,
};

/// The field that names the version, for errors.
const VERSION: &str = "shadow.version";

/// The most that are looked at at once.
const DUE_MAX: i64 = 1_000; // Full: the others come with the next look.

/// What to start.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: ShadowId,
    /// Its model.
    pub parent: ModelName,
    /// The last segment of its name; `None`: one is counted.
    pub slug: Option<Slug>,
    /// The version that gets the copies, of the same model.
    pub version: VersionName,
    /// What is to be copied.
    pub plan: Plan,
}

/// A shadow as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: ShadowId,
    /// Its name.
    pub name: ShadowName,
    /// The version that gets the copies.
    pub version: VersionName,
    /// What is copied.
    pub plan: Plan,
    /// Where it stands. Can change.
    pub state: State,
    /// Why. Can change.
    pub reason: String,
    /// What its copies have used.
    pub used: Used,
    /// Until when it rests, or has rested last. Can change.
    pub rests_until: Option<OffsetDateTime>,
    /// Counts its writes.
    pub writes: i64,
    /// When it was started.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// When it ended.
    pub ended_at: Option<OffsetDateTime>,
    /// The revision of the last write of its model.
    pub revision: Revision,
}

/// A row as the database has it.
struct Columns {
    id: Uuid,
    name: String,
    version_name: String,
    share: i32,
    concurrent_max: i32,
    ends_at: Option<OffsetDateTime>,
    cost_max_nano: Option<i64>,
    day_cost_max_nano: Option<i64>,
    state: i16,
    reason: String,
    copies: i64,
    cost_nano: i64,
    unpriced: i64,
    day_cost_nano: i64,
    day_unpriced: i64,
    rests_until: Option<OffsetDateTime>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
    revision: i64,
}

/// Reads one.
pub async fn get(store: &Store, name: &ShadowName) -> Result<Row, StoreError> {
    let mut connection = store.connection().await?;
    let model = named::model_of(&mut connection, &name.parent(), name).await?;
    read(&mut connection, model, name).await
}

/// Reads a page.
pub async fn list(
    store: &Store,
    parent: &ModelName,
    page: &Page,
) -> Result<Listed<Row>, StoreError> {
    let mut connection = store.connection().await?;
    let model = named::model_of(&mut connection, parent, parent).await?;
    // Kind 4 is `policy::object::Kind::Model`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, it.version_name, it.share, it.concurrent_max, it.ends_at,
                  it.cost_max_nano, it.day_cost_max_nano, it.state, it.reason, it.copies, it.cost_nano, it.unpriced,
                  CASE WHEN it.day = (now() AT TIME ZONE 'UTC')::date THEN it.day_cost_nano ELSE 0 END AS "day_cost_nano!",
                  CASE WHEN it.day = (now() AT TIME ZONE 'UTC')::date THEN it.day_unpriced ELSE 0 END AS "day_unpriced!",
                  it.rests_until, it.version, it.created_at, it.updated_at, it.ended_at,
                  coalesce(o.revision, 0) AS "revision!"
           FROM shadow it
           LEFT JOIN object o ON o.kind = 4 AND o.key = uuid_send(it.model)
           WHERE it.model = $1 AND it.name > $2 ORDER BY it.name LIMIT $3"#,
        uuid(*model.as_bytes()),
        page.after,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *connection)
    .await?;
    let rows = columns.into_iter().map(|it| it.row(parent));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(list::cut(rows, page, |row| row.name.shadow.as_str()))
}

/// The names of those under way that may have to end or to rest by themselves.
pub async fn due(store: &Store) -> Result<Vec<ShadowName>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT organization.name AS organization, model.name AS model, it.name
           FROM shadow it
           JOIN model ON model.id = it.model
           JOIN organization ON organization.id = model.organization
           WHERE it.state = 1 AND (it.ends_at <= now()
               OR it.cost_max_nano IS NOT NULL
                  AND (it.cost_nano >= it.cost_max_nano OR it.unpriced > 0)
               OR it.day_cost_max_nano IS NOT NULL AND it.day = (now() AT TIME ZONE 'UTC')::date
                  AND (it.day_cost_nano >= it.day_cost_max_nano OR it.day_unpriced > 0)
                  AND coalesce(it.rests_until <= now(), true))
           ORDER BY it.id LIMIT $1"#,
        DUE_MAX,
    )
    .fetch_all(&mut *store.connection().await?)
    .await?;
    let names = rows.into_iter().map(|row| {
        Ok(ShadowName {
            organization: column::read(Slug::parse(&row.organization), "organization.name")?,
            model: column::read(ModelSlug::parse(&row.model), "model.name")?,
            shadow: column::read(Slug::parse(&row.name), "shadow.name")?,
        })
    });
    names.collect()
}

/// Starts one: its sample is copied.
pub async fn start(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = model::lock(write, &new.parent, "").await?;
    let model = uuid(*parent.id.as_bytes());
    let had = sqlx::query!(
        r#"SELECT count(*) AS "count!", coalesce(bool_or(state = 1), false) AS "runs!"
           FROM shadow WHERE model = $1"#,
        model,
    )
    .fetch_one(write.connection())
    .await?;
    if had.runs {
        return Err(conflict::blocked(&new.parent, Obstacle::HasShadow));
    }
    if parent.stable.as_ref() == Some(&new.version) {
        return Err(conflict::blocked(&new.version, Obstacle::IsStable));
    }
    let version = sqlx::query_scalar!(
        "SELECT id FROM model_version WHERE model = $1 AND name = $2",
        model,
        new.version.version.as_str(),
    )
    .fetch_optional(write.connection())
    .await?;
    let version = version.ok_or_else(|| conflict::dangling(VERSION, &new.version))?;
    let counted = || Slug::parse(&format!("s{}", had.count + 1));
    let slug = new.slug.map_or_else(counted, Ok);
    let slug = column::read(slug, "shadow.name")?;
    let name = named_so(&new.parent, slug);
    sqlx::query!(
        r#"INSERT INTO shadow (id, model, name, model_version, version_name, holds, share,
                               concurrent_max, ends_at, cost_max_nano, day_cost_max_nano)
           VALUES ($1, $2, $3, $4, $5, $4, $6, $7, $8, $9, $10)"#,
        uuid(*new.id.as_bytes()),
        model,
        name.shadow.as_str(),
        version,
        new.version.version.as_str(),
        i32::from(new.plan.share),
        i32::from(new.plan.concurrent_max),
        new.plan.ends_ms.map(column::moment).transpose()?,
        new.plan.cost_max_nano.map(column::number),
        new.plan.day_cost_max_nano.map(column::number),
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &name, &new.parent))?;
    model::publish(write, &new.parent).await?;
    read(write.connection(), parent.id, &name).await
}

/// Reads one and keeps others from writing it or its model until this write ends.
pub async fn lock(write: &mut Write, name: &ShadowName, seen: &str) -> Result<Row, StoreError> {
    let model = match model::lock(write, &name.parent(), "").await {
        Err(StoreError::NotFound { .. }) => return Err(conflict::missing(name)),
        model => model?,
    };
    let row = read(write.connection(), model.id, name).await?;
    conflict::check_etag(seen, &row.etag(), name)?;
    Ok(row)
}

/// Ends one that is locked, for this reason, and publishes its model.
pub async fn end(
    write: &mut Write,
    row: &Row,
    (state, reason): (State, &str),
) -> Result<Row, StoreError> {
    if row.state != State::Running {
        return Err(conflict::blocked(&row.name, Obstacle::HasEnded));
    }
    let model = sqlx::query_scalar!(
        r#"UPDATE shadow SET state = $2, reason = $3, holds = NULL, version = version + 1,
                             updated_at = now(), ended_at = now()
           WHERE id = $1 RETURNING model"#,
        uuid(*row.id.as_bytes()),
        state as i16,
        reason,
    )
    .fetch_one(write.connection())
    .await?;
    model::publish(write, &row.name.parent()).await?;
    let model = ModelId::from_bytes(model.into_bytes());
    read(write.connection(), model, &row.name).await
}

/// Has one that is locked and under way rest until this moment, milliseconds since 1970, and publishes its model.
pub async fn rest(write: &mut Write, row: &Row, until_ms: u64) -> Result<Row, StoreError> {
    let model = sqlx::query_scalar!(
        r#"UPDATE shadow SET rests_until = $2, version = version + 1, updated_at = now()
           WHERE id = $1 RETURNING model"#,
        uuid(*row.id.as_bytes()),
        column::moment(until_ms)?,
    )
    .fetch_one(write.connection())
    .await?;
    model::publish(write, &row.name.parent()).await?;
    let model = ModelId::from_bytes(model.into_bytes());
    read(write.connection(), model, &row.name).await
}

fn named_so(parent: &ModelName, shadow: Slug) -> ShadowName {
    let ModelName {
        organization,
        model,
    } = parent.clone();
    ShadowName {
        organization,
        model,
        shadow,
    }
}

async fn read(
    connection: &mut PgConnection,
    model: ModelId,
    name: &ShadowName,
) -> Result<Row, StoreError> {
    // Kind 4 is `policy::object::Kind::Model`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, it.version_name, it.share, it.concurrent_max, it.ends_at,
                  it.cost_max_nano, it.day_cost_max_nano, it.state, it.reason, it.copies, it.cost_nano, it.unpriced,
                  CASE WHEN it.day = (now() AT TIME ZONE 'UTC')::date THEN it.day_cost_nano ELSE 0 END AS "day_cost_nano!",
                  CASE WHEN it.day = (now() AT TIME ZONE 'UTC')::date THEN it.day_unpriced ELSE 0 END AS "day_unpriced!",
                  it.rests_until, it.version, it.created_at, it.updated_at, it.ended_at,
                  coalesce(o.revision, 0) AS "revision!"
           FROM shadow it
           LEFT JOIN object o ON o.kind = 4 AND o.key = uuid_send(it.model)
           WHERE it.model = $1 AND it.name = $2"#,
        uuid(*model.as_bytes()),
        name.shadow.as_str(),
    )
    .fetch_optional(&mut *connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    columns.row(&name.parent())
}

// === impl Columns ===

impl Columns {
    fn row(self, parent: &ModelName) -> Result<Row, StoreError> {
        let state = u8::try_from(self.state).ok().and_then(State::from_number);
        let version = column::read(Slug::parse(&self.version_name), "shadow.version_name")?;
        let ModelName {
            organization,
            model,
        } = parent.clone();
        let concurrent_max = u16::try_from(self.concurrent_max);
        Ok(Row {
            id: ShadowId::from_bytes(self.id.into_bytes()),
            name: named_so(
                parent,
                column::read(Slug::parse(&self.name), "shadow.name")?,
            ),
            version: VersionName {
                organization,
                model,
                version,
            },
            plan: Plan {
                share: column::read(u16::try_from(self.share), "shadow.share")?,
                concurrent_max: column::read(concurrent_max, "shadow.concurrent_max")?,
                ends_ms: self.ends_at.map(column::milliseconds),
                cost_max_nano: self.cost_max_nano.map(column::count),
                day_cost_max_nano: self.day_cost_max_nano.map(column::count),
            },
            state: column::known(state, "shadow.state")?,
            reason: self.reason,
            used: Used {
                copies: column::count(self.copies),
                cost_nano: column::count(self.cost_nano),
                unpriced: column::count(self.unpriced),
                day_cost_nano: column::count(self.day_cost_nano),
                day_unpriced: column::count(self.day_unpriced),
            },
            rests_until: self.rests_until,
            writes: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            ended_at: self.ended_at,
            revision: column::revision(self.revision),
        })
    }
}

// === impl Row ===

impl Row {
    /// Until when it rests, or has rested last, milliseconds since 1970.
    pub fn rests_until_ms(&self) -> Option<u64> {
        self.rests_until.map(column::milliseconds)
    }

    /// Which state this is.
    pub fn etag(&self) -> String {
        etag(self.id.as_bytes(), self.writes)
    }
}
