//! The handle on the database that everything else is given.

use std::sync::Arc;

use domain::name::OrganizationName;
use policy::change::Edit;
use sqlx::{PgPool, Postgres, Transaction};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::{
    error::StoreError,
    pool::{self, Config},
    reach::{self, Connection, Reach},
};

/// Turns an edit into the bytes that edges are sent with it. Seals those of the secrets lane.
pub type Encode = Arc<dyn Fn(&Edit) -> Vec<u8> + Send + Sync>;

/// Which part of the connections may store batches of usage at once: one in so many, and [`BATCHES_MIN`] at least. More of them make none faster
/// than the cores of the database, and keep questions and changes waiting.
const BATCHES_PART: u32 = 8; // Full: the others wait, as long as one waits for a connection.

/// As above: one is read while another is written.
const BATCHES_MIN: u32 = 2;

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: PgPool,
    batches: Arc<Semaphore>,
    config: Arc<Config>,
    encode: Encode,
    of_requests: bool,
}

// === impl Store ===

impl Store {
    /// Connects. Fails when the database cannot be reached now.
    pub async fn open(config: &Config, encode: Encode) -> Result<Self, StoreError> {
        let pool = pool::open(config).await?;
        let batches = (config.connections_max / BATCHES_PART).max(BATCHES_MIN);
        Ok(Self {
            pool,
            batches: Arc::new(Semaphore::new(batches as usize)),
            config: Arc::new(config.clone()),
            encode,
            of_requests: false,
        })
    }

    /// The same database for what operators ask: it is reached as far as the request may, and not at all outside of one.
    #[must_use]
    pub fn of_requests(&self) -> Self {
        Self {
            of_requests: true,
            ..self.clone()
        }
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

    /// Every connection, for what runs by itself and for no request.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    fn reach(&self) -> Result<Reach, StoreError> {
        if self.of_requests {
            Reach::of_request()
        } else {
            Ok(Reach::Everywhere)
        }
    }

    /// Whether what begins now is kept to one organization.
    pub(crate) fn is_narrow(&self) -> Result<bool, StoreError> {
        Ok(self.reach()? != Reach::Everywhere)
    }

    /// A place to store a batch of usage.
    pub(crate) async fn batch_place(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        match timeout(pool::ACQUIRE_TIMEOUT, self.batches.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(StoreError::Unavailable(
                "as many batches of usage are being stored as may be at once".to_owned(),
            )),
        }
    }

    /// A connection to read on, or, for what runs by itself, to write a statement on.
    pub(crate) async fn connection(&self) -> Result<Connection, StoreError> {
        match self.reach()? {
            Reach::Everywhere => Ok(Connection::Whole(self.pool.acquire().await?)),
            // Boxed: what runs by itself need not make room for it.
            Reach::Organization(name) => {
                let narrowed = Box::pin(self.begin("BEGIN READ ONLY", Some(&name)));
                Ok(Connection::Within(narrowed.await?))
            }
        }
    }

    /// A transaction that sees what was committed before each of its statements. A revision taken under a
    /// stricter level would only fail where this one waits.
    pub(crate) async fn transaction(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        let within = match self.reach()? {
            Reach::Everywhere => None,
            Reach::Organization(name) => Some(name),
        };
        let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
        self.begin(begin, within.as_ref()).await
    }

    async fn begin(
        &self,
        begin: &'static str,
        within: Option<&OrganizationName>,
    ) -> Result<Transaction<'static, Postgres>, StoreError> {
        let mut tx = self.pool.begin_with(begin).await?;
        if let Some(name) = within {
            reach::narrow(&mut tx, name).await?;
        }
        Ok(tx)
    }
}
