//! Models: public names, and the version that serves each.

use domain::{
    deprecation::Deprecation,
    etag::etag,
    model::Rule,
    name::{ModelName, OrganizationName, VersionName},
    page::Page,
    segment::{ModelSlug, Slug},
};
use policy::{
    id::{ModelId, OrganizationId, RolloutId, VersionId},
    model::Model,
    object::{Kind, Object},
    region::Audience,
    revision::Revision,
    split::{Arm, Split, Sticky},
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    alias_policy, column, conflict, deprecation_columns,
    error::{Obstacle, StoreError},
    experiment_arm,
    id::uuid,
    list::{self, Listed},
    model_rule, named,
    publish::EDITS_MAX,
    shadow_policy,
    store::Store,
    write::Write,
};

/// The field that names the stable version, for errors.
const STABLE: &str = "model.stable_version";

/// What to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: ModelId,
    /// Its name.
    pub name: ModelName,
    /// What people call it.
    pub display_name: String,
    /// The version that serves it. A new model has none yet, so any is refused as not existing.
    pub stable: Option<VersionName>,
    /// When another version serves.
    pub rules: Vec<Rule>,
}

/// A model as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: ModelId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// Its name.
    pub name: ModelName,
    /// What people call it. Can change.
    pub display_name: String,
    /// The version that serves it; `None` means that it is not offered. Can change.
    pub stable: Option<VersionName>,
    /// When another version serves. Can change.
    pub rules: Vec<(Rule, VersionId)>,
    /// When it is no longer to be used, if that is known.
    pub deprecation: Option<Deprecation>,
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
    stable: Option<String>,
    deprecated_at: Option<OffsetDateTime>,
    sunset_at: Option<OffsetDateTime>,
    successor: String,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    revision: i64,
}

/// Reads one.
pub async fn get(store: &Store, name: &ModelName) -> Result<Row, StoreError> {
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
        r#"SELECT it.id, it.organization, it.name, it.display_name, stable.name AS "stable?",
                  it.deprecated_at, it.sunset_at, it.successor, it.version, it.created_at, it.updated_at, coalesce(o.revision, 0) AS "revision!"
           FROM model it
           LEFT JOIN model_version stable ON stable.id = it.stable
           LEFT JOIN object o ON o.kind = 4 AND o.key = uuid_send(it.id)
           WHERE it.organization = $1 AND it.name > $2 ORDER BY it.name LIMIT $3"#,
        organization,
        page.after,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut rows = Vec::with_capacity(columns.len());
    for it in columns {
        let rules = model_rule::read(&mut connection, it.id, &parent.organization).await?;
        rows.push(it.row(parent, rules)?);
    }
    Ok(list::cut(rows, page, |row| row.name.model.as_str()))
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let organization = named::organization(write.connection(), &parent).await?;
    alias_policy::hold_names(write.connection(), organization).await?;
    alias_policy::is_free_of_aliases(write.connection(), organization, &new.name).await?;
    if let Some(stable) = &new.stable {
        return Err(conflict::dangling(STABLE, stable));
    }
    sqlx::query!(
        "INSERT INTO model (id, organization, name, display_name) VALUES ($1, $2, $3, $4)",
        uuid(*new.id.as_bytes()),
        organization,
        new.name.model.as_str(),
        new.display_name,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &parent))?;
    let id = uuid(*new.id.as_bytes());
    model_rule::write(write.connection(), id, &new.rules).await?;
    written(write, &new.name).await
}

/// Reads one and keeps others from writing it until this write ends. `etag` must be that of the state that
/// stands, or empty.
pub async fn lock(write: &mut Write, name: &ModelName, etag: &str) -> Result<Row, StoreError> {
    sqlx::query!(
        r#"SELECT it.id FROM model it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2 FOR UPDATE OF it"#,
        name.organization.as_str(),
        name.model.as_str(),
    )
    .fetch_optional(write.connection())
    .await?;
    let row = read(write.connection(), name).await?;
    conflict::check_etag(etag, &row.etag(), name)?;
    Ok(row)
}

/// Writes what can change of a row that is locked; `rules` are `None` where they stay.
pub async fn update(
    write: &mut Write,
    row: &Row,
    rules: Option<&[Rule]>,
) -> Result<Row, StoreError> {
    let id = uuid(*row.id.as_bytes());
    let stable = match &row.stable {
        None => None,
        Some(name) => {
            let found = sqlx::query_scalar!(
                "SELECT id FROM model_version WHERE model = $1 AND name = $2",
                id,
                name.version.as_str(),
            )
            .fetch_optional(write.connection())
            .await?;
            Some(found.ok_or_else(|| conflict::dangling(STABLE, name))?)
        }
    };
    let named = row
        .stable
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let blocked = sqlx::query_scalar!(
        r#"SELECT it.stable IS DISTINCT FROM $2 AS "blocked!" FROM model it WHERE it.id = $1"#,
        id,
        stable,
    )
    .fetch_one(write.connection())
    .await?;
    if blocked {
        not_shared(write.connection(), &row.name, id).await?;
    }
    sqlx::query!(
        r#"UPDATE model SET display_name = $2, stable = $3, version = version + 1, updated_at = now()
           WHERE id = $1"#,
        id,
        row.display_name,
        stable,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_reference(why, STABLE, &named))?;
    if let Some(rules) = rules {
        model_rule::write(write.connection(), id, rules).await?;
    }
    written(write, &row.name).await
}

/// Deletes one that no key and no alias names, and its versions, of which there must be fewer than 1,000.
pub async fn delete(write: &mut Write, name: &ModelName, etag: &str) -> Result<(), StoreError> {
    let row = lock(write, name, etag).await?;
    let id = uuid(*row.id.as_bytes());
    not_shared(write.connection(), name, id).await?;
    model_rule::write(write.connection(), id, &[]).await?;
    sqlx::query!("UPDATE model SET stable = NULL WHERE id = $1", id)
        .execute(write.connection())
        .await?;
    // One write takes as many, less the model itself.
    let versions = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!"
           FROM (SELECT FROM model_version WHERE model = $1 LIMIT $2) AS it"#,
        id,
        column::number(EDITS_MAX as u64),
    )
    .fetch_one(write.connection())
    .await?;
    if versions >= column::number(EDITS_MAX as u64) {
        return Err(conflict::blocked(name, Obstacle::HasManyVersions));
    }
    let versions = sqlx::query_scalar!(
        "DELETE FROM model_version WHERE model = $1 RETURNING id",
        id
    )
    .fetch_all(write.connection())
    .await
    .map_err(|why| conflict::on_delete(why, name))?;
    sqlx::query!("DELETE FROM model WHERE id = $1", id)
        .execute(write.connection())
        .await
        .map_err(|why| conflict::on_delete(why, name))?;
    // The model first: no edge shall see it with a version that is gone.
    write.forget(Kind::Model, row.id.as_bytes());
    for version in versions {
        write.forget(Kind::Version, version.as_bytes());
    }
    Ok(())
}

async fn read(connection: &mut PgConnection, name: &ModelName) -> Result<Row, StoreError> {
    // Kind 4 is `policy::object::Kind::Model`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.organization, it.name, it.display_name, stable.name AS "stable?",
                  it.deprecated_at, it.sunset_at, it.successor, it.version, it.created_at, it.updated_at, coalesce(o.revision, 0) AS "revision!"
           FROM model it
           JOIN organization ON organization.id = it.organization
           LEFT JOIN model_version stable ON stable.id = it.stable
           LEFT JOIN object o ON o.kind = 4 AND o.key = uuid_send(it.id)
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.model.as_str(),
    )
    .fetch_optional(&mut *connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    let rules = model_rule::read(connection, columns.id, &name.organization).await?;
    columns.row(&name.parent(), rules)
}

/// Refuses where a rollout or an experiment shares the model's traffic.
pub(crate) async fn not_shared(
    connection: &mut PgConnection,
    name: &ModelName,
    id: Uuid,
) -> Result<(), StoreError> {
    let shared = sqlx::query!(
        r#"SELECT EXISTS (SELECT FROM rollout WHERE model = $1 AND state < 3) AS "rollout!",
                  EXISTS (SELECT FROM experiment WHERE model = $1 AND state = 1) AS "experiment!""#,
        id,
    )
    .fetch_one(connection)
    .await?;
    if shared.rollout {
        return Err(conflict::blocked(name, Obstacle::HasRollout));
    }
    if shared.experiment {
        return Err(conflict::blocked(name, Obstacle::HasExperiment));
    }
    Ok(())
}

/// Publishes a model as it is now, after its rollout, experiment, shadow or one of its aliases has changed.
pub(crate) async fn publish(write: &mut Write, name: &ModelName) -> Result<(), StoreError> {
    written(write, name).await.map(drop)
}

/// How the model's traffic is shared while it has a rollout or an experiment under way.
async fn split(connection: &mut PgConnection, id: Uuid) -> Result<Option<Box<Split>>, StoreError> {
    match rolled(&mut *connection, id).await? {
        None => experiment_arm::split(connection, id).await,
        rolled => Ok(rolled),
    }
}

async fn rolled(connection: &mut PgConnection, id: Uuid) -> Result<Option<Box<Split>>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT id, candidate, stickiness, shares[step + 1] AS "share!"
           FROM rollout WHERE model = $1 AND state < 3"#,
        id,
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let sticky = u8::try_from(row.stickiness).ok();
    let sticky = sticky.and_then(Sticky::from_number);
    let arm = Arm {
        version: VersionId::from_bytes(row.candidate.into_bytes()),
        basis_points: column::read(u16::try_from(row.share), "rollout.shares")?,
    };
    let rollout = RolloutId::from_bytes(row.id.into_bytes());
    let sticky = column::known(sticky, "rollout.stickiness")?;
    let split = column::read(Split::new(rollout, sticky, vec![arm]), "rollout.shares")?;
    Ok(Some(Box::new(split)))
}

/// Publishes the row as it is now.
pub(crate) async fn written(write: &mut Write, name: &ModelName) -> Result<Row, StoreError> {
    let row = read(write.connection(), name).await?;
    let id = uuid(*row.id.as_bytes());
    let stable = sqlx::query_scalar!("SELECT stable FROM model WHERE id = $1", id)
        .fetch_one(write.connection())
        .await?;
    let object = Model {
        id: row.id,
        organization: row.organization,
        name: row.name.model.to_string(),
        stable: stable.map(|id| VersionId::from_bytes(id.into_bytes())),
        created_seconds: column::count(row.created_at.unix_timestamp()),
        split: split(write.connection(), id).await?,
        rules: model_rule::policy(&row.rules),
        shadow: shadow_policy::of(write.connection(), id).await?,
        endings: deprecation_columns::endings(write.connection(), id, row.deprecation.as_ref())
            .await?,
        aliases: alias_policy::of(write.connection(), id).await?,
        alias: None,
    };
    write.put(Object::Model(object), Audience::everywhere());
    Ok(row)
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
    fn row(
        self,
        parent: &OrganizationName,
        rules: Vec<(Rule, VersionId)>,
    ) -> Result<Row, StoreError> {
        let organization = parent.organization.clone();
        let model = column::read(ModelSlug::parse(&self.name), "model.name")?;
        let name = ModelName {
            organization,
            model,
        };
        let stable = match self.stable {
            None => None,
            Some(text) => {
                let version = column::read(Slug::parse(&text), "model_version.name")?;
                let ModelName {
                    organization,
                    model,
                } = name.clone();
                Some(VersionName {
                    organization,
                    model,
                    version,
                })
            }
        };
        let deprecation =
            deprecation_columns::read(self.deprecated_at, self.sunset_at, &self.successor)?;
        Ok(Row {
            deprecation,
            id: ModelId::from_bytes(self.id.into_bytes()),
            organization: OrganizationId::from_bytes(self.organization.into_bytes()),
            name,
            display_name: self.display_name,
            stable,
            rules,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            revision: column::revision(self.revision),
        })
    }
}
