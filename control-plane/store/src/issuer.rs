//! Issuers of clients' tokens.

use domain::{
    etag::etag,
    issuer::Checked,
    name::{IssuerName, OrganizationName},
    page::Page,
};
use policy::{
    id::{IssuerId, OrganizationId},
    object::Kind,
    revision::Revision,
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    column, conflict,
    error::StoreError,
    id::uuid,
    issuer_columns::{self, Columns},
    issuer_object,
    list::{self, Listed},
    named,
    store::Store,
    write::Write,
};

/// What to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: IssuerId,
    /// Its name.
    pub name: IssuerName,
    /// All that an operator says of it.
    pub checked: Checked,
}

/// An issuer as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: IssuerId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// Its name.
    pub name: IssuerName,
    /// All that an operator says of it. Can change, but for its URL.
    pub checked: Checked,
    /// Counts its writes.
    pub version: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
    /// The revision of its last committed write; zero when there is none.
    pub revision: Revision,
}

/// The field that names a project.
const PROJECT: &str = "issuer.project";

/// Reads one.
pub async fn get(store: &Store, name: &IssuerName) -> Result<Row, StoreError> {
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
    let wanted = list::rows_wanted(page);
    let columns =
        issuer_columns::page(&mut connection, organization, (&page.after, wanted)).await?;
    let rows = columns
        .into_iter()
        .map(|it| row(&it, parent))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(list::cut(rows, page, |row| row.name.issuer.as_str()))
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let organization = named::organization(write.connection(), &parent).await?;
    let id = uuid(*new.id.as_bytes());
    sqlx::query!(
        r#"INSERT INTO issuer (id, organization, name, display_name, issuer_url, keys_url, algorithms,
                               token_types, leeway_ms, project_expression, condition,
                               end_user_expression, models_expression, request_tokens_max_expression,
                               model_patterns, endpoints, ip_ranges, disabled)
           VALUES ($1, $2, $3, '', $4, '', '{}', '{}', 0, '', '', '', '', '', '{}', '{}', '{}', true)"#,
        id,
        organization,
        new.name.issuer.as_str(),
        new.checked.url,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &parent))?;
    set(write.connection(), id, &new.checked).await?;
    written(write, &new.name).await
}

/// Reads one and keeps others from writing it until this write ends. `etag` must be that of the state that
/// stands, or empty.
pub async fn lock(write: &mut Write, name: &IssuerName, etag: &str) -> Result<Row, StoreError> {
    sqlx::query!(
        r#"SELECT it.id FROM issuer it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2 FOR UPDATE OF it"#,
        name.organization.as_str(),
        name.issuer.as_str(),
    )
    .fetch_optional(write.connection())
    .await?;
    let row = read(write.connection(), name).await?;
    conflict::check_etag(etag, &row.etag(), name)?;
    Ok(row)
}

/// Writes what can change of a row that is locked.
pub async fn update(write: &mut Write, row: &Row) -> Result<Row, StoreError> {
    let id = uuid(*row.id.as_bytes());
    sqlx::query!(
        "UPDATE issuer SET version = version + 1, updated_at = now() WHERE id = $1",
        id
    )
    .execute(write.connection())
    .await?;
    set(write.connection(), id, &row.checked).await?;
    written(write, &row.name).await
}

/// Deletes one.
pub async fn delete(write: &mut Write, name: &IssuerName, etag: &str) -> Result<(), StoreError> {
    let row = lock(write, name, etag).await?;
    sqlx::query!("DELETE FROM issuer WHERE id = $1", uuid(*row.id.as_bytes()))
        .execute(write.connection())
        .await?;
    write.forget(Kind::Issuer, row.id.as_bytes());
    Ok(())
}

/// Makes it so, all but the URL.
async fn set(connection: &mut PgConnection, id: Uuid, it: &Checked) -> Result<(), StoreError> {
    let project = match &it.project {
        None => None,
        Some(name) => match named::project(connection, name).await {
            Ok((project, _)) => Some(uuid(*project.as_bytes())),
            Err(StoreError::NotFound { .. }) => return Err(conflict::dangling(PROJECT, name)),
            Err(why) => return Err(why),
        },
    };
    let algorithms: Vec<String> = it
        .algorithms
        .iter()
        .map(|it| it.name().to_owned())
        .collect();
    let patterns: Vec<String> = it.scope.models.iter().map(ToString::to_string).collect();
    let tokens_max = it.scope.request_tokens_max.map(column::number);
    sqlx::query!(
        r#"UPDATE issuer SET display_name = $2, keys_url = $3, algorithms = $4, token_types = $5,
               leeway_ms = $6, project = $7, project_expression = $8, condition = $9,
               end_user_expression = $10, models_expression = $11,
               request_tokens_max_expression = $12, model_patterns = $13, endpoints = $14,
               ip_ranges = $15, request_tokens_max = $16, disabled = $17
           WHERE id = $1"#,
        id,
        it.display_name,
        it.keys_url,
        &algorithms,
        &it.types,
        column::number(it.leeway_ms),
        project,
        it.mapping.project,
        it.mapping.condition,
        it.mapping.end_user,
        it.mapping.models,
        it.mapping.request_tokens_max,
        &patterns,
        &it.scope.endpoints,
        &it.scope.ranges,
        tokens_max,
        it.disabled,
    )
    .execute(&mut *connection)
    .await
    .map_err(|why| match &it.project {
        Some(name) => conflict::on_reference(why, PROJECT, name),
        None => why.into(),
    })?;
    set_audiences(connection, id, it).await?;
    set_providers(connection, id, it).await
}

async fn set_audiences(
    connection: &mut PgConnection,
    id: Uuid,
    it: &Checked,
) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM issuer_audience WHERE issuer = $1", id)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        r#"INSERT INTO issuer_audience (issuer, position, issuer_url, audience)
           SELECT $1, it.position, $2, it.audience
           FROM unnest($3::text[]) WITH ORDINALITY AS it (audience, position)"#,
        id,
        it.url,
        &it.audiences,
    )
    .execute(connection)
    .await
    .map_err(|why| match why.as_database_error() {
        // Whose it is stays untold.
        Some(of) if of.is_unique_violation() => StoreError::Exists {
            name: "an issuer of this issuer_url with one of these audiences".to_owned(),
        },
        _ => why.into(),
    })?;
    Ok(())
}

async fn set_providers(
    connection: &mut PgConnection,
    id: Uuid,
    it: &Checked,
) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM issuer_provider WHERE issuer = $1", id)
        .execute(&mut *connection)
        .await?;
    for (at, name) in it.scope.providers.iter().enumerate() {
        let field = format!("issuer.providers[{at}]");
        let provider = named::provider(connection, name).await?;
        let provider = provider.ok_or_else(|| conflict::dangling(&field, name))?;
        sqlx::query!(
            "INSERT INTO issuer_provider (issuer, provider) VALUES ($1, $2)",
            id,
            uuid(*provider.as_bytes()),
        )
        .execute(&mut *connection)
        .await
        .map_err(|why| conflict::on_reference(why, &field, name))?;
    }
    Ok(())
}

async fn read(connection: &mut PgConnection, name: &IssuerName) -> Result<Row, StoreError> {
    let columns = issuer_columns::one(connection, name).await?;
    row(
        &columns.ok_or_else(|| conflict::missing(name))?,
        &name.parent(),
    )
}

fn row(columns: &Columns, parent: &OrganizationName) -> Result<Row, StoreError> {
    let (checked, issuer) = issuer_columns::checked(columns, &parent.organization)?;
    Ok(Row {
        id: IssuerId::from_bytes(columns.id.into_bytes()),
        organization: OrganizationId::from_bytes(columns.organization.into_bytes()),
        name: IssuerName {
            organization: parent.organization.clone(),
            issuer,
        },
        checked,
        version: columns.version,
        created_at: columns.created_at,
        updated_at: columns.updated_at,
        revision: column::revision(columns.revision),
    })
}

/// Publishes the row as it is now.
async fn written(write: &mut Write, name: &IssuerName) -> Result<Row, StoreError> {
    let row = read(write.connection(), name).await?;
    issuer_object::put(write, (row.id, row.organization, &row.name), &row.checked).await?;
    Ok(row)
}

// === impl Row ===

impl Row {
    /// Which state this is.
    pub fn etag(&self) -> String {
        etag(self.id.as_bytes(), self.version)
    }
}
