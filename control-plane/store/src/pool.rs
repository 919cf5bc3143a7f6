//! The connections, and what each must prove before it is used again.
//!
//! A demoted primary still answers, and a dead one may keep its socket for a quarter of an hour; so every
//! connection is asked, under a deadline, whether it can write, and every statement has a time limit.

use std::{fmt, time::Duration};

use sqlx::{
    PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;

use crate::error::StoreError;

/// How long a caller waits for a connection before it is told that the database is not available.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a connection from the pool may take to show that it lives.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a connection may do nothing before it is closed.
const IDLE_TIMEOUT: Duration = Duration::from_mins(5);

/// Set on every connection. UTC, because days of usage are days in UTC; the limits, because a statement that
/// hangs must not take a connection with it.
const SESSION: &str = "SET TIME ZONE 'UTC'; \
                       SET statement_timeout = '10s'; \
                       SET lock_timeout = '5s'; \
                       SET idle_in_transaction_session_timeout = '10s'";

/// Where the database is.
#[derive(Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `postgres://user:password@host:port/database`. Holds a password: never printed.
    pub url: String,
    /// The most connections of one replica. Full: callers wait for one, at most three seconds.
    #[serde(default = "connections_max_default")]
    pub connections_max: u32,
}

const fn connections_max_default() -> u32 {
    16
}

/// Opens the pool and makes the first connection.
pub(crate) async fn open(config: &Config) -> Result<PgPool, StoreError> {
    let pool = PgPoolOptions::new()
        .max_connections(config.connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        // The probe below does more than the ping that it replaces.
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move { sqlx::raw_sql(SESSION).execute(connection).await.map(drop) })
        })
        .before_acquire(|connection, _| Box::pin(async move { Ok(can_write(connection).await) }))
        .connect_with(options(config)?)
        .await?;
    Ok(pool)
}

/// How to reach the database. The error never repeats the URL: it holds a password.
pub(crate) fn options(config: &Config) -> Result<PgConnectOptions, StoreError> {
    let options: Result<PgConnectOptions, _> = config.url.parse();
    options
        .map(|options| options.application_name("sluice"))
        .map_err(|_| StoreError::broken("database.url is not a postgres:// URL"))
}

/// A connection for which this is false is closed, and another is made.
async fn can_write(connection: &mut PgConnection) -> bool {
    let asked = sqlx::query_scalar::<_, String>("SHOW transaction_read_only");
    let answer = timeout(PROBE_TIMEOUT, asked.fetch_one(connection)).await;
    matches!(answer, Ok(Ok(read_only)) if read_only == "off")
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("url", &"[redacted]")
            .field("connections_max", &self.connections_max)
            .finish()
    }
}
