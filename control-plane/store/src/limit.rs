//! Limits: rates and quotas over an organization, a project or a key, or over a part of their use.

use domain::{
    etag::etag,
    limit::{Narrowing, Terms},
    name::{LimitName, OrganizationName, ScopeName},
    page::Page,
    segment::Slug,
};
use policy::{
    calendar::Period,
    id::{LimitId, ModelId, OrganizationId, ProjectId, ProviderId},
    limit::{Allowance, AtOnce, Limit, Of, Quota, Rate, Scope, Unit},
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
    limit_terms::{self, OverrideColumns},
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
    /// What narrows that.
    pub narrowing: Narrowing,
    /// What it counts.
    pub unit: Unit,
    /// The numbers.
    pub allowance: Allowance,
    /// How it is held.
    pub terms: Terms,
    /// At which parts of it somebody should look, in percent.
    pub thresholds: Vec<u16>,
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
    /// What narrows that.
    pub narrowing: Narrowing,
    /// What it counts.
    pub unit: Unit,
    /// The numbers. Can change.
    pub allowance: Allowance,
    /// How it is held. Can change.
    pub terms: Terms,
    /// At which parts of it somebody should look, in percent. Can change.
    pub thresholds: Vec<u16>,
    /// Counts its writes.
    pub version: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
    /// Of a quota, from when on use is counted.
    pub counted_from: OffsetDateTime,
    /// The revision of its last committed write; zero when there is none.
    pub revision: Revision,
    ids: Ids,
}

/// What the names of a scope stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ids {
    project: Option<ProjectId>,
    model: Option<ModelId>,
    provider: Option<ProviderId>,
}

struct Columns {
    id: Uuid,
    organization: Uuid,
    name: String,
    display_name: String,
    scope_project: Option<Uuid>,
    project: Option<String>,
    key_id: Option<String>,
    scope_model: Option<Uuid>,
    model: Option<String>,
    scope_provider: Option<Uuid>,
    provider: Option<String>,
    scope_end_user: String,
    scope_each: i32,
    unit: i32,
    amount: i64,
    window_ms: i64,
    burst: i64,
    period: i32,
    mode: i32,
    on_store_loss: i32,
    regions: Vec<String>,
    thresholds: Vec<i32>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    counted_from: OffsetDateTime,
    revision: i64,
}

/// Reads one.
pub async fn get(store: &Store, name: &LimitName) -> Result<Row, StoreError> {
    read(&mut *store.connection().await?, name).await
}

/// Reads a page; with `budgets` of those limits alone that are on money over a day or longer.
pub async fn list(
    store: &Store,
    parent: &OrganizationName,
    (page, budgets): (&Page, bool),
) -> Result<Listed<Row>, StoreError> {
    let mut connection = store.connection().await?;
    let organization = named::organization(&mut connection, parent).await?;
    // Kind 6 is `policy::object::Kind::Limit`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.organization, it.name, it.display_name, it.scope_project,
                  project.name AS "project?", key.key_id AS "key_id?", it.scope_model,
                  model.name AS "model?", it.scope_provider, provider.name AS "provider?",
                  it.scope_end_user, it.scope_each, it.unit, it.amount, it.window_ms, it.burst,
                  it.period, it.mode, it.on_store_loss, it.regions, it.thresholds, it.version, it.created_at, it.updated_at, it.counted_from,
                  coalesce(o.revision, 0) AS "revision!"
           FROM rate_limit it
           LEFT JOIN key ON key.id = it.scope_key
           LEFT JOIN project ON project.id = coalesce(it.scope_project, key.project)
           LEFT JOIN model ON model.id = it.scope_model
           LEFT JOIN provider ON provider.id = it.scope_provider
           LEFT JOIN object o ON o.kind = 6 AND o.key = uuid_send(it.id)
           WHERE it.organization = $1 AND it.name > $2
             AND (NOT $4::boolean OR it.unit = $5 AND it.period > 0)
           ORDER BY it.name LIMIT $3"#,
        organization,
        page.after,
        list::rows_wanted(page),
        budgets,
        column::read(i32::try_from(Unit::MicroDollars as u32), "rate_limit.unit")?,
    )
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<Uuid> = columns.iter().map(|it| it.id).collect();
    let mut overrides = limit_terms::overrides(&mut connection, &ids).await?;
    let rows = columns
        .into_iter()
        .map(|it| {
            let overrides = overrides.remove(&it.id).unwrap_or_default();
            it.row(parent, overrides)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(list::cut(rows, page, |row| row.name.limit.as_str()))
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let organization = named::organization(write.connection(), &parent).await?;
    let (scope_project, scope_key) = limit_scope::ids(write.connection(), &new.scope).await?;
    let narrowing = &new.narrowing;
    let (model, provider) = limit_scope::narrowing(write.connection(), narrowing).await?;
    let numbers = Numbers::of(&new.allowance)?;
    sqlx::query!(
        r#"INSERT INTO rate_limit (id, organization, name, display_name, scope_project, scope_key,
                                   scope_model, scope_provider, scope_end_user, scope_each, unit,
                                   amount, window_ms, burst, period, mode, on_store_loss, regions,
                                   thresholds)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                   $18, $19)"#,
        uuid(*new.id.as_bytes()),
        organization,
        new.name.limit.as_str(),
        new.display_name,
        scope_project,
        scope_key,
        model,
        provider,
        narrowing.end_user.as_deref().unwrap_or_default(),
        column::read(
            i32::try_from(narrowing.each.bits()),
            "rate_limit.scope_each"
        )?,
        column::read(i32::try_from(new.unit as u32), "rate_limit.unit")?,
        numbers.amount,
        numbers.window_ms,
        numbers.burst,
        numbers.period,
        i32::from(new.terms.mode as u8),
        i32::from(new.terms.on_store_loss as u8),
        &column::texts(&new.terms.regions),
        &whole(&new.thresholds),
    )
    .execute(write.connection())
    .await
    .map_err(
        |why| match why.as_database_error().and_then(|it| it.constraint()) {
            Some("rate_limit_scope_project_fkey" | "rate_limit_scope_key_fkey") => {
                conflict::dangling(limit_scope::FIELD, &new.scope)
            }
            Some("rate_limit_scope_model_fkey" | "rate_limit_scope_provider_fkey") => {
                // It was there a statement ago.
                conflict::dangling("limit", &new.name)
            }
            _ => conflict::on_create(why, &new.name, &parent),
        },
    )?;
    let overrides = &new.terms.overrides;
    limit_terms::set(write.connection(), *new.id.as_bytes(), overrides).await?;
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
    let numbers = Numbers::of(&row.allowance)?;
    sqlx::query!(
        r#"UPDATE rate_limit SET display_name = $2, amount = $3, window_ms = $4, burst = $5,
               counted_from = CASE WHEN period = 0 AND $6 > 0 THEN now() ELSE counted_from END,
               period = $6, mode = $7, on_store_loss = $8, thresholds = $9,
               version = version + 1,
               updated_at = now()
           WHERE id = $1"#,
        uuid(*row.id.as_bytes()),
        row.display_name,
        numbers.amount,
        numbers.window_ms,
        numbers.burst,
        numbers.period,
        i32::from(row.terms.mode as u8),
        i32::from(row.terms.on_store_loss as u8),
        &whole(&row.thresholds),
    )
    .execute(write.connection())
    .await?;
    let overrides = &row.terms.overrides;
    limit_terms::set(write.connection(), *row.id.as_bytes(), overrides).await?;
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
    .await
    .map_err(|why| conflict::on_delete(why, name))?;
    write.forget(Kind::Limit, row.id.as_bytes());
    Ok(())
}

async fn read(connection: &mut PgConnection, name: &LimitName) -> Result<Row, StoreError> {
    // Kind 6 is `policy::object::Kind::Limit`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.organization, it.name, it.display_name, it.scope_project,
                  project.name AS "project?", key.key_id AS "key_id?", it.scope_model,
                  model.name AS "model?", it.scope_provider, provider.name AS "provider?",
                  it.scope_end_user, it.scope_each, it.unit, it.amount, it.window_ms, it.burst,
                  it.period, it.mode, it.on_store_loss, it.regions, it.thresholds, it.version, it.created_at, it.updated_at, it.counted_from,
                  coalesce(o.revision, 0) AS "revision!"
           FROM rate_limit it
           JOIN organization ON organization.id = it.organization
           LEFT JOIN key ON key.id = it.scope_key
           LEFT JOIN project ON project.id = coalesce(it.scope_project, key.project)
           LEFT JOIN model ON model.id = it.scope_model
           LEFT JOIN provider ON provider.id = it.scope_provider
           LEFT JOIN object o ON o.kind = 6 AND o.key = uuid_send(it.id)
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.limit.as_str(),
    )
    .fetch_optional(&mut *connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    let mut overrides = limit_terms::overrides(connection, &[columns.id]).await?;
    let overrides = overrides.remove(&columns.id).unwrap_or_default();
    columns.row(&name.parent(), overrides)
}

fn whole(percents: &[u16]) -> Vec<i32> {
    percents.iter().map(|it| i32::from(*it)).collect()
}

fn percent(number: i32) -> Option<u16> {
    u16::try_from(number).ok()
}

/// Publishes the row as it is now.
async fn written(write: &mut Write, name: &LimitName) -> Result<Row, StoreError> {
    let row = read(write.connection(), name).await?;
    let of = match (&row.scope, row.ids.project) {
        (ScopeName::Key(name), _) => Of::Key(name.key.to_string()),
        (_, Some(project)) => Of::Project(project),
        (_, None) => Of::Organization(row.organization),
    };
    let scope = Scope {
        of,
        model: row.ids.model,
        provider: row.ids.provider,
        end_user: row.narrowing.end_user.clone(),
        each: row.narrowing.each,
    };
    let object = Limit {
        id: row.id,
        organization: row.organization,
        name: row.name.limit.to_string(),
        scope,
        unit: row.unit,
        allowance: row.allowance,
        terms: limit_terms::policy(&row.terms),
        counted_from_ms: column::milliseconds(row.counted_from),
    };
    write.put(Object::Limit(Box::new(object)), Audience::everywhere());
    Ok(row)
}

// === impl Row ===

impl Row {
    /// Which state this is.
    pub fn etag(&self) -> String {
        etag(self.id.as_bytes(), self.version)
    }
}

/// The numbers of a limit, as the columns hold them.
struct Numbers {
    amount: i64,
    window_ms: i64,
    burst: i64,
    period: i32,
}

// === impl Numbers ===

impl Numbers {
    fn of(allowance: &Allowance) -> Result<Self, StoreError> {
        let amount = column::number(allowance.amount());
        Ok(match allowance {
            Allowance::Rate(rate) => Self {
                amount,
                window_ms: column::number(rate.window_ms()),
                burst: column::number(rate.burst()),
                period: 0,
            },
            Allowance::Quota(quota) => Self {
                amount,
                window_ms: 0,
                burst: 0,
                period: column::read(i32::try_from(quota.period() as u32), "rate_limit.period")?,
            },
            Allowance::AtOnce(_) => Self {
                amount,
                window_ms: 0,
                burst: 0,
                period: 0,
            },
        })
    }

    /// The numbers of a limit in this unit.
    fn read(&self, unit: Unit) -> Result<Allowance, StoreError> {
        let [amount, window_ms, burst] =
            [self.amount, self.window_ms, self.burst].map(column::count);
        if unit == Unit::ConcurrentRequests {
            let most = column::read(AtOnce::new(amount), "rate_limit.amount")?;
            return Ok(Allowance::AtOnce(most));
        }
        if self.period == 0 {
            let rate = Rate::new(amount, window_ms, burst);
            return Ok(Allowance::Rate(column::read(rate, "rate_limit.amount")?));
        }
        let period = u32::try_from(self.period)
            .ok()
            .and_then(Period::from_number);
        let period = column::known(period, "rate_limit.period")?;
        let quota = column::read(Quota::new(amount, period), "rate_limit.amount")?;
        Ok(Allowance::Quota(quota))
    }
}

// === impl Columns ===

impl Columns {
    fn row(
        self,
        parent: &OrganizationName,
        overrides: Vec<OverrideColumns>,
    ) -> Result<Row, StoreError> {
        let limit = column::read(Slug::parse(&self.name), "rate_limit.name")?;
        let unit = u32::try_from(self.unit).ok().and_then(Unit::from_number);
        let unit = column::known(unit, "rate_limit.unit")?;
        let numbers = Numbers {
            amount: self.amount,
            window_ms: self.window_ms,
            burst: self.burst,
            period: self.period,
        };
        let allowance = numbers.read(unit)?;
        let held = (self.mode, self.on_store_loss, &*self.regions);
        let terms = limit_terms::read(parent, &allowance, held, overrides)?;
        let names = (self.model.as_deref(), self.provider.as_deref());
        let counted = (self.scope_end_user, self.scope_each);
        let project = |id: Uuid| ProjectId::from_bytes(id.into_bytes());
        let model = |id: Uuid| ModelId::from_bytes(id.into_bytes());
        let provider = |id: Uuid| ProviderId::from_bytes(id.into_bytes());
        Ok(Row {
            id: LimitId::from_bytes(self.id.into_bytes()),
            organization: OrganizationId::from_bytes(self.organization.into_bytes()),
            scope: limit_scope::name(parent, self.project.as_deref(), self.key_id.as_deref())?,
            narrowing: limit_scope::narrowed(parent, names, counted)?,
            name: LimitName {
                organization: parent.organization.clone(),
                limit,
            },
            display_name: self.display_name,
            unit,
            allowance,
            terms,
            thresholds: self.thresholds.into_iter().filter_map(percent).collect(),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            counted_from: self.counted_from,
            revision: column::revision(self.revision),
            ids: Ids {
                project: self.scope_project.map(project),
                model: self.scope_model.map(model),
                provider: self.scope_provider.map(provider),
            },
        })
    }
}
