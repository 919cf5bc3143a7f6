//! The handle on the database that everything else is given.

use std::sync::Arc;

use policy::change::Edit;
use sqlx::{PgPool, Postgres, Transaction, pool::PoolConnection};

use crate::{
    error::StoreError,
    pool::{self, Config},
};

/// Turns an edit into the bytes that edges are sent with it. Seals those of the secrets lane.
pub type Encode = Arc<dyn Fn(&Edit) -> Vec<u8> + Send + Sync>;

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: PgPool,
    config: Arc<Config>,
    encode: Encode,
}

// === impl Store ===

impl Store {
    /// Connects. Fails when the database cannot be reached now.
    pub async fn open(config: &Config, encode: Encode) -> Result<Self, StoreError> {
        let pool = pool::open(config).await?;
        Ok(Self {
            pool,
            config: Arc::new(config.clone()),
            encode,
        })
    }

    /// Closes every connection, after what runs on them has ended.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn encode(&self) -> &Encode {
        &self.encode
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) async fn connection(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        Ok(self.pool.acquire().await?)
    }

    /// A transaction that sees what was committed before each of its statements. A revision taken under a
    /// stricter level would only fail where this one waits.
    pub(crate) async fn transaction(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        Ok(self
            .pool
            .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED")
            .await?)
    }
}
