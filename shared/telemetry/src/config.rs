//! `[telemetry]`: whether metrics and logs go to a collector.
//!
//! Declares; decides nothing.

use std::{path::PathBuf, time::Duration};

use lifecycle::settings::Secret;
use serde::Deserialize;

use crate::collector::Address;

/// The shortest time between two readings of metrics.
const EVERY_MIN: Duration = Duration::from_millis(100);

/// `[telemetry]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `SLUICE_TELEMETRY__ENDPOINT`: a collector that speaks OTLP over gRPC, such as `http://127.0.0.1:4317`. Default: none,
    /// and nothing is sent.
    pub endpoint: String,
    /// `SLUICE_TELEMETRY__METRICS`: whether it gets what Prometheus would. Default `true`.
    pub metrics: bool,
    /// `SLUICE_TELEMETRY__METRICS_EVERY_MS`: how often, milliseconds, at least 100. Default 15000.
    pub metrics_every_ms: u64,
    /// `SLUICE_TELEMETRY__LOGS`: whether it gets what is logged, as `logs.filter` lets it pass. Default `true`.
    pub logs: bool,
    /// `SLUICE_TELEMETRY__PLAINTEXT_BEYOND_LOOPBACK`: whether they may cross a network unencrypted. Default `false`.
    pub plaintext_beyond_loopback: bool,
    /// `SLUICE_TELEMETRY__CA_FILE`: authorities that the collector's certificate may be of, as PEM, in place of the public
    /// ones. Default: none.
    pub ca_file: Option<PathBuf>,
    /// `SLUICE_TELEMETRY__AUTHORIZATION`: what is sent as `authorization` with every export. Default: nothing.
    pub authorization: Option<Secret>,
    /// `SLUICE_TELEMETRY__AUTHORIZATION_FILE`: a file that holds the same.
    pub authorization_file: Option<PathBuf>,
}

// === impl Config ===

impl Config {
    /// Whether what is logged has to be kept for a collector.
    pub const fn wants_logs(&self) -> bool {
        self.logs && !self.endpoint.is_empty()
    }

    pub(crate) fn every(&self) -> Duration {
        Duration::from_millis(self.metrics_every_ms).max(EVERY_MIN)
    }

    pub(crate) fn address(&self) -> Address<'_> {
        Address {
            section: "telemetry",
            endpoint: &self.endpoint,
            plaintext_beyond_loopback: self.plaintext_beyond_loopback,
            ca_file: self.ca_file.as_deref(),
            authorization: &self.authorization,
            authorization_file: &self.authorization_file,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            metrics: true,
            metrics_every_ms: 15_000,
            logs: true,
            plaintext_beyond_loopback: false,
            ca_file: None,
            authorization: None,
            authorization_file: None,
        }
    }
}
