//! An issuer as the database has it, and as it is read.

use domain::{
    issuer::Checked,
    key_scope::Scope,
    name::{IssuerName, ProjectName, ProviderName},
    segment::Slug,
};
use policy::{
    glob::Glob,
    issuer::{Algorithm, Mapping},
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{column, error::StoreError};

/// A row as the database has it.
pub(crate) struct Columns {
    pub(crate) id: Uuid,
    pub(crate) organization: Uuid,
    name: String,
    display_name: String,
    issuer_url: String,
    keys_url: String,
    audiences: Vec<String>,
    algorithms: Vec<String>,
    token_types: Vec<String>,
    leeway_ms: i64,
    project: Option<String>,
    project_expression: String,
    condition: String,
    end_user_expression: String,
    models_expression: String,
    request_tokens_max_expression: String,
    model_patterns: Vec<String>,
    endpoints: Vec<String>,
    providers: Vec<String>,
    ip_ranges: Vec<String>,
    request_tokens_max: Option<i64>,
    disabled: bool,
    pub(crate) version: i64,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) updated_at: OffsetDateTime,
    pub(crate) revision: i64,
}

/// The row with this name.
pub(crate) async fn one(
    connection: &mut PgConnection,
    name: &IssuerName,
) -> Result<Option<Columns>, StoreError> {
    // Kind 12 is `policy::object::Kind::Issuer`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.organization, it.name, it.display_name, it.issuer_url, it.keys_url,
                  ARRAY(SELECT audience FROM issuer_audience WHERE issuer = it.id ORDER BY position)
                      AS "audiences!",
                  it.algorithms, it.token_types, it.leeway_ms, project.name AS "project?",
                  it.project_expression, it.condition, it.end_user_expression, it.models_expression,
                  it.request_tokens_max_expression, it.model_patterns, it.endpoints,
                  ARRAY(SELECT provider.name FROM issuer_provider
                        JOIN provider ON provider.id = issuer_provider.provider
                        WHERE issuer_provider.issuer = it.id ORDER BY provider.name) AS "providers!",
                  it.ip_ranges, it.request_tokens_max, it.disabled, it.version, it.created_at,
                  it.updated_at, coalesce(o.revision, 0) AS "revision!"
           FROM issuer it
           JOIN organization ON organization.id = it.organization
           LEFT JOIN project ON project.id = it.project
           LEFT JOIN object o ON o.kind = 12 AND o.key = uuid_send(it.id)
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.issuer.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(columns)
}

/// The next rows of an organization after a name, at most so many.
pub(crate) async fn page(
    connection: &mut PgConnection,
    organization: Uuid,
    (after, wanted): (&str, i64),
) -> Result<Vec<Columns>, StoreError> {
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.organization, it.name, it.display_name, it.issuer_url, it.keys_url,
                  ARRAY(SELECT audience FROM issuer_audience WHERE issuer = it.id ORDER BY position)
                      AS "audiences!",
                  it.algorithms, it.token_types, it.leeway_ms, project.name AS "project?",
                  it.project_expression, it.condition, it.end_user_expression, it.models_expression,
                  it.request_tokens_max_expression, it.model_patterns, it.endpoints,
                  ARRAY(SELECT provider.name FROM issuer_provider
                        JOIN provider ON provider.id = issuer_provider.provider
                        WHERE issuer_provider.issuer = it.id ORDER BY provider.name) AS "providers!",
                  it.ip_ranges, it.request_tokens_max, it.disabled, it.version, it.created_at,
                  it.updated_at, coalesce(o.revision, 0) AS "revision!"
           FROM issuer it
           LEFT JOIN project ON project.id = it.project
           LEFT JOIN object o ON o.kind = 12 AND o.key = uuid_send(it.id)
           WHERE it.organization = $1 AND it.name > $2 ORDER BY it.name LIMIT $3"#,
        organization,
        after,
        wanted,
    )
    .fetch_all(connection)
    .await?;
    Ok(columns)
}

/// What an operator says of an issuer of this organization, and its name's last segment.
pub(crate) fn checked(it: &Columns, organization: &Slug) -> Result<(Checked, Slug), StoreError> {
    let project = |text: &String| {
        Ok::<_, StoreError>(ProjectName {
            organization: organization.clone(),
            project: column::read(Slug::parse(text), "project.name")?,
        })
    };
    let provider = |text: &String| {
        Ok(ProviderName {
            organization: organization.clone(),
            provider: column::read(Slug::parse(text), "provider.name")?,
        })
    };
    let algorithm = |name: &String| column::known(Algorithm::named(name), "issuer.algorithms");
    let glob = |text: &String| column::read(Glob::parse(text), "issuer.model_patterns");
    let checked = Checked {
        display_name: it.display_name.clone(),
        url: it.issuer_url.clone(),
        keys_url: it.keys_url.clone(),
        audiences: it.audiences.clone(),
        algorithms: it
            .algorithms
            .iter()
            .map(algorithm)
            .collect::<Result<_, _>>()?,
        types: it.token_types.clone(),
        leeway_ms: column::count(it.leeway_ms),
        project: it.project.as_ref().map(project).transpose()?,
        mapping: Mapping {
            condition: it.condition.clone(),
            project: it.project_expression.clone(),
            end_user: it.end_user_expression.clone(),
            models: it.models_expression.clone(),
            request_tokens_max: it.request_tokens_max_expression.clone(),
        },
        scope: Scope {
            models: it
                .model_patterns
                .iter()
                .map(glob)
                .collect::<Result<_, _>>()?,
            endpoints: it.endpoints.clone(),
            providers: it
                .providers
                .iter()
                .map(provider)
                .collect::<Result<_, StoreError>>()?,
            regions: Vec::new(),
            ranges: it.ip_ranges.clone(),
            request_tokens_max: it.request_tokens_max.map(column::count),
        },
        disabled: it.disabled,
    };
    Ok((checked, column::read(Slug::parse(&it.name), "issuer.name")?))
}
