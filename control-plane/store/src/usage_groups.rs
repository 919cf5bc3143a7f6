//! Sums of usage records as the database makes them, with the last segment of each name, or an id in hex where
//! what was used is gone.

use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::error::StoreError;

/// One group. A dimension that is not grouped by is `None`.
pub(crate) struct Group {
    pub(crate) day: Option<Date>,
    pub(crate) project: Option<String>,
    pub(crate) key_id: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) requests: i64,
    pub(crate) input_tokens: i64,
    pub(crate) cached_input_tokens: i64,
    pub(crate) output_tokens: i64,
    pub(crate) reasoning_tokens: i64,
    pub(crate) estimated_requests: i64,
    pub(crate) cost_nano: i64,
    pub(crate) unpriced_requests: i64,
    pub(crate) tag: Option<String>,
}

/// The groups of one organization from the first moment of `span` until before the second, at most `rows_max`.
/// `by` says whether to group by day, project, key, model and provider, and by the value of which tag, if of any.
pub(crate) async fn read(
    connection: &mut PgConnection,
    organization: Uuid,
    span: (OffsetDateTime, OffsetDateTime),
    by: ([bool; 5], &str),
    rows_max: usize,
) -> Result<Vec<Group>, StoreError> {
    let ([day, project, key, model, provider], tag_key) = by;
    let groups = sqlx::query_as!(
        Group,
        r#"WITH sums AS (
               SELECT CASE WHEN $4::boolean THEN day END AS day,
                      CASE WHEN $5::boolean THEN project END AS project,
                      CASE WHEN $6::boolean THEN key_id END AS key_id,
                      CASE WHEN $7::boolean THEN nullif(model, '00000000-0000-0000-0000-000000000000') END
                          AS model,
                      CASE WHEN $8::boolean THEN provider END AS provider,
                      CASE WHEN $10::text <> ''
                          THEN coalesce(nullif(tags, '')::jsonb ->> $10, '') END AS tag,
                      count(*) AS requests,
                      sum(input_tokens)::bigint AS input_tokens,
                      sum(cached_input_tokens)::bigint AS cached_input_tokens,
                      sum(output_tokens)::bigint AS output_tokens,
                      sum(reasoning_tokens)::bigint AS reasoning_tokens,
                      count(*) FILTER (WHERE usage_source <> 1) AS estimated_requests,
                      least(coalesce(sum(cost_nano) FILTER (WHERE cost_known), 0), 9223372036854775807)::bigint
                          AS cost_nano,
                      count(*) FILTER (WHERE NOT cost_known) AS unpriced_requests
               FROM usage_record
               WHERE organization = $1 AND at >= $2 AND at < $3 AND provider IS NOT NULL
                 AND day BETWEEN ($2 AT TIME ZONE 'UTC')::date AND ($3 AT TIME ZONE 'UTC')::date
               GROUP BY 1, 2, 3, 4, 5, 6
           )
           SELECT sums.day AS "day?",
                  coalesce(project.name, encode(uuid_send(sums.project), 'hex')) AS "project?",
                  sums.key_id AS "key_id?",
                  coalesce(model.name, encode(uuid_send(sums.model), 'hex')) AS "model?",
                  coalesce(provider.name, encode(uuid_send(sums.provider), 'hex')) AS "provider?",
                  requests AS "requests!", input_tokens AS "input_tokens!",
                  cached_input_tokens AS "cached_input_tokens!", output_tokens AS "output_tokens!",
                  reasoning_tokens AS "reasoning_tokens!",
                  estimated_requests AS "estimated_requests!",
                  cost_nano AS "cost_nano!",
                  unpriced_requests AS "unpriced_requests!", sums.tag AS "tag?"
           FROM sums
           LEFT JOIN project ON project.id = sums.project
           LEFT JOIN model ON model.id = sums.model
           LEFT JOIN provider ON provider.id = sums.provider
           ORDER BY 1, 2, 3, 4, 5, sums.tag LIMIT $9"#,
        organization,
        span.0,
        span.1,
        day,
        project,
        key,
        model,
        provider,
        i64::try_from(rows_max).unwrap_or(i64::MAX),
        tag_key,
    )
    .fetch_all(connection)
    .await?;
    Ok(groups)
}
