//! Deprecations as columns of the rows of models and versions have them.

use std::sync::Arc;

use domain::deprecation::{Deprecation, Successor};
use policy::{
    deprecation::{DEPRECATED_MAX, Endings},
    id::VersionId,
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{column, error::StoreError};

/// What three columns say.
pub(crate) fn read(
    from: Option<OffsetDateTime>,
    sunset: Option<OffsetDateTime>,
    successor: &str,
) -> Result<Option<Deprecation>, StoreError> {
    let Some(from) = from else { return Ok(None) };
    let successor = match successor {
        "" => None,
        text => Some(column::read(Successor::parse(text), "successor")?),
    };
    Ok(Some(Deprecation {
        from_ms: column::milliseconds(from),
        sunset_ms: sunset.map(column::milliseconds),
        successor,
    }))
}

/// What edges hear of a model with this deprecation of its own.
pub(crate) async fn endings(
    connection: &mut PgConnection,
    model: Uuid,
    own: Option<&Deprecation>,
) -> Result<Option<Box<Endings>>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id, deprecated_at, sunset_at, successor FROM model_version
           WHERE model = $1 AND deprecated_at IS NOT NULL ORDER BY id LIMIT $2"#,
        model,
        column::number(DEPRECATED_MAX as u64),
    )
    .fetch_all(connection)
    .await?;
    let mut versions = Vec::with_capacity(rows.len());
    for row in rows {
        let it = read(row.deprecated_at, row.sunset_at, &row.successor)?;
        let id = VersionId::from_bytes(row.id.into_bytes());
        versions.extend(it.map(|it| (id, Arc::new(it.policy()))));
    }
    let endings = Endings {
        own: own.map(|it| Arc::new(it.policy())),
        versions,
    };
    Ok((!endings.is_nothing()).then(|| Box::new(endings)))
}
