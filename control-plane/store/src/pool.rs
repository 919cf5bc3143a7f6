//! The connections, and what each must prove before it is used again.
//!
//! A demoted primary still answers, and a dead one may keep its socket for a quarter of an hour; so every
//! connection is asked, under a deadline, whether it can write, and every statement has a time limit.

use std::{fmt, time::Duration};

use sqlx::{
    PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use tokio::time::timeout;
use tracing::warn;

use crate::error::StoreError;

/// How long a caller waits for a connection before it is told that the database is not available.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a connection from the pool may take to show that it lives.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a connection may do nothing before it is closed.
const IDLE_TIMEOUT: Duration = Duration::from_mins(5);

/// Set on every connection. UTC, because days of usage are days in UTC; the limits, because a statement that
/// hangs must not take a connection with it. No statement of ours is worth compiling: that takes longer than it saves.
const SESSION: &str = "SET TIME ZONE 'UTC'; \
                       SET statement_timeout = '10s'; \
                       SET lock_timeout = '5s'; \
                       SET idle_in_transaction_session_timeout = '10s'; \
                       SET jit = off";

/// Where the database is.
#[derive(Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `postgres://user:password@host:port/database`; beyond this machine with `?sslmode=verify-full` and, for an authority
    /// of your own, `&sslrootcert=FILE`. Holds a password: never printed.
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
    let options = options(config)?;
    if is_bare(&options) {
        warn!(
            "the way to the database leaves this machine and nothing proves who is at its end: \
             add sslmode=verify-full, and sslrootcert=FILE for an authority of your own, to database.url"
        );
    }
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
        .connect_with(options)
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

/// Whether others on the network could read along or answer in the database's place.
fn is_bare(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let proven = matches!(
        options.get_ssl_mode(),
        PgSslMode::VerifyCa | PgSslMode::VerifyFull
    );
    options.get_socket().is_none() && !host.starts_with('/') && !egress::is_here(host) && !proven
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_over_the_network_is_bare_unless_the_other_end_is_proven() {
        for (rest, bare) in [
            ("db.example/sluice", true),
            ("db.example/sluice?sslmode=require", true),
            ("10.1.2.3/sluice?sslmode=verify-full", false),
            ("localhost/sluice", false),
            ("[::1]/sluice", false),
            ("localhost/sluice?host=/var/run/postgresql", false),
        ] {
            let config = Config {
                url: format!("postgres://sluice@{rest}"),
                connections_max: 1,
            };
            assert_eq!(is_bare(&options(&config).unwrap()), bare, "{rest}");
        }
    }
}
