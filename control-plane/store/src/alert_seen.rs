//! What rules of alerts look at: sums of usage, keys and edges. No record is read.

use domain::{
    alert::{FINDINGS_MAX, Failures, KeyAge},
    name::{KeyName, ModelName, OrganizationName, ProjectName},
    segment::{KeyId, ModelSlug, Slug},
};
use uuid::Uuid;

use crate::{column, error::StoreError, named, store::Store};

/// A key that is to be seen to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenKey {
    /// Its name.
    pub name: KeyName,
    /// Since when its secret stands, in whole days.
    pub age_days: u64,
    /// Whether that is too long.
    pub is_old: bool,
    /// Whether nobody has used it for too long.
    pub is_unused: bool,
    /// Whether its project's rotation has come to the time of its warning.
    pub is_due: bool,
}

/// An edge that has not been heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilentEdge {
    /// What it calls itself.
    pub edge: String,
    /// Its region.
    pub region: String,
}

/// The most models whose failures are read.
const MODELS_MAX: i64 = 1_000; // Full: those whose names come later are not watched.

/// How many are read of anything else: as many as are told.
fn most() -> i64 {
    i64::try_from(FINDINGS_MAX).unwrap_or(i64::MAX)
}

/// What failed for each model of an organization, or for one: from `at_ms` on, and from `from_ms` until then. Both are beginnings
/// of a quarter of an hour.
pub async fn failures(
    store: &Store,
    (parent, model): (&OrganizationName, Option<&ModelName>),
    (from_ms, at_ms): (u64, u64),
) -> Result<Vec<(ModelName, Failures, Failures)>, StoreError> {
    let mut connection = store.connection().await?;
    let organization = named::organization(&mut connection, parent).await?;
    let only: Option<Uuid> = match model {
        None => None,
        Some(name) => {
            let id = named::model(&mut connection, name).await?;
            Some(id.map_or(Uuid::nil(), |it| Uuid::from_bytes(*it.as_bytes())))
        }
    };
    // What is not folded yet and the sums are read in one statement, so that each addition is seen once.
    let rows = sqlx::query!(
        r#"WITH line AS (
               SELECT start, model, status, requests FROM usage_sum
               WHERE organization = $1 AND facet = '' AND grain = 1 AND start >= $2
               UNION ALL
               SELECT start, model, status, requests FROM usage_delta
               WHERE organization = $1 AND facet = '' AND start >= $2
           )
           SELECT model.name,
                  coalesce(sum(requests) FILTER (WHERE start >= $3), 0)::bigint AS "now!",
                  coalesce(sum(requests) FILTER (WHERE start >= $3 AND status >= 500), 0)::bigint
                      AS "now_failed!",
                  coalesce(sum(requests) FILTER (WHERE start < $3), 0)::bigint AS "before!",
                  coalesce(sum(requests) FILTER (WHERE start < $3 AND status >= 500), 0)::bigint
                      AS "before_failed!"
           FROM line JOIN model ON model.id = line.model
           WHERE $4::uuid IS NULL OR line.model = $4
           GROUP BY model.name
           HAVING sum(requests) FILTER (WHERE start >= $3 AND status >= 500) > 0
           ORDER BY model.name LIMIT $5"#,
        organization,
        column::moment(from_ms)?,
        column::moment(at_ms)?,
        only,
        MODELS_MAX,
    )
    .fetch_all(&mut *connection)
    .await?;
    let failures = |requests, failed| Failures {
        requests: column::count(requests),
        failed: column::count(failed),
    };
    let rows = rows.into_iter().map(|it| {
        let name = ModelName {
            organization: parent.organization.clone(),
            model: column::read(ModelSlug::parse(&it.name), "model.name")?,
        };
        let now = failures(it.now, it.now_failed);
        Ok((name, now, failures(it.before, it.before_failed)))
    });
    rows.collect()
}

/// The keys of an organization that work and are to be seen to.
pub async fn keys(
    store: &Store,
    parent: &OrganizationName,
    age: &KeyAge,
) -> Result<Vec<SeenKey>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT project, key_id, age_days AS "age_days!", is_old AS "is_old!",
                  is_unused AS "is_unused!", is_due AS "is_due!"
           FROM (
               SELECT project.name AS project, it.key_id,
                      (extract(epoch FROM now() - it.secret_created_at) / 86400)::bigint AS age_days,
                      coalesce(it.secret_created_at + $2::bigint * interval '1 millisecond' <= now(),
                               false) AS is_old,
                      coalesce(coalesce(key_use.used_at, it.created_at)
                               + $3::bigint * interval '1 millisecond' <= now(), false) AS is_unused,
                      $4::boolean AND coalesce(it.secret_created_at
                          + (coalesce(project.rotation_period_ms, project.rotation_age_max_ms)
                             - project.rotation_warn_before_ms) * interval '1 millisecond' <= now(),
                          false) AS is_due
               FROM key it
               JOIN project ON project.id = it.project
               JOIN organization ON organization.id = project.organization
               LEFT JOIN key_use ON key_use.key_id = it.key_id
               WHERE organization.name = $1 AND it.revoked_at IS NULL
                 AND (it.expires_at IS NULL OR it.expires_at > now())
           ) AS it
           WHERE is_old OR is_unused OR is_due ORDER BY key_id LIMIT $5"#,
        parent.organization.as_str(),
        age.age_ms.map(column::number),
        age.unused_ms.map(column::number),
        age.rotation_due,
        most(),
    )
    .fetch_all(&mut *store.connection().await?)
    .await?;
    let rows = rows.into_iter().map(|it| {
        let project = ProjectName {
            organization: parent.organization.clone(),
            project: column::read(Slug::parse(&it.project), "project.name")?,
        };
        Ok(SeenKey {
            name: KeyName {
                organization: project.organization,
                project: project.project,
                key: column::read(KeyId::parse(&it.key_id), "key.key_id")?,
            },
            age_days: column::count(it.age_days),
            is_old: it.is_old,
            is_unused: it.is_unused,
            is_due: it.is_due,
        })
    });
    rows.collect()
}

/// The edges that said no goodbye and have not been heard of for so long.
pub async fn silent_edges(store: &Store, silent_ms: u64) -> Result<Vec<SilentEdge>, StoreError> {
    let edges = sqlx::query_as!(
        SilentEdge,
        r#"SELECT edge_id AS edge, region FROM edge
           WHERE NOT said_goodbye AND last_seen_at + $1::bigint * interval '1 millisecond' <= now()
           ORDER BY edge_id LIMIT $2"#,
        column::number(silent_ms),
        most(),
    );
    Ok(edges.fetch_all(&mut *store.connection().await?).await?)
}
