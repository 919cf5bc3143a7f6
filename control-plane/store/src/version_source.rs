//! Sources of versions, as operators make, see and delete them. They never change but for what is known of them, which is written
//! elsewhere.

use domain::{
    etag::etag,
    name::{
        ModelName, OrganizationName, ProviderName, RolloutName, VersionName, VersionSourceName,
    },
    page::Page,
    rollout::Plan,
    segment::{ModelSlug, Slug},
    source::{Origin, Pattern, Terms},
};
use policy::split::Sticky;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    column, conflict,
    error::{Obstacle, StoreError},
    id::uuid,
    list::{self, Listed},
    named,
    rollout_columns::{PlanColumns, rollout_name},
    store::Store,
    write::Write,
};

/// The most sources of an organization.
const SOURCES_MAX: i64 = 50; // Full: another one is refused.

/// What to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: [u8; 16],
    /// Its name.
    pub name: VersionSourceName,
    /// What it is.
    pub terms: Terms,
    /// Whose certificates are believed there, as PEM; empty: those of the public authorities.
    pub ca_pem: String,
    /// What is presented there, sealed; `None`: nothing.
    pub credential_sealed: Option<Vec<u8>>,
    /// The rollout that is started to what is made, if one is.
    pub plan: Option<Plan>,
}

/// A source as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its id.
    pub id: [u8; 16],
    /// Its name.
    pub name: VersionSourceName,
    /// What it is.
    pub terms: Terms,
    /// Whose certificates are believed there, as PEM; empty: those of the public authorities.
    pub ca_pem: String,
    /// What is presented there, sealed; `None`: nothing.
    pub credential_sealed: Option<Vec<u8>>,
    /// The rollout that is started to what is made, if one is.
    pub plan: Option<Plan>,
    /// Where its provider stands.
    pub base_url: String,
    /// What is known of it.
    pub known: Known,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// What is known of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// When it was asked last.
    pub looked_at: Option<OffsetDateTime>,
    /// When it last said what it points at.
    pub answered_at: Option<OffsetDateTime>,
    /// Why nothing came of asking it last; empty where something did.
    pub problem: String,
    /// The digest of what it was found to point at last; empty before.
    pub digest: String,
    /// What the registry calls that.
    pub registry_version: String,
    /// What that became.
    pub version: Option<VersionName>,
    /// The version to which a rollout is still to be started.
    pub owed: Option<VersionName>,
    /// What keeps it from being started.
    pub owed_why: String,
    /// The rollout that was started last.
    pub rollout: Option<RolloutName>,
}

/// Which ones: each part that is `None` means any.
pub(crate) struct Which<'a> {
    pub(crate) id: Option<Uuid>,
    pub(crate) organization: Option<Uuid>,
    pub(crate) name: Option<&'a str>,
    /// Behind this name.
    pub(crate) after: &'a str,
    pub(crate) most: i64,
}

struct Columns {
    id: Uuid,
    organization: String,
    name: String,
    model: String,
    kind: i16,
    url: String,
    ca_pem: String,
    subject: String,
    within: String,
    username: String,
    credential_sealed: Option<Vec<u8>>,
    interval_ms: i64,
    provider: String,
    base_url: String,
    provider_model: String,
    label_names: Vec<String>,
    label_values: Vec<String>,
    stickiness: i16,
    shares: Vec<i32>,
    bakes_ms: Vec<i64>,
    samples: Vec<i64>,
    approvals: Vec<bool>,
    metrics: Vec<i32>,
    tolerances: Vec<i32>,
    margins: Vec<i32>,
    created_at: OffsetDateTime,
    looked_at: Option<OffsetDateTime>,
    answered_at: Option<OffsetDateTime>,
    problem: String,
    seen_digest: String,
    seen_version: String,
    version: Option<String>,
    owed: String,
    owed_why: String,
    rollout: String,
}

/// Reads one.
pub async fn get(store: &Store, name: &VersionSourceName) -> Result<Row, StoreError> {
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
    let which = Which {
        id: None,
        organization: Some(organization),
        name: None,
        after: &page.after,
        most: list::rows_wanted(page),
    };
    let rows = some(&mut connection, which).await?;
    Ok(list::cut(rows, page, |row| {
        row.name.version_source.as_str()
    }))
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let organization = named::organization(write.connection(), &parent).await?;
    let stand = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM version_source WHERE organization = $1"#,
        organization
    )
    .fetch_one(write.connection())
    .await?;
    if stand >= SOURCES_MAX {
        return Err(conflict::blocked(&parent, Obstacle::HasManySources));
    }
    insert(write, organization, &new).await?;
    read(write.connection(), &new.name).await
}

async fn insert(write: &mut Write, organization: Uuid, new: &New) -> Result<(), StoreError> {
    let terms = &new.terms;
    let field = "version_source.model";
    let model = named::model(write.connection(), &terms.model).await?;
    let model = model.ok_or_else(|| conflict::dangling(field, &terms.model))?;
    let field = "version_source.provider";
    let provider = named::provider(write.connection(), &terms.provider).await?;
    let provider = provider.ok_or_else(|| conflict::dangling(field, &terms.provider))?;
    let (kind, subject, within, username) = match &terms.origin {
        Origin::Mlflow {
            registered_model,
            alias,
            username,
        } => (1, registered_model, alias, username.as_str()),
        Origin::Kserve {
            namespace,
            inference_service,
        } => (2, inference_service, namespace, ""),
    };
    let (names, values): (Vec<String>, Vec<String>) = terms.labels.iter().cloned().unzip();
    let none = Plan {
        steps: Vec::new(),
        gates: Vec::new(),
        sticky: Sticky::EndUser,
    };
    let plan = PlanColumns::of(new.plan.as_ref().unwrap_or(&none));
    sqlx::query!(
        r#"INSERT INTO version_source (id, organization, name, model, kind, url, ca_pem, subject, within, username,
                                       credential_sealed, interval_ms, provider, provider_model,
                                       label_names, label_values, stickiness, shares, bakes_ms,
                                       samples, approvals, metrics, tolerances, margins)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
                   $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)"#,
        uuid(new.id),
        organization,
        new.name.version_source.as_str(),
        uuid(*model.as_bytes()),
        kind,
        terms.url,
        new.ca_pem,
        subject,
        within,
        username,
        new.credential_sealed.as_deref(),
        column::number(terms.interval_ms),
        uuid(*provider.as_bytes()),
        terms.provider_model.as_str(),
        &names,
        &values,
        plan.stickiness,
        &plan.shares,
        &plan.bakes_ms,
        &plan.samples,
        &plan.approvals,
        &plan.metrics,
        &plan.tolerances,
        &plan.margins,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &new.name.parent()))?;
    Ok(())
}

/// Deletes one, and tells what stood. `seen` must be its etag, or empty.
pub async fn delete(
    write: &mut Write,
    name: &VersionSourceName,
    seen: &str,
) -> Result<Row, StoreError> {
    let row = read(write.connection(), name).await?;
    conflict::check_etag(seen, &row.etag(), name)?;
    let gone = sqlx::query!("DELETE FROM version_source WHERE id = $1", uuid(row.id))
        .execute(write.connection())
        .await?;
    if gone.rows_affected() == 0 {
        return Err(conflict::missing(name));
    }
    Ok(row)
}

async fn read(connection: &mut PgConnection, name: &VersionSourceName) -> Result<Row, StoreError> {
    let organization = named::organization(&mut *connection, &name.parent()).await;
    let organization = organization.map_err(|why| match why {
        StoreError::NotFound { .. } => conflict::missing(name),
        why => why,
    })?;
    let which = Which {
        id: None,
        organization: Some(organization),
        name: Some(name.version_source.as_str()),
        after: "",
        most: 1,
    };
    let row = some(connection, which).await?.pop();
    row.ok_or_else(|| conflict::missing(name))
}

/// Those, in the order of their names.
pub(crate) async fn some(
    connection: &mut PgConnection,
    which: Which<'_>,
) -> Result<Vec<Row>, StoreError> {
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, organization.name AS organization, it.name, model.name AS model, it.kind, it.url, it.ca_pem,
                  it.subject, it.within, it.username, it.credential_sealed, it.interval_ms,
                  provider.name AS provider, provider.base_url, it.provider_model,
                  it.label_names, it.label_values, it.stickiness, it.shares, it.bakes_ms,
                  it.samples, it.approvals, it.metrics, it.tolerances, it.margins, it.created_at,
                  it.looked_at, it.answered_at, it.problem, it.seen_digest, it.seen_version,
                  made.version AS "version?", it.owed, it.owed_why, it.rollout
           FROM version_source it
           JOIN organization ON organization.id = it.organization
           JOIN model ON model.id = it.model
           JOIN provider ON provider.id = it.provider
           LEFT JOIN version_source_made made ON made.source = it.id AND made.digest = it.seen_digest
           WHERE ($1::uuid IS NULL OR it.id = $1) AND ($2::uuid IS NULL OR it.organization = $2)
             AND ($3::text IS NULL OR it.name = $3) AND it.name > $4
           ORDER BY it.name LIMIT $5"#,
        which.id,
        which.organization,
        which.name,
        which.after,
        which.most,
    )
    .fetch_all(connection)
    .await?;
    columns.into_iter().map(Columns::row).collect()
}

// === impl Row ===

impl Row {
    /// Which one this is. What is known of it makes it no other.
    pub fn etag(&self) -> String {
        etag(&self.id, 1)
    }
}

// === impl Columns ===

impl Columns {
    fn row(self) -> Result<Row, StoreError> {
        let organization = Slug::parse(&self.organization);
        let organization = column::read(organization, "organization.name")?;
        let slug = column::read(Slug::parse(&self.name), "version_source.name")?;
        let model = ModelName {
            organization: organization.clone(),
            model: column::read(ModelSlug::parse(&self.model), "model.name")?,
        };
        let provider = ProviderName {
            organization: organization.clone(),
            provider: column::read(Slug::parse(&self.provider), "provider.name")?,
        };
        let pattern = Pattern::parse(&self.provider_model);
        let labels = self
            .label_names
            .iter()
            .cloned()
            .zip(self.label_values.iter().cloned());
        Ok(Row {
            id: self.id.into_bytes(),
            name: VersionSourceName {
                organization,
                version_source: slug,
            },
            terms: Terms {
                url: self.url.clone(),
                origin: self.origin()?,
                interval_ms: column::count(self.interval_ms),
                provider,
                provider_model: column::read(pattern, "version_source.provider_model")?,
                labels: labels.collect(),
                model: model.clone(),
            },
            plan: self.plan()?,
            known: self.known(&model)?,
            ca_pem: self.ca_pem,
            credential_sealed: self.credential_sealed,
            base_url: self.base_url,
            created_at: self.created_at,
        })
    }

    fn origin(&self) -> Result<Origin, StoreError> {
        let (subject, within) = (self.subject.clone(), self.within.clone());
        let origin = match self.kind {
            1 => Some(Origin::Mlflow {
                registered_model: subject,
                alias: within,
                username: self.username.clone(),
            }),
            2 => Some(Origin::Kserve {
                namespace: within,
                inference_service: subject,
            }),
            _ => None,
        };
        column::known(origin, "version_source.kind")
    }

    fn plan(&self) -> Result<Option<Plan>, StoreError> {
        if self.shares.is_empty() {
            return Ok(None);
        }
        let columns = PlanColumns {
            stickiness: self.stickiness,
            shares: self.shares.clone(),
            bakes_ms: self.bakes_ms.clone(),
            samples: self.samples.clone(),
            approvals: self.approvals.clone(),
            metrics: self.metrics.clone(),
            tolerances: self.tolerances.clone(),
            margins: self.margins.clone(),
        };
        columns.plan().map(Some)
    }

    fn known(&self, model: &ModelName) -> Result<Known, StoreError> {
        let slug = |text: &str| match text {
            "" => Ok(None),
            text => column::read(Slug::parse(text), "version_source.owed").map(Some),
        };
        let version = |version: Slug| VersionName {
            organization: model.organization.clone(),
            model: model.model.clone(),
            version,
        };
        let made = slug(self.version.as_deref().unwrap_or_default())?;
        Ok(Known {
            looked_at: self.looked_at,
            answered_at: self.answered_at,
            problem: self.problem.clone(),
            digest: self.seen_digest.clone(),
            registry_version: self.seen_version.clone(),
            version: made.map(version),
            owed: slug(&self.owed)?.map(version),
            owed_why: self.owed_why.clone(),
            rollout: slug(&self.rollout)?.map(|it| rollout_name(model, it)),
        })
    }
}
