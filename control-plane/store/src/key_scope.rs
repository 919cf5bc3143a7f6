//! What a key is held to beside the models that it names, its labels and its switch.
//!
//! The providers are rows, so that the database keeps a provider that a key names.

use domain::{key_scope::Scope, name::ProviderName, segment::Slug};
use policy::{glob::Glob, id::ProviderId, scope};
use sqlx::PgConnection;

use crate::{column, conflict, error::StoreError, id::uuid, key_columns::Columns, named};

/// Holds the key to this and nothing else.
pub(crate) async fn set(
    connection: &mut PgConnection,
    key: [u8; 16],
    (scope, labels, disabled): (&Scope, &[(String, String)], bool),
) -> Result<(), StoreError> {
    let patterns: Vec<String> = scope.models.iter().map(ToString::to_string).collect();
    let (names, values): (Vec<String>, Vec<String>) = labels.iter().cloned().unzip();
    sqlx::query!(
        r#"UPDATE key SET model_patterns = $2, endpoints = $3, regions = $4, ip_ranges = $5,
               request_tokens_max = $6, label_names = $7, label_values = $8, disabled = $9
           WHERE id = $1"#,
        uuid(key),
        &patterns,
        &scope.endpoints,
        &column::texts(&scope.regions),
        &scope.ranges,
        scope.request_tokens_max.map(column::number),
        &names,
        &values,
        disabled,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("DELETE FROM key_provider WHERE key = $1", uuid(key))
        .execute(&mut *connection)
        .await?;
    for (at, name) in scope.providers.iter().enumerate() {
        let field = format!("key.providers[{at}]");
        let provider = named::provider(connection, name).await?;
        let provider = provider.ok_or_else(|| conflict::dangling(&field, name))?;
        sqlx::query!(
            "INSERT INTO key_provider (key, provider) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            uuid(key),
            uuid(*provider.as_bytes()),
        )
        .execute(&mut *connection)
        .await
        .map_err(|why| conflict::on_reference(why, &field, name))?;
    }
    Ok(())
}

/// What a key of this organization is held to, from its columns.
pub(crate) fn read(columns: &Columns, organization: &Slug) -> Result<Scope, StoreError> {
    let provider = |text: &String| {
        Ok(ProviderName {
            organization: organization.clone(),
            provider: column::read(Slug::parse(text), "provider.name")?,
        })
    };
    let providers = columns.providers.iter().map(provider);
    Ok(Scope {
        models: globs(&columns.model_patterns)?,
        endpoints: columns.endpoints.clone(),
        providers: providers.collect::<Result<_, StoreError>>()?,
        regions: column::regions(&columns.regions)?,
        ranges: columns.ip_ranges.clone(),
        request_tokens_max: columns.request_tokens_max.map(column::count),
    })
}

/// The same as edges are told of it; `None` when nothing is held back.
pub(crate) async fn object(
    connection: &mut PgConnection,
    key_id: &str,
) -> Result<Option<Box<scope::Scope>>, StoreError> {
    let kept = sqlx::query!(
        r#"SELECT model_patterns, endpoints, ip_ranges, request_tokens_max,
                  ARRAY(SELECT provider FROM key_provider WHERE key_provider.key = key.id)
                      AS "providers!"
           FROM key WHERE key_id = $1"#,
        key_id,
    )
    .fetch_one(connection)
    .await?;
    let providers = kept.providers.into_iter();
    let ranges = kept.ip_ranges.iter().map(|text| scope::range(text));
    let scope = scope::Scope {
        models: globs(&kept.model_patterns)?,
        endpoints: kept.endpoints,
        providers: providers
            .map(|id| ProviderId::from_bytes(id.into_bytes()))
            .collect(),
        ranges: column::known(ranges.collect(), "key.ip_ranges")?,
        request_tokens_max: kept.request_tokens_max.map(column::count),
        among: None,
    };
    Ok((scope != scope::Scope::default()).then(|| Box::new(scope)))
}

fn globs(texts: &[String]) -> Result<Vec<Glob>, StoreError> {
    let globs = texts
        .iter()
        .map(|text| column::read(Glob::parse(text), "key.model_patterns"));
    globs.collect()
}
