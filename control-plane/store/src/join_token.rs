//! Join tokens: with which edges of one region join, to serve everybody or one organization.

use domain::{
    access::Place,
    name::{JoinTokenName, OrganizationName},
    page::Page,
    segment::KeyId,
};
use policy::{region::Region, remit::Remit};
use time::OffsetDateTime;

use crate::{
    column, conflict,
    error::StoreError,
    list::{self, Listed},
    named,
    store::Store,
    write::Write,
};

/// What to make.
#[derive(Clone)]
pub struct New {
    /// The public part of its text.
    pub key_id: KeyId,
    /// The region that its bearers get.
    pub region: Region,
    /// The one organization that they serve; `None` means: every one.
    pub organization: Option<OrganizationName>,
    /// What people call it.
    pub display_name: String,
    /// SHA-256 of its secret, which has 256 random bits.
    pub secret_sha256: [u8; 32],
    /// When it stops working; `None` means: never.
    pub expires_at: Option<OffsetDateTime>,
    /// Whether it is an invitation: good for one certificate, and for nothing else.
    pub single_use: bool,
}

/// A join token as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: JoinTokenName,
    /// The region that its bearers get.
    pub region: Region,
    /// The one organization that they serve; `None` means: every one.
    pub organization: Option<OrganizationName>,
    /// What people call it.
    pub display_name: String,
    /// When it stops working; `None` means: never.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was revoked; `None` while it is not.
    pub revoked_at: Option<OffsetDateTime>,
    /// Whether it is an invitation.
    pub single_use: bool,
    /// When it was used, if it is one.
    pub used_at: Option<OffsetDateTime>,
}

/// What an edge that presents a join token, or the certificate of an identity, is checked against.
#[derive(Clone)]
pub struct JoinToken {
    /// The public part of its text, or the identity.
    pub key_id: String,
    /// The region that it proves, and whom its bearer serves.
    pub remit: Remit,
    /// SHA-256 of its secret; `None` for an identity, which no text proves.
    pub secret_sha256: Option<[u8; 32]>,
    /// Whether it is an invitation, with which nobody follows policy.
    pub single_use: bool,
    /// When it stops working, milliseconds since 1970; `None` means: never.
    pub expires_at_ms: Option<u64>,
    /// Whether it is revoked.
    pub revoked: bool,
}

struct Columns {
    key_id: String,
    region: String,
    organization: Option<String>,
    display_name: String,
    expires_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    revoked_at: Option<OffsetDateTime>,
    single_use: bool,
    used_at: Option<OffsetDateTime>,
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let name = JoinTokenName {
        join_token: new.key_id,
    };
    let place = new
        .organization
        .map_or(Place::Everywhere, Place::Organization);
    let field = "join_token.organization";
    let (organization, _) = named::place(write.connection(), field, &place).await?;
    let columns = sqlx::query_as!(
        Columns,
        r#"INSERT INTO join_token (key_id, region, display_name, secret_sha256, expires_at, single_use, organization)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           RETURNING key_id, region, display_name, expires_at, created_at, revoked_at, single_use, used_at,
                     (SELECT name FROM organization o WHERE o.id = join_token.organization) AS organization"#,
        name.join_token.as_str(),
        new.region.as_str(),
        new.display_name,
        new.secret_sha256.as_slice(),
        new.expires_at,
        new.single_use,
        organization,
    )
    .fetch_one(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &name, &name))?;
    columns.try_into()
}

/// Reads a page.
pub async fn list(store: &Store, page: &Page) -> Result<Listed<Row>, StoreError> {
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT key_id, region, display_name, expires_at, created_at, revoked_at, single_use, used_at,
                  (SELECT name FROM organization o WHERE o.id = join_token.organization) AS organization
           FROM join_token WHERE key_id > $1 ORDER BY key_id LIMIT $2"#,
        page.after,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *store.connection().await?)
    .await?;
    let rows = columns
        .into_iter()
        .map(Row::try_from)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(list::cut(rows, page, |row| row.name.join_token.as_str()))
}

/// Revokes one, for ever, and rings for the replicas that hold streams of edges that joined with it. The time of
/// an earlier revocation stands.
pub async fn revoke(write: &mut Write, name: &JoinTokenName) -> Result<Row, StoreError> {
    let columns = sqlx::query_as!(
        Columns,
        r#"UPDATE join_token SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = $1
           RETURNING key_id, region, display_name, expires_at, created_at, revoked_at, single_use, used_at,
                     (SELECT name FROM organization o WHERE o.id = join_token.organization) AS organization"#,
        name.join_token.as_str(),
    )
    .fetch_optional(write.connection())
    .await?;
    sqlx::query!("SELECT pg_notify('sluice_edges', '')")
        .execute(write.connection())
        .await?;
    columns
        .ok_or_else(|| StoreError::NotFound {
            name: name.to_string(),
        })?
        .try_into()
}

// === impl Store ===

impl Store {
    /// The join tokens with these public parts, whatever became of them.
    pub async fn join_tokens(&self, key_ids: &[String]) -> Result<Vec<JoinToken>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT key_id, region, organization, secret_sha256, single_use, expires_at, revoked_at IS NOT NULL AS "revoked!"
               FROM join_token WHERE key_id = ANY ($1)"#,
            key_ids,
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        let tokens = rows.into_iter().map(|row| {
            let secret = <[u8; 32]>::try_from(row.secret_sha256);
            Ok(JoinToken {
                key_id: row.key_id,
                remit: column::remit(&row.region, row.organization)?,
                secret_sha256: Some(column::read(secret, "join_token.secret_sha256")?),
                single_use: row.single_use,
                expires_at_ms: row.expires_at.map(column::milliseconds),
                revoked: row.revoked,
            })
        });
        tokens.collect()
    }
}

impl TryFrom<Columns> for Row {
    type Error = StoreError;

    fn try_from(columns: Columns) -> Result<Self, StoreError> {
        let join_token = column::read(KeyId::parse(&columns.key_id), "join_token.key_id")?;
        Ok(Self {
            name: JoinTokenName { join_token },
            region: column::read(
                Region::try_from(columns.region.as_str()),
                "join_token.region",
            )?,
            organization: column::organization_name(columns.organization.as_deref())?,
            display_name: columns.display_name,
            expires_at: columns.expires_at,
            created_at: columns.created_at,
            revoked_at: columns.revoked_at,
            single_use: columns.single_use,
            used_at: columns.used_at,
        })
    }
}
