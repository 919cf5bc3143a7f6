//! What clients say of answers: kept once, summed as it comes, and noted for the rollout of the model.
//!
//! The first score of a name stands, so that sums only grow and a rollout is judged by what it was told. Knows nothing of who may say
//! it: whose client asks is given.

use domain::name::ModelName;
use policy::id::{OrganizationId, ProjectId};
use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{column, error::StoreError, id::drawn_ms, named, store::Store};

/// The name by which rollouts are judged.
const JUDGED: &str = "score";

/// The most names of one request.
const NAMES_MAX: i64 = 8; // Full: nothing is kept, and the client is told.

/// The most names of one model.
const MODEL_NAMES_MAX: i64 = 16; // Full: as above.

/// The most sums that are told.
const SUMS_MAX: i64 = 1_000; // Full: those of names and versions behind are not told.

/// What stands of a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// What was judged.
    pub name: String,
    /// How good, 0 to 1.
    pub score: f64,
    /// When it was said.
    pub at: OffsetDateTime,
}

/// What became of a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kept {
    /// This score stands, be it this one or one that came before.
    Stands(f64),
    /// Nothing is kept: there are too many names.
    Full,
    /// There is no such record.
    Nothing,
}

/// The scores of a name of a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Sum {
    /// What was judged.
    pub name: String,
    /// The version's name, or its id in hex where it is gone.
    pub version: String,
    /// How many.
    pub count: i64,
    /// Their mean.
    pub mean: f64,
}

/// A request of which something is said.
struct Of {
    id: Uuid,
    at: OffsetDateTime,
    organization: Uuid,
    model: Uuid,
    version: Uuid,
}

/// Keeps a score of a request of this project, where none of this name stands.
pub async fn give(
    store: &Store,
    whose: (OrganizationId, ProjectId),
    id: [u8; 16],
    (name, value): (&str, f64),
) -> Result<Kept, StoreError> {
    let mut tx = store.transaction().await?;
    let Some(of) = find(&mut tx, whose, id).await? else {
        return Ok(Kept::Nothing);
    };
    if let Some(stands) = standing(&mut tx, of.id, name).await? {
        return Ok(Kept::Stands(stands));
    }
    if is_full(&mut tx, &of, name).await? {
        return Ok(Kept::Full);
    }
    let new = sqlx::query!(
        r#"INSERT INTO feedback (record, name, at, score) VALUES ($1, $2, $3, $4)
           ON CONFLICT DO NOTHING"#,
        of.id,
        name,
        of.at,
        value,
    )
    .execute(&mut *tx)
    .await?;
    if new.rows_affected() == 0 {
        // Somebody else was first, a moment ago.
        let stands = standing(&mut tx, of.id, name).await?;
        return Ok(Kept::Stands(stands.unwrap_or(value)));
    }
    count(&mut tx, &of, (name, value)).await?;
    if name == JUDGED {
        note(&mut tx, &of, value).await?;
    }
    tx.commit().await?;
    Ok(Kept::Stands(value))
}

async fn find(
    connection: &mut PgConnection,
    (organization, project): (OrganizationId, ProjectId),
    id: [u8; 16],
) -> Result<Option<Of>, StoreError> {
    // As records are found by their ids.
    let Ok(drawn) = column::moment(drawn_ms(id)) else {
        return Ok(None);
    };
    let found = sqlx::query_as!(
        Of,
        r#"SELECT id, at, organization, model, model_version AS version FROM usage_record
           WHERE id = $1 AND organization = $2 AND project = $3
             AND day BETWEEN $4::date - 1 AND $4::date + 1 LIMIT 1"#,
        Uuid::from_bytes(id),
        Uuid::from_bytes(*organization.as_bytes()),
        Uuid::from_bytes(*project.as_bytes()),
        drawn.date(),
    );
    Ok(found.fetch_optional(connection).await?)
}

async fn standing(
    connection: &mut PgConnection,
    id: Uuid,
    name: &str,
) -> Result<Option<f64>, StoreError> {
    let score = sqlx::query_scalar!(
        "SELECT score FROM feedback WHERE record = $1 AND name = $2",
        id,
        name,
    );
    Ok(score.fetch_optional(connection).await?)
}

/// Whether the request or its model has as many other names as it may.
async fn is_full(connection: &mut PgConnection, of: &Of, name: &str) -> Result<bool, StoreError> {
    let names = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM feedback WHERE record = $1) AS "here!",
                  (SELECT count(DISTINCT name) FROM feedback_sum
                   WHERE organization = $2 AND model = $3 AND name <> $4) AS "others!""#,
        of.id,
        of.organization,
        of.model,
        name,
    )
    .fetch_one(connection)
    .await?;
    Ok(names.here >= NAMES_MAX || names.others >= MODEL_NAMES_MAX)
}

async fn count(
    connection: &mut PgConnection,
    of: &Of,
    (name, value): (&str, f64),
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"INSERT INTO feedback_sum (organization, model, name, model_version, day, count, total)
           VALUES ($1, $2, $3, $4, $5, 1, $6)
           ON CONFLICT (organization, model, name, model_version, day)
           DO UPDATE SET count = feedback_sum.count + 1, total = feedback_sum.total + excluded.total"#,
        of.organization,
        of.model,
        name,
        of.version,
        of.at.date(),
        value,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes it for the rollout or experiment of the model that is under way, and rings for whoever judges it. Whether the rollout assigned the request is
/// found when it is judged: the outcome may come a moment later.
async fn note(connection: &mut PgConnection, of: &Of, score: f64) -> Result<(), StoreError> {
    let noted = sqlx::query!(
        r#"INSERT INTO rollout_feedback (rollout, id, score)
           SELECT id, $2, $3 FROM (
               SELECT id FROM rollout WHERE model = $1 AND state < 3
               UNION ALL SELECT id FROM experiment WHERE model = $1 AND state = 1) AS it
           ON CONFLICT DO NOTHING"#,
        of.model,
        of.id,
        score,
    )
    .execute(&mut *connection)
    .await?;
    if noted.rows_affected() > 0 {
        sqlx::query!("SELECT pg_notify('sluice_rollout', '')")
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// What stands of a request, in the order of names.
pub async fn of_request(store: &Store, id: [u8; 16]) -> Result<Vec<Given>, StoreError> {
    let given = sqlx::query_as!(
        Given,
        "SELECT name, score, given_at AS at FROM feedback WHERE record = $1 ORDER BY name",
        Uuid::from_bytes(id),
    );
    Ok(given.fetch_all(&mut *store.connection().await?).await?)
}

/// What clients said of a model's answers, of requests of these days.
pub async fn sums(
    store: &Store,
    parent: &ModelName,
    (first, last): (Date, Date),
) -> Result<Vec<Sum>, StoreError> {
    let mut connection = store.connection().await?;
    let model = named::model_of(&mut connection, parent, parent).await?;
    let sums = sqlx::query_as!(
        Sum,
        r#"SELECT it.name,
                  coalesce(version.name, encode(uuid_send(it.model_version), 'hex')) AS "version!",
                  sum(it.count)::bigint AS "count!", sum(it.total) / sum(it.count) AS "mean!"
           FROM feedback_sum it
           JOIN model ON model.id = it.model AND model.organization = it.organization
           LEFT JOIN model_version version ON version.id = it.model_version
           WHERE it.model = $1 AND it.day BETWEEN $2 AND $3
           GROUP BY it.name, it.model_version, version.name ORDER BY 1, 2 LIMIT $4"#,
        Uuid::from_bytes(*model.as_bytes()),
        first,
        last,
        SUMS_MAX,
    );
    Ok(sums.fetch_all(&mut *connection).await?)
}
