//! `[traces]`: whether requests are traced, how many, and where spans go.
//!
//! Declares; decides nothing.

use std::path::PathBuf;

use lifecycle::settings::Secret;
use serde::Deserialize;
use telemetry::Address;

/// `[traces]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `SLUICE_TRACES__ENDPOINT`: a collector that speaks OTLP over gRPC, such as `http://127.0.0.1:4317`. Default: none, and
    /// nothing is traced.
    pub endpoint: String,
    /// `SLUICE_TRACES__PLAINTEXT_BEYOND_LOOPBACK`: whether spans may cross a network unencrypted. Default `false`.
    pub plaintext_beyond_loopback: bool,
    /// `SLUICE_TRACES__CA_FILE`: authorities that the collector's certificate may be of, as PEM, in place of the public ones.
    /// Default: none.
    pub ca_file: Option<PathBuf>,
    /// `SLUICE_TRACES__AUTHORIZATION`: what is sent as `authorization` with every export. Default: nothing.
    pub authorization: Option<Secret>,
    /// `SLUICE_TRACES__AUTHORIZATION_FILE`: a file that holds the same.
    pub authorization_file: Option<PathBuf>,
    /// `SLUICE_TRACES__RATIO`: which part of the requests is traced, from 0 to 1. Default 1.
    pub ratio: f64,
    /// `SLUICE_TRACES__TRUST_CLIENTS`: whether a client's `traceparent` is continued, and its sampling heeded. Default `false`.
    pub trust_clients: bool,
    /// `SLUICE_TRACES__TO_PROVIDERS`: whether providers are sent a `traceparent` with requests that are traced. Default `true`.
    pub to_providers: bool,
}

// === impl Config ===

impl Config {
    pub(crate) fn address(&self) -> Address<'_> {
        Address {
            section: "traces",
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
            plaintext_beyond_loopback: false,
            ca_file: None,
            authorization: None,
            authorization_file: None,
            ratio: 1.0,
            trust_clients: false,
            to_providers: true,
        }
    }
}
