//! Channels of alerts: where notices go. They are made and deleted, and never change.

use domain::{
    etag::etag,
    name::{AlertChannelName, OrganizationName},
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

/// The most channels of an organization.
const CHANNELS_MAX: i64 = 50; // Full: another one is refused.

/// What a channel is, in numbers and words that its writer understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What people call it.
    pub display_name: String,
    /// 1 webhook, 2 Slack, 3 e-mail.
    pub kind: i16,
    /// What may be shown of a URL; of e-mail, the server.
    pub address: String,
    /// Of e-mail: 1 STARTTLS, 2 TLS, 3 none; zero for others.
    pub security: i16,
    /// As whom to sign in.
    pub username: String,
    /// From whom e-mail comes.
    pub sender: String,
    /// Whom it goes to.
    pub recipients: Vec<String>,
    /// Its secret, sealed; `None` where it has none.
    pub credential_sealed: Option<Vec<u8>>,
}

/// What to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: [u8; 16],
    /// Its name.
    pub name: AlertChannelName,
    /// What it is.
    pub terms: Terms,
}

/// A channel as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: [u8; 16],
    /// Its name.
    pub name: AlertChannelName,
    /// What it is.
    pub terms: Terms,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

struct Columns {
    id: Uuid,
    organization: String,
    name: String,
    display_name: String,
    kind: i16,
    address: String,
    security: i16,
    username: String,
    sender: String,
    recipients: Vec<String>,
    credential_sealed: Option<Vec<u8>>,
    created_at: OffsetDateTime,
}

/// Reads one.
pub async fn get(store: &Store, name: &AlertChannelName) -> Result<Row, StoreError> {
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
        r#"SELECT it.id, organization.name AS organization, it.name, it.display_name, it.kind,
                  it.address, it.security, it.username, it.sender, it.recipients,
                  it.credential_sealed, it.created_at
           FROM alert_channel it JOIN organization ON organization.id = it.organization
           WHERE it.organization = $1 AND it.name > $2 ORDER BY it.name LIMIT $3"#,
        organization,
        page.after,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *connection)
    .await?;
    let rows: Result<Vec<_>, _> = columns.into_iter().map(Row::try_from).collect();
    Ok(list::cut(rows?, page, |row| {
        row.name.alert_channel.as_str()
    }))
}

/// Those with these ids, in no order.
pub async fn of_ids(store: &Store, ids: &[[u8; 16]]) -> Result<Vec<Row>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().copied().map(uuid).collect();
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, organization.name AS organization, it.name, it.display_name, it.kind,
                  it.address, it.security, it.username, it.sender, it.recipients,
                  it.credential_sealed, it.created_at
           FROM alert_channel it JOIN organization ON organization.id = it.organization
           WHERE it.id = ANY ($1)"#,
        &ids,
    )
    .fetch_all(&mut *store.connection().await?)
    .await?;
    columns.into_iter().map(Row::try_from).collect()
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let organization = named::organization(write.connection(), &parent).await?;
    let stand = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM alert_channel WHERE organization = $1"#,
        organization
    )
    .fetch_one(write.connection())
    .await?;
    if stand >= CHANNELS_MAX {
        return Err(conflict::blocked(&parent, Obstacle::HasManyAlertChannels));
    }
    let terms = &new.terms;
    sqlx::query!(
        r#"INSERT INTO alert_channel (id, organization, name, display_name, kind, address, security,
                                      username, sender, recipients, credential_sealed)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"#,
        uuid(new.id),
        organization,
        new.name.alert_channel.as_str(),
        terms.display_name,
        terms.kind,
        terms.address,
        terms.security,
        terms.username,
        terms.sender,
        &terms.recipients,
        terms.credential_sealed.as_deref(),
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &parent))?;
    read(write.connection(), &new.name).await
}

/// Deletes one that no rule names, and tells what stood.
pub async fn delete(
    write: &mut Write,
    name: &AlertChannelName,
    etag: &str,
) -> Result<Row, StoreError> {
    let row = read(write.connection(), name).await?;
    conflict::check_etag(etag, &row.etag(), name)?;
    let gone = sqlx::query!("DELETE FROM alert_channel WHERE id = $1", uuid(row.id))
        .execute(write.connection())
        .await
        .map_err(|why| conflict::on_delete(why, name))?;
    if gone.rows_affected() == 0 {
        return Err(conflict::missing(name));
    }
    Ok(row)
}

async fn read(connection: &mut PgConnection, name: &AlertChannelName) -> Result<Row, StoreError> {
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, organization.name AS organization, it.name, it.display_name, it.kind,
                  it.address, it.security, it.username, it.sender, it.recipients,
                  it.credential_sealed, it.created_at
           FROM alert_channel it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.alert_channel.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    columns.ok_or_else(|| conflict::missing(name))?.try_into()
}

// === impl Row ===

impl Row {
    /// Which one this is.
    pub fn etag(&self) -> String {
        etag(&self.id, 1)
    }
}

impl TryFrom<Columns> for Row {
    type Error = StoreError;

    fn try_from(it: Columns) -> Result<Self, StoreError> {
        let organization = Slug::parse(&it.organization);
        Ok(Self {
            id: it.id.into_bytes(),
            name: AlertChannelName {
                organization: column::read(organization, "organization.name")?,
                alert_channel: column::read(Slug::parse(&it.name), "alert_channel.name")?,
            },
            terms: Terms {
                display_name: it.display_name,
                kind: it.kind,
                address: it.address,
                security: it.security,
                username: it.username,
                sender: it.sender,
                recipients: it.recipients,
                credential_sealed: it.credential_sealed,
            },
            created_at: it.created_at,
        })
    }
}
