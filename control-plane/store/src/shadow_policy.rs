//! What edges hear of a model's shadow while one is under way.

use policy::{
    id::{ShadowId, VersionId},
    shadow::Shadow,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{column, error::StoreError};

/// The shadow of a model that is under way, if there is one.
pub(crate) async fn of(
    connection: &mut PgConnection,
    model: Uuid,
) -> Result<Option<Box<Shadow>>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT id, model_version, share, concurrent_max, ends_at, rests_until FROM shadow
           WHERE model = $1 AND state = 1"#,
        model,
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Box::new(Shadow {
        id: ShadowId::from_bytes(row.id.into_bytes()),
        version: VersionId::from_bytes(row.model_version.into_bytes()),
        basis_points: column::read(u16::try_from(row.share), "shadow.share")?,
        concurrent_max: column::read(u16::try_from(row.concurrent_max), "shadow.concurrent_max")?,
        end_seconds: row.ends_at.map(|it| column::count(it.unix_timestamp())),
        rest_seconds: row.rests_until.map(|it| column::count(it.unix_timestamp())),
    })))
}
