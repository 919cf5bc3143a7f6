//! `[alerts]`: how often it is looked whether something is to be told, and where notices may go.
//!
//! Declares; decides nothing.

use std::{path::PathBuf, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error as _};

/// `[alerts]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `SLUICE_ALERTS__EVERY_MS`: how long after a look at what is watched the next one comes, milliseconds, at least 100.
    /// Default 30000.
    pub every_ms: u64,
    /// `SLUICE_ALERTS__PRIVATE_RANGES`: ranges beyond the public internet in which receivers may stand, such as `10.0.0.0/8`. The
    /// addresses of cloud metadata services stay closed. Default: none.
    #[serde(deserialize_with = "ranges")]
    pub private_ranges: Vec<IpNet>,
    /// `SLUICE_ALERTS__PLAINTEXT_ON_LOOPBACK`: whether a receiver on this machine may be told unencrypted, where its range is
    /// open. All others are told over TLS alone. Default `false`.
    pub plaintext_on_loopback: bool,
    /// `SLUICE_ALERTS__CA_FILE`: authorities that receivers' certificates may be of beside the public ones, as PEM. Default: none.
    pub ca_file: Option<PathBuf>,
}

// === impl Config ===

impl Config {
    /// How long after a look the next one comes.
    pub fn every(&self) -> Duration {
        Duration::from_millis(self.every_ms.max(100))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            every_ms: 30_000,
            private_ranges: Vec::new(),
            plaintext_on_loopback: false,
            ca_file: None,
        }
    }
}

fn ranges<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let parse = |text: String| {
        text.parse()
            .map_err(|_| D::Error::custom(format!("`{text}` is not a range like 10.0.0.0/8")))
    };
    texts.into_iter().map(parse).collect()
}
