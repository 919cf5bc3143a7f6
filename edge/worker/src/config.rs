//! The settings of an edge, assembled. Each is a field of the file or `SLUICE_SECTION__FIELD`.
//!
//! Named only by `worker` and the main; the parts get what they need of it. Prints with every secret left out.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use lifecycle::{logs, settings::Secret};
use serde::Deserialize;

use crate::{accept, access_log, admit, call, certified, opaque, report};

/// Everything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[edge]`: which edge this is.
    pub edge: Edge,
    /// `[inference]`: for clients.
    pub inference: accept::Config,
    /// `[upstream]`: how providers are met.
    pub upstream: call::Config,
    /// `[limits]`: where counts are kept.
    pub limits: Limits,
    /// `[shaping]`: what is sent to providers that take no more.
    pub shaping: shaping::Config,
    /// `[control_plane]`: where policy comes from and usage goes.
    pub control_plane: ControlPlane,
    /// `[state]`: what is kept on disk.
    pub state: State,
    /// `[usage]`: records that wait.
    pub usage: report::Config,
    /// `[audit]`: decisions that wait for the audit trail.
    pub audit: report::decisions::Config,
    /// `[traces]`: where spans of requests go.
    pub traces: spans::Config,
    /// `[telemetry]`: where metrics and logs go besides.
    pub telemetry: telemetry::Config,
    /// `[introspection.NAME]`: who is asked about tokens that only they can read.
    pub introspection: opaque::Configs,
    /// `[client_certificates.NAME]`: whose certificates identify clients.
    pub client_certificates: certified::Configs,
    /// `[access_log]`: a line for each request.
    pub access_log: access_log::Config,
    /// `[ops]`: for probes and metrics.
    pub ops: Ops,
    /// `[drain]`: how the process leaves.
    pub drain: Drain,
    /// `[logs]`: what is logged, and how.
    pub logs: logs::Config,
}

/// Which edge this is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Edge {
    /// `SLUICE_EDGE__ID`: what operators see, 1 to 63 letters, digits, `.`, `_` and `-`, starting with a letter
    /// or digit. Default: drawn once and kept in the state directory; without one, drawn at every start.
    pub id: Option<String>,
}

/// The counters' settings and the guesses of what a request will use, which share a section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// See [`counters::Config`].
    pub store: counters::config::Store,
    /// See [`counters::Config`].
    pub redis_url: Secret,
    /// See [`counters::Config`].
    pub redis_ca_file: Option<PathBuf>,
    /// See [`counters::Config`].
    pub timeout_ms: u64,
    /// See [`counters::Config`].
    pub lease_ms: u64,
    /// See [`counters::Config`].
    pub ahead_ms: u64,
    /// See [`admit::Config`].
    pub output_tokens_default: u64,
    /// See [`admit::Config`].
    pub top_up_tokens: u64,
    /// `SLUICE_LIMITS__LEDGER_EVERY_MS`: how often counts of quotas are compared with the ledger, 1,000 to 3,600,000. Default
    /// 30,000.
    pub ledger_every_ms: u64,
}

/// `limits.ledger_every_ms` is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidLedgerEvery;

/// Where policy comes from and usage goes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControlPlane {
    /// `SLUICE_CONTROL_PLANE__ADDRESSES`: its replicas. Default `http://127.0.0.1:7071`.
    pub addresses: Vec<String>,
    /// `SLUICE_CONTROL_PLANE__JOIN_TOKEN`: proves this edge and its region. This or `join_token_file` is required.
    pub join_token: Option<Secret>,
    /// `SLUICE_CONTROL_PLANE__JOIN_TOKEN_FILE`: a file that holds the same.
    pub join_token_file: Option<PathBuf>,
    /// `SLUICE_CONTROL_PLANE__PLAINTEXT_BEYOND_LOOPBACK`: whether the join token, and the provider credentials that
    /// come back, may cross a network unencrypted. Default `false`.
    pub plaintext_beyond_loopback: bool,
    /// `SLUICE_CONTROL_PLANE__SNAPSHOT_BYTES_MAX`: the largest snapshot of a lane, in bytes. Default 1 GiB.
    pub snapshot_bytes_max: usize,
}

/// What is kept on disk, sealed: policy, so that a start needs no control plane, and usage not yet sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// `SLUICE_STATE__DIRECTORY`: where. Default: nothing is kept.
    pub directory: Option<PathBuf>,
    /// `SLUICE_STATE__KEY`: 32 bytes as 64 hex digits or base64. Default: nothing is kept.
    pub key: Option<Secret>,
    /// `SLUICE_STATE__KEY_FILE`: a file that holds the same.
    pub key_file: Option<PathBuf>,
}

/// The listener for probes and metrics.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ops {
    /// `SLUICE_OPS__ADDRESS`: host and port; port 0 takes a free one. Default `127.0.0.1:8081`.
    pub address: SocketAddr,
    /// `SLUICE_OPS__PLAINTEXT_BEYOND_LOOPBACK`: whether others than this machine may ask. Default `false`.
    pub plaintext_beyond_loopback: bool,
    /// `SLUICE_OPS__METRICS`: whether anything is measured. Default `true`. Without it `/metrics` is empty, and so is what `[telemetry]` sends
    /// of it.
    pub metrics: bool,
    /// `SLUICE_OPS__PORTS_FILE`: where the bound addresses are written as JSON, for tests. Default: nowhere.
    pub ports_file: Option<PathBuf>,
}

/// How the process leaves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drain {
    /// `SLUICE_DRAIN__GRACE_MS`: how long it still accepts though it is no longer ready, milliseconds. Default 5000.
    pub grace_ms: u64,
    /// `SLUICE_DRAIN__DEADLINE_MS`: how long it then finishes what it has before the rest is cut, milliseconds.
    /// Default 600000, for the longest answers.
    pub deadline_ms: u64,
}

// === impl Config ===

impl Config {
    /// `[shaping]`; an edge that shares its counts with nobody has nobody to tell of targets.
    pub fn shaping(&self) -> shaping::Config {
        let hint_ms = match self.limits.store {
            counters::config::Store::Redis => self.shaping.hint_ms,
            counters::config::Store::Process => 0,
        };
        shaping::Config {
            hint_ms,
            ..self.shaping
        }
    }
}

// === impl Limits ===

impl Limits {
    /// The counters' part.
    pub fn counters(&self) -> counters::Config {
        let Self {
            store,
            redis_url,
            redis_ca_file,
            timeout_ms,
            lease_ms,
            ahead_ms,
            ..
        } = self.clone();
        counters::Config {
            store,
            redis_url,
            redis_ca_file,
            timeout_ms,
            lease_ms,
            ahead_ms,
        }
    }

    /// How often counts are compared with the ledger.
    pub fn ledger_every(&self) -> Result<Duration, InvalidLedgerEvery> {
        let every_ms = self.ledger_every_ms;
        let fits = (1_000..=3_600_000).contains(&every_ms);
        fits.then(|| Duration::from_millis(every_ms))
            .ok_or(InvalidLedgerEvery)
    }

    /// The guesses.
    pub const fn guesses(&self) -> admit::Config {
        admit::Config {
            output_tokens_default: self.output_tokens_default,
            top_up_tokens: self.top_up_tokens,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let counters::Config {
            store,
            redis_url,
            redis_ca_file,
            timeout_ms,
            lease_ms,
            ahead_ms,
        } = Default::default();
        let admit::Config {
            output_tokens_default,
            top_up_tokens,
        } = Default::default();
        Self {
            store,
            redis_url,
            redis_ca_file,
            timeout_ms,
            lease_ms,
            ahead_ms,
            output_tokens_default,
            top_up_tokens,
            ledger_every_ms: 30_000,
        }
    }
}

// === impl ControlPlane ===

impl Default for ControlPlane {
    fn default() -> Self {
        Self {
            addresses: vec!["http://127.0.0.1:7071".to_owned()],
            join_token: None,
            join_token_file: None,
            plaintext_beyond_loopback: false,
            snapshot_bytes_max: 1 << 30,
        }
    }
}

// === impl Ops ===

impl Default for Ops {
    fn default() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 8081));
        Self {
            address,
            plaintext_beyond_loopback: false,
            metrics: true,
            ports_file: None,
        }
    }
}

// === impl Drain ===

impl Drain {
    /// How long it still accepts.
    pub const fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }

    /// How long it then finishes what it has.
    pub const fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            grace_ms: 5_000,
            deadline_ms: 600_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use lifecycle::settings;

    use super::*;

    fn load(vars: &[(&str, &str)]) -> Result<Config, settings::InvalidSettings> {
        settings::load(
            None,
            vars.iter()
                .map(|(name, value)| ((*name).into(), (*value).into())),
        )
    }

    #[test]
    fn the_settings_print_without_their_secrets() {
        let config = load(&[
            ("SLUICE_CONTROL_PLANE__JOIN_TOKEN", "slj_hunter2"),
            ("SLUICE_STATE__KEY", "hunter2"),
            ("SLUICE_LIMITS__REDIS_URL", "redis://:hunter2@localhost/"),
            ("SLUICE_LIMITS__OUTPUT_TOKENS_DEFAULT", "7"),
            ("SLUICE_INFERENCE__ADDRESS", "127.0.0.1:0"),
        ]);
        let config = config.unwrap();
        assert_eq!(config.limits.guesses().output_tokens_default, 7);
        assert_eq!(config.inference.address.port(), 0);
        let printed = format!("{config:?}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }

    #[test]
    fn a_typing_error_in_a_shared_section_is_told() {
        assert!(load(&[("SLUICE_LIMITS__LEASE", "1")]).is_err());
        assert!(load(&[("SLUICE_STATE__DIRECTROY", "/var/lib/sluice")]).is_err());
    }
}
