//! Operator keys: what is presented to the admin API.

use crate::{column, error::StoreError, store::Store};

// === impl Store ===

impl Store {
    /// SHA-256 of the secret of an operator key that is not revoked.
    pub async fn operator_key(&self, key_id: &str) -> Result<Option<[u8; 32]>, StoreError> {
        let secret = sqlx::query_scalar!(
            "SELECT secret_sha256 FROM operator_key WHERE key_id = $1 AND revoked_at IS NULL",
            key_id,
        )
        .fetch_optional(self.pool())
        .await?;
        secret
            .map(|it| column::read(<[u8; 32]>::try_from(it), "operator_key.secret_sha256"))
            .transpose()
    }

    /// Keeps another operator key beside those there are.
    pub async fn add_operator_key(
        &self,
        key_id: &str,
        secret_sha256: &[u8; 32],
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "INSERT INTO operator_key (key_id, secret_sha256) VALUES ($1, $2)",
            key_id,
            secret_sha256.as_slice(),
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Keeps an operator key if there has never been one, and says whether it did. Of several replicas that
    /// start at once one makes it.
    pub async fn first_operator_key(
        &self,
        key_id: &str,
        secret_sha256: &[u8; 32],
    ) -> Result<bool, StoreError> {
        let mut tx = self.transaction().await?;
        sqlx::query!("LOCK TABLE operator_key IN SHARE ROW EXCLUSIVE MODE")
            .execute(&mut *tx)
            .await?;
        let made = sqlx::query!(
            r#"INSERT INTO operator_key (key_id, secret_sha256)
               SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM operator_key)"#,
            key_id,
            secret_sha256.as_slice(),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(made.rows_affected() == 1)
    }
}
