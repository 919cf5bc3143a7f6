//! Which keys are to be seen to: those that nobody uses, and those whose secret is old.
//!
//! Asks the database for candidates and tells of each when it is due; what that means now, its reader says.

use domain::{
    name::{OrganizationName, ProjectName},
    page::Page,
    segment::Slug,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    column,
    error::StoreError,
    key::{self, Row},
    key_columns::Columns,
    list::{self, Listed},
    named,
    store::Store,
};

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each arm is the name that its type documents")]
pub enum Parent {
    Organization(OrganizationName),
    Project(ProjectName),
}

/// A key that is to be seen to, or soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The key.
    pub key: Row,
    /// Whether nobody has used it since then.
    pub unused: bool,
    /// When its secret is to be replaced, by the project's rule.
    pub rotate_at: Option<OffsetDateTime>,
    /// From when that is told.
    pub warn_at: Option<OffsetDateTime>,
    /// When its secret stops working because of its age.
    pub too_old_at: Option<OffsetDateTime>,
}

struct Found {
    id: Uuid,
    key_id: String,
    environment: i16,
    display_name: String,
    models: Vec<String>,
    expires_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    secret_created_at: OffsetDateTime,
    previous_expires_at: Option<OffsetDateTime>,
    used_at: Option<OffsetDateTime>,
    previous_used_at: Option<OffsetDateTime>,
    model_patterns: Vec<String>,
    endpoints: Vec<String>,
    providers: Vec<String>,
    regions: Vec<String>,
    ip_ranges: Vec<String>,
    request_tokens_max: Option<i64>,
    label_names: Vec<String>,
    label_values: Vec<String>,
    disabled: bool,
    imported: bool,
    service_account: Option<String>,
    account_disabled: Option<bool>,
    revision: i64,
    project: String,
    unused: bool,
    rotate_at: Option<OffsetDateTime>,
    warn_at: Option<OffsetDateTime>,
    too_old_at: Option<OffsetDateTime>,
}

/// Reads a page of the keys of `parent` that work at `now`, and that nobody has used since `unused_since` or whose
/// secret has come to the time of a warning. A key that was never used counts from when it was made.
pub async fn list(
    store: &Store,
    parent: &Parent,
    (now, unused_since): (OffsetDateTime, OffsetDateTime),
    page: &Page,
) -> Result<Listed<Report>, StoreError> {
    let mut connection = store.connection().await?;
    let (organization, project) = match parent {
        Parent::Organization(name) => {
            named::organization(&mut connection, name).await?;
            (&name.organization, None)
        }
        Parent::Project(name) => {
            named::project(&mut connection, name).await?;
            (&name.organization, Some(name.project.as_str()))
        }
    };
    // Kind 7 is `policy::object::Kind::Key`.
    let rows = sqlx::query_as!(
        Found,
        r#"SELECT * FROM (
               SELECT it.id, it.key_id, it.environment, it.display_name,
                      ARRAY(SELECT model.name FROM key_model JOIN model ON model.id = key_model.model
                            WHERE key_model.key = it.id ORDER BY model.name) AS "models!",
                      it.expires_at, it.revoked_at, it.version, it.created_at, it.updated_at,
                      it.secret_created_at, it.previous_expires_at, it.model_patterns, it.endpoints,
                      ARRAY(SELECT provider.name FROM key_provider
                            JOIN provider ON provider.id = key_provider.provider
                            WHERE key_provider.key = it.id ORDER BY provider.name) AS "providers!",
                      it.regions, it.ip_ranges, it.request_tokens_max, it.label_names,
                      it.label_values, it.disabled, it.imported,
                      account.name AS "service_account?", account.disabled AS "account_disabled?",
                      key_use.used_at AS "used_at?", key_use.previous_used_at AS "previous_used_at?",
                      coalesce(o.revision, 0) AS "revision!", project.name AS project,
                      coalesce(key_use.used_at, it.created_at) <= $5 AS "unused!",
                      it.secret_created_at + project.rotation_period_ms * interval '1 millisecond'
                          AS rotate_at,
                      it.secret_created_at
                          + (coalesce(project.rotation_period_ms, project.rotation_age_max_ms)
                             - project.rotation_warn_before_ms) * interval '1 millisecond' AS warn_at,
                      it.secret_created_at + project.rotation_age_max_ms * interval '1 millisecond'
                          AS too_old_at
               FROM key it
               JOIN project ON project.id = it.project
               JOIN organization ON organization.id = project.organization
               LEFT JOIN object o ON o.kind = 7 AND o.key = convert_to(it.key_id, 'UTF8')
               LEFT JOIN key_use ON key_use.key_id = it.key_id
               LEFT JOIN service_account account ON account.id = it.service_account
               WHERE organization.name = $1 AND ($2::text IS NULL OR project.name = $2)
                   AND it.key_id > $3 AND it.revoked_at IS NULL
                   AND (it.expires_at IS NULL OR it.expires_at > $4)
           ) AS report
           WHERE "unused!" OR warn_at <= $4
           ORDER BY key_id LIMIT $6"#,
        organization.as_str(),
        project,
        page.after,
        now,
        unused_since,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *connection)
    .await?;
    let rows = rows.into_iter().map(|row| row.report(organization));
    let reports = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(list::cut(reports, page, |it| it.key.name.key.as_str()))
}

// === impl Found ===

impl Found {
    fn report(self, organization: &Slug) -> Result<Report, StoreError> {
        let parent = ProjectName {
            organization: organization.clone(),
            project: column::read(Slug::parse(&self.project), "project.name")?,
        };
        let columns = Columns {
            id: self.id,
            key_id: self.key_id,
            environment: self.environment,
            display_name: self.display_name,
            models: self.models,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            secret_created_at: self.secret_created_at,
            previous_expires_at: self.previous_expires_at,
            used_at: self.used_at,
            previous_used_at: self.previous_used_at,
            model_patterns: self.model_patterns,
            endpoints: self.endpoints,
            providers: self.providers,
            regions: self.regions,
            ip_ranges: self.ip_ranges,
            request_tokens_max: self.request_tokens_max,
            label_names: self.label_names,
            label_values: self.label_values,
            disabled: self.disabled,
            imported: self.imported,
            service_account: self.service_account,
            account_disabled: self.account_disabled,
            revision: self.revision,
        };
        Ok(Report {
            key: key::row(columns, &parent)?,
            unused: self.unused,
            rotate_at: self.rotate_at,
            warn_at: self.warn_at,
            too_old_at: self.too_old_at,
        })
    }
}
