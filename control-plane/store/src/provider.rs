//! Providers, and the sealed credentials that we present to them.
//!
//! The credential comes twice: sealed, to be kept, and in clear, to be published. In clear it is never kept here.

use domain::{
    base_url::{self, BaseUrl},
    etag::etag,
    mapping::{self, kept},
    name::{OrganizationName, ProviderName},
    page::Page,
    segment::Slug,
};
use policy::{
    handling::Handling,
    id::{OrganizationId, ProviderId},
    object::{Kind, Object},
    provider::{Provider, ProviderKind},
    region::{Audience, Region},
    revision::Revision,
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    column, conflict,
    credential::{self, Bounds},
    error::StoreError,
    id::uuid,
    list::{self, Listed},
    named,
    store::Store,
    write::Write,
};

/// What to make.
#[derive(Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: ProviderId,
    /// Its name.
    pub name: ProviderName,
    /// What people call it.
    pub display_name: String,
    /// Its kind.
    pub kind: ProviderKind,
    /// Where it stands.
    pub base_url: BaseUrl,
    /// Whether `stream_options.include_usage` may be sent.
    pub stream_options: bool,
    /// Whether any path of its API may be reached by passing through.
    pub passthrough: bool,
    /// What it does with what it is sent.
    pub handling: Handling,
    /// The regions whose edges may use it; empty means: every one.
    pub regions: Vec<Region>,
    /// Where its credential may be exchanged for a token, beside where its kind does.
    pub exchange_origins: Vec<String>,
    /// How a custom one is asked and read.
    pub mapping: Option<mapping::Checked>,
    /// What we present to it, sealed; `None` means: nothing.
    pub credential_sealed: Option<Vec<u8>>,
}

/// A provider as it stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: ProviderId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// Its name.
    pub name: ProviderName,
    /// What people call it. Can change.
    pub display_name: String,
    /// Its kind.
    pub kind: ProviderKind,
    /// Where it stands. Can change.
    pub base_url: BaseUrl,
    /// Whether `stream_options.include_usage` may be sent. Can change.
    pub stream_options: bool,
    /// Whether any path of its API may be reached by passing through. Can change.
    pub passthrough: bool,
    /// What it does with what it is sent. Can change.
    pub handling: Handling,
    /// The regions whose edges may use it; empty means: every one. Can change.
    pub regions: Vec<Region>,
    /// Where its credential may be exchanged for a token, beside where its kind does. Can change.
    pub exchange_origins: Vec<String>,
    /// How a custom one is asked and read. Can change.
    pub mapping: Option<mapping::Checked>,
    /// What we present to it, sealed; `None` means: nothing. Can change.
    pub credential_sealed: Option<Vec<u8>>,
    /// Counts its writes.
    pub version: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
    /// The revision of its last committed write; zero when there is none.
    pub revision: Revision,
}

#[expect(clippy::struct_excessive_bools, reason = "they are columns")]
struct Columns {
    id: Uuid,
    organization: Uuid,
    name: String,
    display_name: String,
    kind: i16,
    base_url: String,
    stream_options: bool,
    passthrough: bool,
    collects_nothing: bool,
    retains_nothing: bool,
    residency: String,
    quantization: String,
    regions: Vec<String>,
    exchange_origins: Vec<String>,
    mapping: Option<String>,
    credential: Option<Vec<u8>>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    revision: i64,
}

/// Reads one.
pub async fn get(store: &Store, name: &ProviderName) -> Result<Row, StoreError> {
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
    // Kind 3 is `policy::object::Kind::Provider`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.organization, it.name, it.display_name, it.kind, it.base_url,
                  it.stream_options, it.passthrough, it.collects_nothing, it.retains_nothing,
                  it.residency, it.quantization, it.regions, it.exchange_origins, it.mapping, it.credential,
                  it.version, it.created_at, it.updated_at, coalesce(o.revision, 0) AS "revision!"
           FROM provider it
           LEFT JOIN object o ON o.kind = 3 AND o.key = uuid_send(it.id)
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
    Ok(list::cut(rows, page, |row| row.name.provider.as_str()))
}

/// Makes one. `clear` is the credential in clear, present exactly when the sealed one is.
pub async fn create(write: &mut Write, new: New, clear: Option<&[u8]>) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let organization = named::organization(write.connection(), &parent).await?;
    sqlx::query!(
        r#"INSERT INTO provider (id, organization, name, display_name, kind, base_url,
                                 stream_options, regions, exchange_origins, mapping, credential, passthrough,
                                 collects_nothing, retains_nothing, residency, quantization)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"#,
        uuid(*new.id.as_bytes()),
        organization,
        new.name.provider.as_str(),
        new.display_name,
        new.kind as i16,
        new.base_url.as_str(),
        new.stream_options,
        &column::texts(&new.regions),
        &new.exchange_origins,
        new.mapping.as_ref().map(kept::write),
        new.credential_sealed,
        new.passthrough,
        new.handling.collects_nothing,
        new.handling.retains_nothing,
        new.handling.residency,
        new.handling.quantization,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &parent))?;
    written(write, &new.name, clear).await
}

/// Reads one and keeps others from writing it until this write ends. `etag` must be that of the state that
/// stands, or empty.
pub async fn lock(write: &mut Write, name: &ProviderName, etag: &str) -> Result<Row, StoreError> {
    sqlx::query!(
        r#"SELECT it.id FROM provider it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2 FOR UPDATE OF it"#,
        name.organization.as_str(),
        name.provider.as_str(),
    )
    .fetch_optional(write.connection())
    .await?;
    let row = read(write.connection(), name).await?;
    conflict::check_etag(etag, &row.etag(), name)?;
    Ok(row)
}

/// Writes what can change of a row that is locked. `clear` is the credential in clear, present exactly when the
/// sealed one is; it is published anew, because where it may go follows the base URL and the regions.
pub async fn update(write: &mut Write, row: &Row, clear: Option<&[u8]>) -> Result<Row, StoreError> {
    let before = read(write.connection(), &row.name).await?;
    sqlx::query!(
        r#"UPDATE provider SET display_name = $2, base_url = $3, stream_options = $4, regions = $5,
               exchange_origins = $6, mapping = $7, credential = $8, passthrough = $9, collects_nothing = $10,
               retains_nothing = $11, residency = $12, quantization = $13, version = version + 1, updated_at = now()
           WHERE id = $1"#,
        uuid(*row.id.as_bytes()),
        row.display_name,
        row.base_url.as_str(),
        row.stream_options,
        &column::texts(&row.regions),
        &row.exchange_origins,
        row.mapping.as_ref().map(kept::write),
        row.credential_sealed,
        row.passthrough,
        row.handling.collects_nothing,
        row.handling.retains_nothing,
        row.handling.residency,
        row.handling.quantization,
    )
    .execute(write.connection())
    .await?;
    if before.credential_sealed.is_some() && row.credential_sealed.is_none() {
        credential::forget(write, row.id);
    }
    written(write, &row.name, clear).await
}

/// Deletes one that no version targets.
pub async fn delete(write: &mut Write, name: &ProviderName, etag: &str) -> Result<(), StoreError> {
    let row = lock(write, name, etag).await?;
    sqlx::query!(
        "DELETE FROM provider WHERE id = $1",
        uuid(*row.id.as_bytes())
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_delete(why, name))?;
    if row.credential_sealed.is_some() {
        credential::forget(write, row.id);
    }
    write.forget(Kind::Provider, row.id.as_bytes());
    Ok(())
}

async fn read(connection: &mut PgConnection, name: &ProviderName) -> Result<Row, StoreError> {
    // Kind 3 is `policy::object::Kind::Provider`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.organization, it.name, it.display_name, it.kind, it.base_url,
                  it.stream_options, it.passthrough, it.collects_nothing, it.retains_nothing,
                  it.residency, it.quantization, it.regions, it.exchange_origins, it.mapping, it.credential,
                  it.version, it.created_at, it.updated_at, coalesce(o.revision, 0) AS "revision!"
           FROM provider it
           JOIN organization ON organization.id = it.organization
           LEFT JOIN object o ON o.kind = 3 AND o.key = uuid_send(it.id)
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.provider.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    columns.row(&name.parent())
}

/// Publishes the row as it is now: the credential first, so that the provider's revision covers both.
async fn written(
    write: &mut Write,
    name: &ProviderName,
    clear: Option<&[u8]>,
) -> Result<Row, StoreError> {
    let row = read(write.connection(), name).await?;
    if row.credential_sealed.is_some() != clear.is_some() {
        return Err(StoreError::broken(
            "a credential comes both sealed and in clear",
        ));
    }
    let audience = Audience::only(row.regions.clone());
    if let Some(clear) = clear {
        let bounds = Bounds {
            base_url: &row.base_url,
            exchange_origins: &row.exchange_origins,
        };
        credential::put(write, row.id, &bounds, clear, audience.clone());
    }
    write.put(Object::Provider(row.object()), audience);
    Ok(row)
}

// === impl Row ===

impl Row {
    /// Which state this is.
    pub fn etag(&self) -> String {
        etag(self.id.as_bytes(), self.version)
    }

    /// A provider that has a credential is not asked without it either: an edge that lacks it refuses.
    fn object(&self) -> Provider {
        Provider {
            id: self.id,
            organization: self.organization,
            name: self.name.provider.to_string(),
            kind: self.kind,
            base_url: self.base_url.as_str().to_owned(),
            stream_options: self.stream_options,
            passthrough: self.passthrough,
            handling: self.handling.clone(),
            credential_required: self.kind.preset().credential_required
                || self.credential_sealed.is_some(),
            mapping: self.mapping.as_ref().map(|it| Box::new(it.mapping.clone())),
        }
    }
}

// === impl Columns ===

impl Columns {
    fn row(self, parent: &OrganizationName) -> Result<Row, StoreError> {
        let provider = column::read(Slug::parse(&self.name), "provider.name")?;
        let kind = u32::try_from(self.kind)
            .ok()
            .and_then(ProviderKind::from_number);
        Ok(Row {
            id: ProviderId::from_bytes(self.id.into_bytes()),
            organization: OrganizationId::from_bytes(self.organization.into_bytes()),
            name: ProviderName {
                organization: parent.organization.clone(),
                provider,
            },
            display_name: self.display_name,
            kind: column::known(kind, "provider.kind")?,
            base_url: column::read(base_url::parse(&self.base_url), "provider.base_url")?,
            stream_options: self.stream_options,
            passthrough: self.passthrough,
            handling: Handling {
                collects_nothing: self.collects_nothing,
                retains_nothing: self.retains_nothing,
                residency: self.residency,
                quantization: self.quantization,
            },
            regions: column::regions(&self.regions)?,
            exchange_origins: self.exchange_origins,
            mapping: self
                .mapping
                .map(|text| column::known(kept::read(&text), "provider.mapping"))
                .transpose()?,
            credential_sealed: self.credential,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            revision: column::revision(self.revision),
        })
    }
}
