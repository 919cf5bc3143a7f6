//! Which models a key may ask for, as rows, so that the database keeps a model that a key names.

use domain::name::ModelName;
use sqlx::PgConnection;

use crate::{conflict, error::StoreError, id::uuid, named};

/// Holds the key to these models and no others.
pub(crate) async fn set(
    connection: &mut PgConnection,
    key: [u8; 16],
    names: &[ModelName],
) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM key_model WHERE key = $1", uuid(key))
        .execute(&mut *connection)
        .await?;
    for (at, name) in names.iter().enumerate() {
        let field = format!("key.models[{at}]");
        let model = named::model(connection, name).await?;
        let model = model.ok_or_else(|| conflict::dangling(&field, name))?;
        sqlx::query!(
            "INSERT INTO key_model (key, model) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            uuid(key),
            uuid(*model.as_bytes()),
        )
        .execute(&mut *connection)
        .await
        .map_err(|why| conflict::on_reference(why, &field, name))?;
    }
    Ok(())
}
