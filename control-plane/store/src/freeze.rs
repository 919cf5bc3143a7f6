//! Freezes of an organization's rollouts. Windows are made and deleted, and never change.
//!
//! Whether a freeze is on is decided by the database's clock, in the transaction that would move a rollout.

use domain::{
    etag::etag,
    freeze::{self, Frozen, When, Window},
    name::{FreezeWindowName, OrganizationName},
    page::Page,
    segment::Slug,
};
use policy::{
    calendar::Zone,
    weekly::{Days, Weekly},
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

/// The most windows of an organization.
const WINDOWS_MAX: i64 = 50; // Full: another one is refused.

/// What to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: [u8; 16],
    /// Its name.
    pub name: FreezeWindowName,
    /// When it is, and why.
    pub window: Window,
    /// Whether its zone is the organization's, whatever that becomes.
    pub of_organization: bool,
}

/// A window as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: [u8; 16],
    /// Its name.
    pub name: FreezeWindowName,
    /// When it is, and why.
    pub window: Window,
    /// Until when it is on, milliseconds since 1970; `None` where it is not.
    pub on_until_ms: Option<u64>,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

struct Columns {
    id: Uuid,
    name: String,
    reason: String,
    days: i16,
    from_minute: i16,
    until_minute: i16,
    time_zone: String,
    starts_at: Option<OffsetDateTime>,
    ends_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    now: OffsetDateTime,
}

/// Reads one.
pub async fn get(store: &Store, name: &FreezeWindowName) -> Result<Row, StoreError> {
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
    let most = list::rows_wanted(page);
    let columns = some(&mut connection, organization, &page.after, most).await?;
    let rows = columns.into_iter().map(|it| it.row(parent));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(list::cut(rows, page, |row| row.name.freeze_window.as_str()))
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let organization = named::organization(write.connection(), &parent).await?;
    let stand = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM freeze_window WHERE organization = $1"#,
        organization
    )
    .fetch_one(write.connection())
    .await?;
    if stand >= WINDOWS_MAX {
        return Err(conflict::blocked(&parent, Obstacle::HasManyFreezeWindows));
    }
    let (weekly, once) = match &new.window.when {
        When::Weekly(it) => (Some(it), None),
        When::Once { from_ms, until_ms } => (None, Some((*from_ms, *until_ms))),
    };
    let minute = |minute: Option<u16>| {
        column::read(i16::try_from(minute.unwrap_or(0)), "freeze_window.minute")
    };
    let zone = weekly.filter(|_| !new.of_organization);
    sqlx::query!(
        r#"INSERT INTO freeze_window (id, organization, name, reason, days, from_minute, until_minute,
                                      time_zone, starts_at, ends_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"#,
        uuid(new.id),
        organization,
        new.name.freeze_window.as_str(),
        new.window.reason,
        weekly.map_or(0, |it| i16::from(it.days.bits())),
        minute(weekly.map(|it| it.from_minute))?,
        minute(weekly.map(|it| it.until_minute))?,
        zone.map_or("", |it| it.zone.name()),
        once.map(|it| column::moment(it.0)).transpose()?,
        once.map(|it| column::moment(it.1)).transpose()?,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &parent))?;
    read(write.connection(), &new.name).await
}

/// Deletes one, and tells what stood. `seen` must be its etag, or empty.
pub async fn delete(
    write: &mut Write,
    name: &FreezeWindowName,
    seen: &str,
) -> Result<Row, StoreError> {
    let row = read(write.connection(), name).await?;
    conflict::check_etag(seen, &row.etag(), name)?;
    let gone = sqlx::query!("DELETE FROM freeze_window WHERE id = $1", uuid(row.id))
        .execute(write.connection())
        .await?;
    if gone.rows_affected() == 0 {
        return Err(conflict::missing(name));
    }
    Ok(row)
}

/// Whether rollouts of an organization are frozen now.
pub(crate) async fn frozen(
    connection: &mut PgConnection,
    parent: &OrganizationName,
) -> Result<Option<Frozen>, StoreError> {
    let organization = named::organization(&mut *connection, parent).await?;
    let columns = some(connection, organization, "", WINDOWS_MAX).await?;
    let Some(now) = columns.first().map(|it| it.now) else {
        return Ok(None);
    };
    let rows = columns.into_iter().map(|it| it.row(parent));
    let windows = rows.map(|it| it.map(|row| row.window));
    let windows = windows.collect::<Result<Vec<_>, _>>()?;
    Ok(freeze::frozen(&windows, column::milliseconds(now)))
}

async fn some(
    connection: &mut PgConnection,
    organization: Uuid,
    after: &str,
    most: i64,
) -> Result<Vec<Columns>, StoreError> {
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, it.reason, it.days, it.from_minute, it.until_minute,
                  CASE it.time_zone WHEN '' THEN organization.time_zone ELSE it.time_zone END AS "time_zone!",
                  it.starts_at, it.ends_at, it.created_at, now() AS "now!"
           FROM freeze_window it JOIN organization ON organization.id = it.organization
           WHERE it.organization = $1 AND it.name > $2 ORDER BY it.name LIMIT $3"#,
        organization,
        after,
        most,
    )
    .fetch_all(connection)
    .await?;
    Ok(columns)
}

async fn read(connection: &mut PgConnection, name: &FreezeWindowName) -> Result<Row, StoreError> {
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, it.reason, it.days, it.from_minute, it.until_minute,
                  CASE it.time_zone WHEN '' THEN organization.time_zone ELSE it.time_zone END AS "time_zone!",
                  it.starts_at, it.ends_at, it.created_at, now() AS "now!"
           FROM freeze_window it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.freeze_window.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    columns.row(&name.parent())
}

// === impl Row ===

impl Row {
    /// Which state this is. There is only one.
    pub fn etag(&self) -> String {
        etag(&self.id, 1)
    }
}

// === impl Columns ===

impl Columns {
    fn row(self, parent: &OrganizationName) -> Result<Row, StoreError> {
        let when = match (self.starts_at, self.ends_at) {
            (Some(from), Some(until)) => When::Once {
                from_ms: column::milliseconds(from),
                until_ms: column::milliseconds(until),
            },
            _ => When::Weekly(self.weekly()?),
        };
        Ok(Row {
            id: self.id.into_bytes(),
            name: FreezeWindowName {
                organization: parent.organization.clone(),
                freeze_window: column::read(Slug::parse(&self.name), "freeze_window.name")?,
            },
            on_until_ms: when.until(column::milliseconds(self.now)),
            window: Window {
                when,
                reason: self.reason,
            },
            created_at: self.created_at,
        })
    }

    fn weekly(&self) -> Result<Weekly, StoreError> {
        let minute = |minute: i16| column::read(u16::try_from(minute), "freeze_window.minute");
        let days = u8::try_from(self.days).ok().and_then(Days::from_bits);
        Ok(Weekly {
            days: column::known(days, "freeze_window.days")?,
            from_minute: minute(self.from_minute)?,
            until_minute: minute(self.until_minute)?,
            zone: column::read(Zone::parse(&self.time_zone), "freeze_window.time_zone")?,
        })
    }
}
