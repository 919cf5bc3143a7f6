//! Keys: what clients present. Their texts never come here.
//!
//! A revoked key never changes again; only its deletion takes the tombstone away.

use domain::{
    etag::etag,
    key_scope::Scope,
    name::{KeyName, ModelName, ProjectName, ServiceAccountName},
    page::Page,
    segment::{KeyId, ModelSlug, Slug},
};
use policy::{
    object::{Kind, Object},
    region::Audience,
    revision::Revision,
};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    column, conflict,
    error::{Obstacle, StoreError},
    id::uuid,
    key_account,
    key_columns::Columns,
    key_models, key_object, key_scope,
    key_secret::Secret,
    list::{self, Listed},
    named,
    store::Store,
    write::Write,
};

/// What a key is for. The numbers are those of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub enum Environment {
    /// Production.
    Live = 1,
    /// Tests.
    Test = 2,
}

/// What to make.
#[derive(Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub uid: [u8; 16],
    /// Its name; the last segment is the public part of its text.
    pub name: KeyName,
    /// What it is for.
    pub environment: Environment,
    /// What people call it.
    pub display_name: String,
    /// The models it may ask for; empty means: all of the organization.
    pub models: Vec<ModelName>,
    /// When it stops working; `None` means: never.
    pub expires_at: Option<OffsetDateTime>,
    /// What else it is held to.
    pub scope: Scope,
    /// What operators sort it by.
    pub labels: Vec<(String, String)>,
    /// Whether it is switched off for now.
    pub disabled: bool,
    /// Whose it is; `None` means: no service account's.
    pub service_account: Option<ServiceAccountName>,
    /// Whether its text was minted elsewhere.
    pub imported: bool,
    /// Its secret.
    pub secret: Secret,
}

/// A key as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub uid: [u8; 16],
    /// Its name.
    pub name: KeyName,
    /// What it is for.
    pub environment: Environment,
    /// What people call it. Can change.
    pub display_name: String,
    /// The models it may ask for; empty means: all of the organization. Can change.
    pub models: Vec<ModelName>,
    /// When it stops working; `None` means: never. Can change.
    pub expires_at: Option<OffsetDateTime>,
    /// What else it is held to. Can change.
    pub scope: Scope,
    /// What operators sort it by. Can change.
    pub labels: Vec<(String, String)>,
    /// Whether it is switched off for now. Can change.
    pub disabled: bool,
    /// Whose it is; `None` means: no service account's. Can change.
    pub service_account: Option<ServiceAccountName>,
    /// Whether that account is switched off, and the key with it.
    pub account_disabled: bool,
    /// Whether its text was minted elsewhere.
    pub imported: bool,
    /// When it was revoked; `None` while it is not.
    pub revoked_at: Option<OffsetDateTime>,
    /// When its secret was made.
    pub secret_created_at: OffsetDateTime,
    /// Until when the secret before this one works; `None` when there is none.
    pub previous_expires_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    pub used_at: Option<OffsetDateTime>,
    /// When the secret before this one was last used, to the minute.
    pub previous_used_at: Option<OffsetDateTime>,
    /// Counts its writes.
    pub version: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
    /// The revision of its last committed write; zero when there is none.
    pub revision: Revision,
}

/// Reads one.
pub async fn get(store: &Store, name: &KeyName) -> Result<Row, StoreError> {
    read(&mut *store.connection().await?, name).await
}

/// Reads a page.
pub async fn list(
    store: &Store,
    parent: &ProjectName,
    page: &Page,
) -> Result<Listed<Row>, StoreError> {
    let mut connection = store.connection().await?;
    let (project, _) = named::project(&mut connection, parent).await?;
    // Kind 7 is `policy::object::Kind::Key`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.key_id, it.environment, it.display_name,
                  ARRAY(SELECT model.name FROM key_model JOIN model ON model.id = key_model.model
                        WHERE key_model.key = it.id ORDER BY model.name) AS "models!",
                  it.expires_at, it.revoked_at, it.version, it.created_at, it.updated_at,
                  it.secret_created_at, it.previous_expires_at, it.model_patterns, it.endpoints,
                  ARRAY(SELECT provider.name FROM key_provider
                        JOIN provider ON provider.id = key_provider.provider
                        WHERE key_provider.key = it.id ORDER BY provider.name) AS "providers!",
                  it.regions, it.ip_ranges, it.request_tokens_max, it.label_names, it.label_values,
                  it.disabled, it.imported,
                  account.name AS "service_account?", account.disabled AS "account_disabled?",
                  key_use.used_at AS "used_at?", key_use.previous_used_at,
                  coalesce(o.revision, 0) AS "revision!"
           FROM key it
           LEFT JOIN object o ON o.kind = 7 AND o.key = convert_to(it.key_id, 'UTF8')
           LEFT JOIN key_use ON key_use.key_id = it.key_id
           LEFT JOIN service_account account ON account.id = it.service_account
           WHERE it.project = $1 AND it.key_id > $2 ORDER BY it.key_id LIMIT $3"#,
        uuid(*project.as_bytes()),
        page.after,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *connection)
    .await?;
    let rows = columns
        .into_iter()
        .map(|it| row(it, parent))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(list::cut(rows, page, |row| row.name.key.as_str()))
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let (project, _) = named::project(write.connection(), &parent).await?;
    sqlx::query!(
        r#"INSERT INTO key (id, key_id, project, environment, display_name, secret_sha256, tag,
                            pepper_version, expires_at, imported)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"#,
        uuid(new.uid),
        new.name.key.as_str(),
        uuid(*project.as_bytes()),
        new.environment as i16,
        new.display_name,
        new.secret.sha256_sealed,
        new.secret.tag.as_slice(),
        column::read(
            i32::try_from(new.secret.pepper_version),
            "key.pepper_version"
        )?,
        new.expires_at,
        new.imported,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &parent))?;
    key_models::set(write.connection(), new.uid, &new.models).await?;
    let held = (&new.scope, new.labels.as_slice(), new.disabled);
    key_scope::set(write.connection(), new.uid, held).await?;
    key_account::set(write.connection(), new.uid, new.service_account.as_ref()).await?;
    written(write, &new.name).await
}

/// Reads one and keeps others from writing it until this write ends. `etag` must be that of the state that
/// stands, or empty.
pub async fn lock(write: &mut Write, name: &KeyName, etag: &str) -> Result<Row, StoreError> {
    let key = sqlx::query_scalar!(
        r#"SELECT it.id FROM key it
           JOIN project ON project.id = it.project
           JOIN organization ON organization.id = project.organization
           WHERE organization.name = $1 AND project.name = $2 AND it.key_id = $3 FOR UPDATE OF it"#,
        name.organization.as_str(),
        name.project.as_str(),
        name.key.as_str(),
    )
    .fetch_optional(write.connection())
    .await?;
    if let Some(key) = key {
        key_account::hold(write.connection(), key).await?;
    }
    let row = read(write.connection(), name).await?;
    conflict::check_etag(etag, &row.etag(), name)?;
    Ok(row)
}

/// Writes what can change of a row that is locked.
pub async fn update(write: &mut Write, row: &Row) -> Result<Row, StoreError> {
    let changed = sqlx::query!(
        r#"UPDATE key SET display_name = $2, expires_at = $3, version = version + 1,
               updated_at = now()
           WHERE id = $1 AND revoked_at IS NULL"#,
        uuid(row.uid),
        row.display_name,
        row.expires_at,
    )
    .execute(write.connection())
    .await?;
    if changed.rows_affected() == 0 {
        return Err(conflict::blocked(&row.name, Obstacle::IsRevoked));
    }
    key_models::set(write.connection(), row.uid, &row.models).await?;
    let held = (&row.scope, row.labels.as_slice(), row.disabled);
    key_scope::set(write.connection(), row.uid, held).await?;
    key_account::set(write.connection(), row.uid, row.service_account.as_ref()).await?;
    written(write, &row.name).await
}

/// Revokes one, for ever, and perhaps cuts what is still coming to its requests. Of one that is revoked that alone is
/// done.
pub async fn revoke(
    write: &mut Write,
    name: &KeyName,
    cut_streams: bool,
) -> Result<Row, StoreError> {
    let row = lock(write, name, "").await?;
    if row.revoked_at.is_some() {
        if cut_streams {
            write.revoke(name.key.as_str(), true);
        }
        return Ok(row);
    }
    sqlx::query!(
        r#"UPDATE key SET revoked_at = now(), version = version + 1, updated_at = now()
           WHERE id = $1"#,
        uuid(row.uid),
    )
    .execute(write.connection())
    .await?;
    write.revoke(name.key.as_str(), cut_streams);
    read(write.connection(), name).await
}

/// Deletes one that is revoked.
pub async fn delete(write: &mut Write, name: &KeyName, etag: &str) -> Result<(), StoreError> {
    let row = lock(write, name, etag).await?;
    if row.revoked_at.is_none() {
        return Err(conflict::blocked(name, Obstacle::IsNotRevoked));
    }
    sqlx::query!("DELETE FROM key WHERE id = $1", uuid(row.uid))
        .execute(write.connection())
        .await
        .map_err(|why| conflict::on_delete(why, name))?;
    write.forget(Kind::Key, name.key.as_str().as_bytes());
    Ok(())
}

async fn read(connection: &mut PgConnection, name: &KeyName) -> Result<Row, StoreError> {
    // Kind 7 is `policy::object::Kind::Key`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.key_id, it.environment, it.display_name,
                  ARRAY(SELECT model.name FROM key_model JOIN model ON model.id = key_model.model
                        WHERE key_model.key = it.id ORDER BY model.name) AS "models!",
                  it.expires_at, it.revoked_at, it.version, it.created_at, it.updated_at,
                  it.secret_created_at, it.previous_expires_at, it.model_patterns, it.endpoints,
                  ARRAY(SELECT provider.name FROM key_provider
                        JOIN provider ON provider.id = key_provider.provider
                        WHERE key_provider.key = it.id ORDER BY provider.name) AS "providers!",
                  it.regions, it.ip_ranges, it.request_tokens_max, it.label_names, it.label_values,
                  it.disabled, it.imported,
                  account.name AS "service_account?", account.disabled AS "account_disabled?",
                  key_use.used_at AS "used_at?", key_use.previous_used_at,
                  coalesce(o.revision, 0) AS "revision!"
           FROM key it
           JOIN project ON project.id = it.project
           JOIN organization ON organization.id = project.organization
           LEFT JOIN object o ON o.kind = 7 AND o.key = convert_to(it.key_id, 'UTF8')
           LEFT JOIN key_use ON key_use.key_id = it.key_id
           LEFT JOIN service_account account ON account.id = it.service_account
           WHERE organization.name = $1 AND project.name = $2 AND it.key_id = $3"#,
        name.organization.as_str(),
        name.project.as_str(),
        name.key.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    row(columns, &name.parent())
}

/// Publishes the row as it is now.
pub(crate) async fn written(write: &mut Write, name: &KeyName) -> Result<Row, StoreError> {
    let row = read(write.connection(), name).await?;
    let object = key_object::of(write.connection(), name).await?;
    write.put(
        Object::Key(object),
        Audience::only(row.scope.regions.clone()),
    );
    Ok(row)
}

// === impl Row ===

impl Row {
    /// Which state this is.
    pub fn etag(&self) -> String {
        etag(&self.uid, self.version)
    }
}

/// The row that the columns hold, of a key in `parent`.
pub(crate) fn row(columns: Columns, parent: &ProjectName) -> Result<Row, StoreError> {
    let ProjectName {
        organization,
        project,
    } = parent.clone();
    let model = |text: &String| {
        let model = column::read(ModelSlug::parse(text), "model.name")?;
        Ok(ModelName {
            organization: organization.clone(),
            model,
        })
    };
    let models = columns.models.iter().map(model);
    let models = models.collect::<Result<_, StoreError>>()?;
    let scope = key_scope::read(&columns, &organization)?;
    let environment = [Environment::Live, Environment::Test];
    let environment = environment
        .into_iter()
        .find(|it| *it as i16 == columns.environment);
    let key = column::read(KeyId::parse(&columns.key_id), "key.key_id")?;
    let account = columns.service_account.as_deref();
    let account = account.map(|text| column::read(Slug::parse(text), "service_account.name"));
    let account = account
        .transpose()?
        .map(|service_account| ServiceAccountName {
            organization: organization.clone(),
            project: project.clone(),
            service_account,
        });
    Ok(Row {
        uid: columns.id.into_bytes(),
        name: KeyName {
            organization,
            project,
            key,
        },
        environment: column::known(environment, "key.environment")?,
        display_name: columns.display_name,
        models,
        expires_at: columns.expires_at,
        scope,
        labels: columns
            .label_names
            .into_iter()
            .zip(columns.label_values)
            .collect(),
        disabled: columns.disabled,
        service_account: account,
        account_disabled: columns.account_disabled.unwrap_or(false),
        imported: columns.imported,
        revoked_at: columns.revoked_at,
        secret_created_at: columns.secret_created_at,
        previous_expires_at: columns.previous_expires_at,
        used_at: columns.used_at,
        previous_used_at: columns.previous_used_at,
        version: columns.version,
        created_at: columns.created_at,
        updated_at: columns.updated_at,
        revision: column::revision(columns.revision),
    })
}
