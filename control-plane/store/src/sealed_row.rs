//! Where each sealed value rests, place by place: those behind a row that do not begin with a mark, and the replacing of one.
//!
//! A row is named by a text that its place can be cut at. Owners are the parts of a value's context, as the control plane seals
//! it; a value that is empty or null is none.

use sqlx::PgPool;

/// A value where it rests.
#[derive(Clone)]
pub struct Kept {
    /// Which row, in an order of its place.
    pub row: String,
    /// Whose it is: the parts of its context.
    pub owner: Vec<Vec<u8>>,
    /// The value; empty where there is none to be replaced, and the walk only goes on behind this row.
    pub sealed: Vec<u8>,
}

type Found = Result<Vec<Kept>, sqlx::Error>;
type Replaced = Result<u64, sqlx::Error>;

pub(crate) async fn credentials(pool: &PgPool, after: &str, mark: &[u8], max: i64) -> Found {
    sqlx::query_as!(
        Kept,
        r#"SELECT id::text AS "row!",
                  ARRAY[uuid_send(id)] AS "owner!: Vec<Vec<u8>>",
                  credential AS "sealed!"
           FROM provider
           WHERE id > $1::text::uuid
             AND credential <> '' AND substring(credential FROM 1 FOR 9) <> $2
           ORDER BY id LIMIT $3"#,
        after,
        mark,
        max,
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn set_credential(pool: &PgPool, row: &str, old: &[u8], new: &[u8]) -> Replaced {
    let set = sqlx::query!(
        "UPDATE provider SET credential = $3 WHERE id = $1::text::uuid AND credential = $2",
        row,
        old,
        new,
    );
    Ok(set.execute(pool).await?.rows_affected())
}

pub(crate) async fn alert_credentials(pool: &PgPool, after: &str, mark: &[u8], max: i64) -> Found {
    sqlx::query_as!(
        Kept,
        r#"SELECT id::text AS "row!",
                  ARRAY[uuid_send(id)] AS "owner!: Vec<Vec<u8>>",
                  credential_sealed AS "sealed!"
           FROM alert_channel
           WHERE id > $1::text::uuid
             AND credential_sealed <> '' AND substring(credential_sealed FROM 1 FOR 9) <> $2
           ORDER BY id LIMIT $3"#,
        after,
        mark,
        max,
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn set_alert_credential(
    pool: &PgPool,
    row: &str,
    old: &[u8],
    new: &[u8],
) -> Replaced {
    let set = sqlx::query!(
        "UPDATE alert_channel SET credential_sealed = $3 WHERE id = $1::text::uuid AND credential_sealed = $2",
        row,
        old,
        new,
    );
    Ok(set.execute(pool).await?.rows_affected())
}

pub(crate) async fn code_secrets(pool: &PgPool, after: &str, mark: &[u8], max: i64) -> Found {
    sqlx::query_as!(
        Kept,
        r#"SELECT id::text AS "row!",
                  ARRAY[uuid_send(id)] AS "owner!: Vec<Vec<u8>>",
                  code_secret AS "sealed!"
           FROM local_user
           WHERE id > $1::text::uuid
             AND code_secret <> '' AND substring(code_secret FROM 1 FOR 9) <> $2
           ORDER BY id LIMIT $3"#,
        after,
        mark,
        max,
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn set_code_secret(pool: &PgPool, row: &str, old: &[u8], new: &[u8]) -> Replaced {
    let set = sqlx::query!(
        "UPDATE local_user SET code_secret = $3 WHERE id = $1::text::uuid AND code_secret = $2",
        row,
        old,
        new,
    );
    Ok(set.execute(pool).await?.rows_affected())
}

pub(crate) async fn source_credentials(pool: &PgPool, after: &str, mark: &[u8], max: i64) -> Found {
    sqlx::query_as!(
        Kept,
        r#"SELECT id::text AS "row!",
                  ARRAY[uuid_send(id)] AS "owner!: Vec<Vec<u8>>",
                  credential_sealed AS "sealed!"
           FROM version_source
           WHERE id > $1::text::uuid
             AND credential_sealed <> '' AND substring(credential_sealed FROM 1 FOR 9) <> $2
           ORDER BY id LIMIT $3"#,
        after,
        mark,
        max,
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn set_source_credential(
    pool: &PgPool,
    row: &str,
    old: &[u8],
    new: &[u8],
) -> Replaced {
    let set = sqlx::query!(
        "UPDATE version_source SET credential_sealed = $3 WHERE id = $1::text::uuid AND credential_sealed = $2",
        row,
        old,
        new,
    );
    Ok(set.execute(pool).await?.rows_affected())
}

pub(crate) async fn key_secrets(pool: &PgPool, after: &str, mark: &[u8], max: i64) -> Found {
    sqlx::query_as!(
        Kept,
        r#"SELECT id::text AS "row!",
                  ARRAY[convert_to(key_id, 'UTF8')] AS "owner!: Vec<Vec<u8>>",
                  secret_sha256 AS "sealed!"
           FROM key
           WHERE id > $1::text::uuid
             AND secret_sha256 <> '' AND substring(secret_sha256 FROM 1 FOR 9) <> $2
           ORDER BY id LIMIT $3"#,
        after,
        mark,
        max,
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn set_key_secret(pool: &PgPool, row: &str, old: &[u8], new: &[u8]) -> Replaced {
    let set = sqlx::query!(
        "UPDATE key SET secret_sha256 = $3 WHERE id = $1::text::uuid AND secret_sha256 = $2",
        row,
        old,
        new,
    );
    Ok(set.execute(pool).await?.rows_affected())
}

pub(crate) async fn previous_key_secrets(
    pool: &PgPool,
    after: &str,
    mark: &[u8],
    max: i64,
) -> Found {
    sqlx::query_as!(
        Kept,
        r#"SELECT id::text AS "row!",
                  ARRAY[convert_to(key_id, 'UTF8')] AS "owner!: Vec<Vec<u8>>",
                  previous_secret_sha256 AS "sealed!"
           FROM key
           WHERE id > $1::text::uuid
             AND previous_secret_sha256 <> '' AND substring(previous_secret_sha256 FROM 1 FOR 9) <> $2
           ORDER BY id LIMIT $3"#,
        after,
        mark,
        max,
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn set_previous_key_secret(
    pool: &PgPool,
    row: &str,
    old: &[u8],
    new: &[u8],
) -> Replaced {
    let set = sqlx::query!(
        "UPDATE key SET previous_secret_sha256 = $3 WHERE id = $1::text::uuid AND previous_secret_sha256 = $2",
        row,
        old,
        new,
    );
    Ok(set.execute(pool).await?.rows_affected())
}

pub(crate) async fn peppers(pool: &PgPool, after: &str, mark: &[u8], max: i64) -> Found {
    sqlx::query_as!(
        Kept,
        r#"SELECT version::text AS "row!",
                  ARRAY[int4send(version)] AS "owner!: Vec<Vec<u8>>",
                  secret AS "sealed!"
           FROM pepper
           WHERE version > $1::text::integer
             AND secret <> '' AND substring(secret FROM 1 FOR 9) <> $2
           ORDER BY version LIMIT $3"#,
        after,
        mark,
        max,
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn set_pepper(pool: &PgPool, row: &str, old: &[u8], new: &[u8]) -> Replaced {
    let set = sqlx::query!(
        "UPDATE pepper SET secret = $3 WHERE version = $1::text::integer AND secret = $2",
        row,
        old,
        new,
    );
    Ok(set.execute(pool).await?.rows_affected())
}

pub(crate) async fn authorities(pool: &PgPool, after: &str, mark: &[u8], max: i64) -> Found {
    sqlx::query_as!(
        Kept,
        r#"SELECT generation::text AS "row!",
                  '{}'::bytea[] AS "owner!: Vec<Vec<u8>>",
                  key AS "sealed!"
           FROM edge_authority
           WHERE generation > $1::text::bigint
             AND key <> '' AND substring(key FROM 1 FOR 9) <> $2
           ORDER BY generation LIMIT $3"#,
        after,
        mark,
        max,
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn set_authority(pool: &PgPool, row: &str, old: &[u8], new: &[u8]) -> Replaced {
    let set = sqlx::query!(
        "UPDATE edge_authority SET key = $3 WHERE generation = $1::text::bigint AND key = $2",
        row,
        old,
        new,
    );
    Ok(set.execute(pool).await?.rows_affected())
}

pub(crate) async fn audit_keys(pool: &PgPool, after: &str, mark: &[u8], max: i64) -> Found {
    sqlx::query_as!(
        Kept,
        r#"SELECT number::text AS "row!",
                  ARRAY[public] AS "owner!: Vec<Vec<u8>>",
                  secret AS "sealed!"
           FROM audit_key
           WHERE number > $1::text::bigint
             AND secret <> '' AND substring(secret FROM 1 FOR 9) <> $2
           ORDER BY number LIMIT $3"#,
        after,
        mark,
        max,
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn set_audit_key(pool: &PgPool, row: &str, old: &[u8], new: &[u8]) -> Replaced {
    let set = sqlx::query!(
        "UPDATE audit_key SET secret = $3 WHERE number = $1::text::bigint AND secret = $2",
        row,
        old,
        new,
    );
    Ok(set.execute(pool).await?.rows_affected())
}

pub(crate) async fn objects(pool: &PgPool, after: &str, mark: &[u8], max: i64) -> Found {
    sqlx::query_as!(
        Kept,
        r#"SELECT kind::text || ' ' || encode(key, 'hex') AS "row!",
                  ARRAY[substring(int2send(kind) FROM 2), key] AS "owner!: Vec<Vec<u8>>",
                  value AS "sealed!"
           FROM object
           WHERE kind::text || ' ' || encode(key, 'hex') > $1 AND kind IN (8, 9)
             AND value <> '' AND substring(value FROM 1 FOR 9) <> $2
           ORDER BY 1 LIMIT $3"#,
        after,
        mark,
        max,
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn set_object(pool: &PgPool, row: &str, old: &[u8], new: &[u8]) -> Replaced {
    let set = sqlx::query!(
        "UPDATE object SET value = $3 WHERE kind IN (8, 9) AND kind::text || ' ' || encode(key, 'hex') = $1 AND value = $2",
        row,
        old,
        new,
    );
    Ok(set.execute(pool).await?.rows_affected())
}

pub(crate) async fn changes(pool: &PgPool, after: &str, mark: &[u8], max: i64) -> Found {
    sqlx::query_as!(
        Kept,
        r#"SELECT revision::text AS "row!",
                  ARRAY[substring(int2send(kind) FROM 2), key] AS "owner!: Vec<Vec<u8>>",
                  value AS "sealed!"
           FROM change
           WHERE revision > $1::text::bigint AND lane = 3
             AND value <> '' AND substring(value FROM 1 FOR 9) <> $2
           ORDER BY revision LIMIT $3"#,
        after,
        mark,
        max,
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn set_change(pool: &PgPool, row: &str, old: &[u8], new: &[u8]) -> Replaced {
    let set = sqlx::query!(
        "UPDATE change SET value = $3 WHERE revision = $1::text::bigint AND value = $2",
        row,
        old,
        new,
    );
    Ok(set.execute(pool).await?.rows_affected())
}

pub(crate) async fn replies(pool: &PgPool, after: &str, mark: &[u8], max: i64) -> Found {
    sqlx::query_as!(
        Kept,
        r#"SELECT request_id::text || ' ' || actor AS "row!",
                  ARRAY[convert_to(actor, 'UTF8'), convert_to(method, 'UTF8'), uuid_send(request_id)] AS "owner!: Vec<Vec<u8>>",
                  reply AS "sealed!"
           FROM idempotency
           WHERE (request_id, actor) > (left($1, 36)::uuid, substr($1, 38))
             AND reply <> '' AND substring(reply FROM 1 FOR 9) <> $2
           ORDER BY request_id, actor LIMIT $3"#,
        after,
        mark,
        max,
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn set_reply(pool: &PgPool, row: &str, old: &[u8], new: &[u8]) -> Replaced {
    let set = sqlx::query!(
        "UPDATE idempotency SET reply = $3 WHERE request_id = left($1, 36)::uuid AND actor = substr($1, 38) AND reply = $2",
        row,
        old,
        new,
    );
    Ok(set.execute(pool).await?.rows_affected())
}

/// How many rows of content are looked at for one answer: a table of any length is walked in short statements.
const CONTENT_ROWS_MAX: i64 = 500; // Full: the row at which it ended comes last, with no value.

pub(crate) async fn contents(pool: &PgPool, after: &str, mark: &[u8], max: i64) -> Found {
    sqlx::query_as!(
        Kept,
        r#"WITH page AS MATERIALIZED (
               SELECT until, id, organization, project, sealed FROM usage_content
               WHERE (until, id) > (left($1, 10)::date, substr($1, 12)::uuid)
               ORDER BY until, id LIMIT $4
           ), seen AS (
               SELECT *, sealed <> '' AND substring(sealed FROM 1 FOR 9) <> $2 AS behind FROM page
           )
           SELECT until::text || ' ' || id::text AS "row!",
                  ARRAY[uuid_send(organization), uuid_send(project), uuid_send(id)] AS "owner!: Vec<Vec<u8>>",
                  CASE WHEN behind THEN sealed ELSE '' END AS "sealed!"
           FROM seen
           WHERE behind OR (until, id) = (SELECT until, id FROM page ORDER BY until DESC, id DESC LIMIT 1)
           ORDER BY until, id LIMIT $3"#,
        after,
        mark,
        max,
        CONTENT_ROWS_MAX,
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn set_content(pool: &PgPool, row: &str, old: &[u8], new: &[u8]) -> Replaced {
    let set = sqlx::query!(
        "UPDATE usage_content SET sealed = $3 WHERE until = left($1, 10)::date AND id = substr($1, 12)::uuid AND sealed = $2",
        row,
        old,
        new,
    );
    Ok(set.execute(pool).await?.rows_affected())
}
