//! Peppers: the keys under which key tags are made.
//!
//! Kept sealed; published in the secrets lane.

use policy::{credential::Pepper, object::Object, region::Audience};

use crate::{column, error::StoreError, store::Store};

/// Who makes peppers, for the log.
const ACTOR: &str = "control-plane";

/// A pepper as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct PepperRow {
    /// Its version.
    pub version: u32,
    /// Its bytes, sealed.
    pub sealed: Vec<u8>,
}

/// The newest pepper under which keys are tagged, if there is any.
pub async fn newest(store: &Store) -> Result<Option<PepperRow>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT version, secret FROM pepper WHERE used_at IS NOT NULL
           ORDER BY version DESC LIMIT 1"#,
    )
    .fetch_optional(&mut *store.connection().await?)
    .await?;
    row.map(|row| {
        let version = column::read(u32::try_from(row.version), "pepper.version")?;
        Ok(PepperRow {
            version,
            sealed: row.secret,
        })
    })
    .transpose()
}

/// Makes and publishes a pepper, unless one with this version stands, and returns the one that stands. Of
/// several replicas that start at once the first wins, and the others wait for it.
pub async fn create(
    store: &Store,
    pepper: &Pepper,
    sealed: &[u8],
) -> Result<PepperRow, StoreError> {
    let version = column::read(i32::try_from(pepper.version), "pepper.version")?;
    let mut write = store.write(ACTOR).await?;
    let made = sqlx::query!(
        r#"INSERT INTO pepper (version, secret) VALUES ($1, $2)
           ON CONFLICT ON CONSTRAINT pepper_pkey DO NOTHING"#,
        version,
        sealed,
    )
    .execute(write.connection())
    .await?;
    if made.rows_affected() == 1 {
        write.put(Object::Pepper(pepper.clone()), Audience::everywhere());
        write.commit().await?;
        return Ok(PepperRow {
            version: pepper.version,
            sealed: sealed.to_vec(),
        });
    }
    let sealed = sqlx::query_scalar!("SELECT secret FROM pepper WHERE version = $1", version)
        .fetch_one(write.connection())
        .await?;
    Ok(PepperRow {
        version: pepper.version,
        sealed,
    })
}
