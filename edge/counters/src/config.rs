//! The settings of the counters: the part of `[limits]` that is theirs.
//!
//! Knows what each means and where it ends; knows nothing of files or variables. What is refused here is
//! refused before anything is opened.

use std::{fmt, path::PathBuf, time::Duration};

use lifecycle::settings::Secret;
use serde::Deserialize;

use crate::reservation::LEASE_MS_MAX;

/// The longest time to borrow for; well below the longest loan, which lasts a little longer.
const AHEAD_MS_MAX: u64 = 10_000;

/// The settings. A section that holds more than these must list them by itself and build this: a flattened
/// part cannot tell an unknown field from a field of another part, so that a typing error would pass.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `SLUICE_LIMITS__STORE`: where counts are kept. Default `redis`.
    pub store: Store,
    /// `SLUICE_LIMITS__REDIS_URL`: which Redis; `rediss://` for TLS, `redis+sentinel://HOST:PORT,…/NAME` for the primary of that
    /// name by the word of its sentinels, `redis+cluster://HOST:PORT,…` for a cluster. Default `redis://127.0.0.1:6379/`. May hold a password, so it is not shown.
    pub redis_url: Secret,
    /// `SLUICE_LIMITS__REDIS_CA_FILE`: the certificates, in PEM, of the authority that signs Redis's. Default: those that the
    /// system trusts.
    pub redis_ca_file: Option<PathBuf>,
    /// `SLUICE_LIMITS__TIMEOUT_MS`: how long Redis may take to answer, 1 to 5,000. Default 50.
    pub timeout_ms: u64,
    /// `SLUICE_LIMITS__LEASE_MS`: how long a reservation is held after its edge was last heard of, 300 to
    /// 600,000. Default 30,000.
    pub lease_ms: u64,
    /// `SLUICE_LIMITS__AHEAD_MS`: for how long busy keys borrow ahead, so that few of their requests ask Redis, 0 to
    /// 10,000; 0 asks for each. Default 1,000.
    pub ahead_ms: u64,
}

/// Where counts are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// In the region's Redis, shared by its edges.
    Redis,
    /// In this process: for one edge that is alone.
    Process,
}

/// Why settings are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidConfig {
    /// `redis_url` is not one.
    RedisUrl,
    /// `redis_ca_file` cannot be read, or holds nothing that can be trusted.
    RedisCa,
    /// `timeout_ms` is out of range.
    Timeout,
    /// `lease_ms` is out of range.
    Lease,
    /// `ahead_ms` is out of range.
    Ahead,
}

// === impl Config ===

impl Config {
    /// Checks the numbers, and gives the deadline of one call.
    pub(crate) fn timeout(&self) -> Result<Duration, InvalidConfig> {
        // The lease is renewed three times over; a third must hold a call and a dial of Redis is far off then.
        if !(300..=LEASE_MS_MAX).contains(&self.lease_ms) {
            return Err(InvalidConfig::Lease);
        }
        if self.ahead_ms > AHEAD_MS_MAX {
            return Err(InvalidConfig::Ahead);
        }
        if !(1..=5_000).contains(&self.timeout_ms) {
            return Err(InvalidConfig::Timeout);
        }
        Ok(Duration::from_millis(self.timeout_ms))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            store: Store::Redis,
            redis_url: Secret::from("redis://127.0.0.1:6379/".to_owned()),
            redis_ca_file: None,
            timeout_ms: 50,
            lease_ms: 30_000,
            ahead_ms: 1_000,
        }
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RedisUrl => {
                "limits.redis_url must be the URL of a redis, such as redis://127.0.0.1:6379/0, \
                 redis+sentinel://one:26379,two:26379/NAME or redis+cluster://one:6379,two:6379"
            }
            Self::RedisCa => "limits.redis_ca_file must be readable and hold certificates in PEM",
            Self::Timeout => "limits.timeout_ms must be 1 to 5,000",
            Self::Lease => "limits.lease_ms must be 300 to 600,000",
            Self::Ahead => "limits.ahead_ms must be 0 to 10,000",
        })
    }
}

impl std::error::Error for InvalidConfig {}
