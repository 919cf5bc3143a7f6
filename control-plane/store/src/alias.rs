//! Aliases: other names of models. Edges hear of them with the model, which is published anew with each write of one.

use domain::{
    alias::Follows,
    etag::etag,
    name::{ModelAliasName, ModelName, OrganizationName, VersionName},
    page::Page,
    segment::{ModelSlug, Slug},
};
use policy::{alias::ALIASES_MAX, id::ModelId, revision::Revision};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    alias_policy, column, conflict,
    error::{Obstacle, StoreError},
    id::uuid,
    list::{self, Listed},
    model, named,
    store::Store,
    write::Write,
};

/// The fields that name others, for errors.
const MODEL: &str = "model_alias.model";
const VERSION: &str = "model_alias.version_id";

/// What to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: [u8; 16],
    /// Its name.
    pub name: ModelAliasName,
    /// For which model it stands.
    pub model: ModelName,
    /// What of that serves.
    pub follows: Follows,
}

/// An alias as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: [u8; 16],
    /// Its name.
    pub name: ModelAliasName,
    /// For which model it stands. Can change.
    pub model: ModelName,
    /// What of that serves. Can change.
    pub follows: Follows,
    /// The version that serves now; `None` where that is whatever the model serves.
    pub serves: Option<VersionName>,
    /// Counts its writes.
    pub version: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
    /// The revision of the last committed write of its model; zero when there is none.
    pub revision: Revision,
}

struct Columns {
    id: Uuid,
    name: String,
    model: String,
    follows: i16,
    serves: Option<String>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    revision: i64,
}

/// Reads one.
pub async fn get(store: &Store, name: &ModelAliasName) -> Result<Row, StoreError> {
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
    // Kind 4 is `policy::object::Kind::Model`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, model.name AS model, it.follows, serves.name AS "serves?",
                  it.version, it.created_at, it.updated_at, coalesce(o.revision, 0) AS "revision!"
           FROM model_alias it
           JOIN model ON model.id = it.model
           LEFT JOIN LATERAL (
               SELECT version.name FROM model_version version
               WHERE version.model = it.model AND (it.follows = 2 OR version.id = it.pinned)
               ORDER BY version.deprecated_at IS NOT NULL, version.created_at DESC, version.id DESC LIMIT 1
           ) serves ON it.follows <> 1
           LEFT JOIN object o ON o.kind = 4 AND o.key = uuid_send(it.model)
           WHERE it.organization = $1 AND it.name > $2 ORDER BY it.name LIMIT $3"#,
        organization,
        page.after,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *connection)
    .await?;
    let rows = columns.into_iter().map(|it| it.row(parent));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(list::cut(rows, page, |row| row.name.model_alias.as_str()))
}

/// Makes one. Neither a model nor another alias of the organization may have its name.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let organization = named::organization(write.connection(), &parent).await?;
    alias_policy::hold_names(write.connection(), organization).await?;
    alias_policy::is_free_of_models(write.connection(), organization, &new.name).await?;
    let model = stood_for(write.connection(), &new.model).await?;
    let pinned = pinned(write.connection(), (&new.model, model), &new.follows).await?;
    sqlx::query!(
        r#"INSERT INTO model_alias (id, organization, name, model, follows, pinned)
           VALUES ($1, $2, $3, $4, $5, $6)"#,
        uuid(new.id),
        organization,
        new.name.model_alias.as_str(),
        uuid(*model.as_bytes()),
        i16::from(new.follows.number()),
        pinned,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &parent))?;
    let stand = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM model_alias WHERE organization = $1"#,
        organization,
    )
    .fetch_one(write.connection())
    .await?;
    if column::count(stand) > ALIASES_MAX as u64 {
        return Err(conflict::blocked(&parent, Obstacle::HasManyAliases));
    }
    model::publish(write, &new.model).await?;
    read(write.connection(), &new.name).await
}

/// Reads one and keeps others from writing it until this write ends. `etag` must be that of the state that stands, or empty.
pub async fn lock(write: &mut Write, name: &ModelAliasName, etag: &str) -> Result<Row, StoreError> {
    sqlx::query!(
        r#"SELECT it.id FROM model_alias it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2 FOR UPDATE OF it"#,
        name.organization.as_str(),
        name.model_alias.as_str(),
    )
    .fetch_optional(write.connection())
    .await?;
    let row = read(write.connection(), name).await?;
    conflict::check_etag(etag, &row.etag(), name)?;
    Ok(row)
}

/// Makes one that is locked stand for something else.
pub async fn update(
    write: &mut Write,
    row: &Row,
    (to, follows): (&ModelName, &Follows),
) -> Result<Row, StoreError> {
    // Both models, always in one order, so that two writes that swap them do not wait for each other.
    let mut models = [&row.model, to];
    models.sort_by_key(|it| it.model.as_str());
    for model in models {
        stood_for(write.connection(), model).await?;
    }
    let model = stood_for(write.connection(), to).await?;
    let pinned = pinned(write.connection(), (to, model), follows).await?;
    sqlx::query!(
        r#"UPDATE model_alias SET model = $2, follows = $3, pinned = $4, version = version + 1, updated_at = now()
           WHERE id = $1"#,
        uuid(row.id),
        uuid(*model.as_bytes()),
        i16::from(follows.number()),
        pinned,
    )
    .execute(write.connection())
    .await?;
    // The one that gets it first, so that its name is never nobody's.
    model::publish(write, to).await?;
    if row.model != *to {
        model::publish(write, &row.model).await?;
    }
    read(write.connection(), &row.name).await
}

/// Deletes one that is locked.
pub async fn delete(write: &mut Write, row: &Row) -> Result<(), StoreError> {
    stood_for(write.connection(), &row.model).await?;
    sqlx::query!("DELETE FROM model_alias WHERE id = $1", uuid(row.id))
        .execute(write.connection())
        .await?;
    model::publish(write, &row.model).await
}

/// The model, which nobody else publishes until this write ends.
async fn stood_for(connection: &mut PgConnection, name: &ModelName) -> Result<ModelId, StoreError> {
    let model = named::model(&mut *connection, name).await?;
    let model = model.ok_or_else(|| conflict::dangling(MODEL, name))?;
    alias_policy::hold_model(connection, model).await?;
    Ok(model)
}

/// The version that is pinned, if one is.
async fn pinned(
    connection: &mut PgConnection,
    (name, model): (&ModelName, ModelId),
    follows: &Follows,
) -> Result<Option<Uuid>, StoreError> {
    let Some(version) = follows.pinned() else {
        return Ok(None);
    };
    // It stays until this write ends, so that it can be referred to.
    let found = sqlx::query_scalar!(
        "SELECT id FROM model_version WHERE model = $1 AND name = $2 FOR KEY SHARE",
        uuid(*model.as_bytes()),
        version.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    let named = VersionName {
        organization: name.organization.clone(),
        model: name.model.clone(),
        version: version.clone(),
    };
    found
        .map(Some)
        .ok_or_else(|| conflict::dangling(VERSION, &named))
}

async fn read(connection: &mut PgConnection, name: &ModelAliasName) -> Result<Row, StoreError> {
    // Kind 4 is `policy::object::Kind::Model`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, model.name AS model, it.follows, serves.name AS "serves?",
                  it.version, it.created_at, it.updated_at, coalesce(o.revision, 0) AS "revision!"
           FROM model_alias it
           JOIN organization ON organization.id = it.organization
           JOIN model ON model.id = it.model
           LEFT JOIN LATERAL (
               SELECT version.name FROM model_version version
               WHERE version.model = it.model AND (it.follows = 2 OR version.id = it.pinned)
               ORDER BY version.deprecated_at IS NOT NULL, version.created_at DESC, version.id DESC LIMIT 1
           ) serves ON it.follows <> 1
           LEFT JOIN object o ON o.kind = 4 AND o.key = uuid_send(it.model)
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.model_alias.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    columns.row(&name.parent())
}

// === impl Row ===

impl Row {
    /// Which state this is.
    pub fn etag(&self) -> String {
        etag(&self.id, self.version)
    }
}

// === impl Columns ===

impl Columns {
    fn row(self, parent: &OrganizationName) -> Result<Row, StoreError> {
        let organization = parent.organization.clone();
        let name = column::read(ModelSlug::parse(&self.name), "model_alias.name")?;
        let model = ModelName {
            model: column::read(ModelSlug::parse(&self.model), "model.name")?,
            organization: organization.clone(),
        };
        let serves = self.serves.as_deref().map(Slug::parse).transpose();
        let serves = column::read(serves, "model_version.name")?;
        let follows = match (self.follows, &serves) {
            (1, _) => Some(Follows::Model),
            (2, _) => Some(Follows::Newest),
            (3, Some(version)) => Some(Follows::Pinned(version.clone())),
            _ => None,
        };
        let serves = serves.map(|version| VersionName {
            organization: organization.clone(),
            model: model.model.clone(),
            version,
        });
        Ok(Row {
            id: self.id.into_bytes(),
            name: ModelAliasName {
                organization,
                model_alias: name,
            },
            model,
            follows: column::known(follows, "model_alias.follows")?,
            serves,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            revision: column::revision(self.revision),
        })
    }
}
