//! The rules of models: conditions on requests, and the version that serves when one is true.
//!
//! Written anew as a whole with their model; knows nothing of what a condition means.

use domain::{
    model::Rule,
    name::{ModelName, VersionName},
    segment::{ModelSlug, Slug},
};
use policy::{id::VersionId, model::ModelRule};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{column, conflict, error::StoreError};

/// The rules of a model, and the ids of their versions.
pub(crate) async fn read(
    connection: &mut PgConnection,
    model: Uuid,
    organization: &Slug,
) -> Result<Vec<(Rule, VersionId)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT rule.condition, rule.version, version.name, model.name AS model
           FROM model_rule rule
           JOIN model_version version ON version.id = rule.version
           JOIN model ON model.id = version.model
           WHERE rule.model = $1 ORDER BY rule.place"#,
        model,
    )
    .fetch_all(connection)
    .await?;
    let rule = |row| rule(row, organization);
    rows.into_iter()
        .map(|it| rule((it.condition, it.version, it.name, it.model)))
        .collect()
}

fn rule(
    (condition, id, name, model): (String, Uuid, String, String),
    organization: &Slug,
) -> Result<(Rule, VersionId), StoreError> {
    let version = VersionName {
        organization: organization.clone(),
        model: column::read(ModelSlug::parse(&model), "model.name")?,
        version: column::read(Slug::parse(&name), "model_version.name")?,
    };
    let id = VersionId::from_bytes(id.into_bytes());
    Ok((Rule { condition, version }, id))
}

/// Puts these in the place of those that stand.
pub(crate) async fn write(
    connection: &mut PgConnection,
    model: Uuid,
    rules: &[Rule],
) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM model_rule WHERE model = $1", model)
        .execute(&mut *connection)
        .await?;
    for (place, rule) in (0_i16..).zip(rules) {
        let field = format!("model.rules[{place}].version");
        let ModelName {
            organization,
            model: of,
        } = rule.version.parent();
        let version = sqlx::query_scalar!(
            r#"SELECT version.id FROM model_version version
               JOIN model ON model.id = version.model
               JOIN organization ON organization.id = model.organization
               WHERE organization.name = $1 AND model.name = $2 AND version.name = $3
               FOR KEY SHARE OF version"#,
            organization.as_str(),
            of.as_str(),
            rule.version.version.as_str(),
        )
        .fetch_optional(&mut *connection)
        .await?;
        let version = version.ok_or_else(|| conflict::dangling(&field, &rule.version))?;
        sqlx::query!(
            "INSERT INTO model_rule (model, place, condition, version) VALUES ($1, $2, $3, $4)",
            model,
            place,
            rule.condition,
            version,
        )
        .execute(&mut *connection)
        .await
        .map_err(|why| conflict::on_reference(why, &field, &rule.version))?;
    }
    Ok(())
}

/// As edges know them.
pub(crate) fn policy(rules: &[(Rule, VersionId)]) -> Vec<ModelRule> {
    let rule = |(rule, version): &(Rule, VersionId)| ModelRule {
        condition: rule.condition.clone(),
        version: *version,
    };
    rules.iter().map(rule).collect()
}
