//! The settings of the control plane, assembled. Each is a field of the file or `SLUICE_SECTION__FIELD`.
//!
//! Named only by `server` and the main; the parts get what they need of it. Prints with every secret left out.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use lifecycle::{logs, settings::Secret};
use serde::Deserialize;

/// Everything.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[database]`: where Postgres is. Required.
    pub database: store::Config,
    /// `[admin]`: for operators.
    #[serde(default)]
    pub admin: Admin,
    /// `[edges]`: for edges.
    #[serde(default)]
    pub edges: Edges,
    /// `[ops]`: for probes and metrics.
    #[serde(default)]
    pub ops: Ops,
    /// `[seal]`: the key under which secrets rest. Required.
    #[serde(default)]
    pub seal: Seal,
    /// `[audit]`: how often the heads of the audit trail are signed.
    #[serde(default)]
    pub audit: Audit,
    /// `[usage]`: how long records of requests are kept.
    #[serde(default)]
    pub usage: Usage,
    /// `[issuers]`: how issuers of operators' tokens are met, see [`signers::Config`].
    #[serde(default)]
    pub issuers: signers::Config,
    /// `[sources]`: how registries that versions come from are met, see [`registries::Config`].
    #[serde(default)]
    pub sources: registries::Config,
    /// `[sinks.NAME]`: where records go besides, see [`sinks::Config`]. Default: nowhere.
    #[serde(default)]
    pub sinks: BTreeMap<String, sinks::Config>,
    /// `[audit_sinks.NAME]`: where the audit trail goes besides, see [`sinks::TrailConfig`]. Default: nowhere.
    #[serde(default)]
    pub audit_sinks: BTreeMap<String, sinks::TrailConfig>,
    /// `[alerts]`: how often it is looked whether people are to be told, and where notices may go, see [`courier::Config`].
    #[serde(default)]
    pub alerts: courier::Config,
    /// `[telemetry]`: where metrics and logs go besides, see [`telemetry::Config`].
    #[serde(default)]
    pub telemetry: telemetry::Config,
    /// `[logs]`: what is logged, and how.
    #[serde(default)]
    pub logs: logs::Config,
    /// `[drain]`: how the process leaves.
    #[serde(default)]
    pub drain: Drain,
}

/// The listener of the admin API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// `SLUICE_ADMIN__ADDRESS`: host and port; port 0 takes a free one. Default `127.0.0.1:7070`.
    pub address: SocketAddr,
    /// `SLUICE_ADMIN__PLAINTEXT_BEYOND_LOOPBACK`: whether operator keys may cross a network unencrypted. Default `false`.
    pub plaintext_beyond_loopback: bool,
    /// `[admin.tls]`: the certificates to serve with, see [`tls::Config`]. Default: none, and no TLS.
    pub tls: Option<tls::Config>,
    /// `SLUICE_ADMIN__OPERATOR_KEY_FILE`: where the first start writes the operator key, readable by its user alone.
    /// Default: none, it is printed once.
    pub operator_key_file: Option<PathBuf>,
}

/// The listener for edges.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Edges {
    /// `SLUICE_EDGES__ADDRESS`: host and port; port 0 takes a free one. Default `127.0.0.1:7071`.
    pub address: SocketAddr,
    /// `SLUICE_EDGES__PLAINTEXT_BEYOND_LOOPBACK`: whether join tokens and provider credentials may cross a network
    /// unencrypted. Default `false`.
    pub plaintext_beyond_loopback: bool,
    /// `SLUICE_EDGES__TLS`: whether to speak TLS with a certificate of this installation's own authority, and to know edges by
    /// certificates of it instead of join tokens. Default `false`.
    pub tls: bool,
    /// `SLUICE_EDGES__NAMES`: the host names and addresses under which edges reach this replica, besides `localhost` and the
    /// address where it listens. Default: none.
    pub names: Vec<String>,
    /// `SLUICE_EDGES__CERTIFICATE_LIFE_MS`: how long an edge's certificate is good, milliseconds; it is renewed after two
    /// thirds. At least 3000. Default 86400000, a day.
    pub certificate_life_ms: u64,
}

/// The listener for probes and metrics.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ops {
    /// `SLUICE_OPS__ADDRESS`: host and port; port 0 takes a free one. Default `127.0.0.1:7072`.
    pub address: SocketAddr,
    /// `SLUICE_OPS__PLAINTEXT_BEYOND_LOOPBACK`: whether others than this machine may ask. Default `false`.
    pub plaintext_beyond_loopback: bool,
    /// `SLUICE_OPS__PORTS_FILE`: where the bound addresses are written as JSON, for tests. Default: nowhere.
    pub ports_file: Option<PathBuf>,
}

/// The key under which secrets rest in the database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Seal {
    /// `SLUICE_SEAL__KEY`: 32 bytes as 64 hex digits or base64, or what `seal-key` shows: such a key, wrapped by a service. This or
    /// `key_file` is required.
    pub key: Option<Secret>,
    /// `SLUICE_SEAL__KEY_FILE`: a file that holds the same.
    pub key_file: Option<PathBuf>,
    /// `SLUICE_SEAL__OPEN_KEY_FILES`: files of keys that only open what they sealed, while the key is rotated. Default: none.
    pub open_key_files: Vec<PathBuf>,
    /// `[seal.vault]`: who unwraps keys that begin with `vault:`, see [`custodians::Vault`]. Default: nobody.
    pub vault: Option<custodians::Vault>,
    /// `[seal.aws_kms]`: who unwraps keys that begin with `aws-kms:`, see [`custodians::AwsKms`]. Default: nobody.
    pub aws_kms: Option<custodians::AwsKms>,
    /// `[seal.google_kms]`: who unwraps keys that begin with `google-kms:`, see [`custodians::GoogleKms`]. Default: nobody.
    pub google_kms: Option<custodians::GoogleKms>,
    /// `[seal.azure_key_vault]`: who unwraps keys that begin with `azure-key-vault:`, see [`custodians::AzureKeyVault`]. Default: nobody.
    pub azure_key_vault: Option<custodians::AzureKeyVault>,
    /// `SLUICE_SEAL__LOOK_EVERY_MS`: how often it is looked whether they still unwrap them, milliseconds, at least 100. Default
    /// 60000.
    pub look_every_ms: u64,
}

/// How often the heads of the audit trail are signed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// `SLUICE_AUDIT__CHECKPOINT_EVERY_MS`: how long after a checkpoint of a chain that has grown the next one is signed at the
    /// earliest, milliseconds, 100 to 3600000. Default 60000.
    pub checkpoint_every_ms: u64,
}

/// How long records of requests are kept.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Usage {
    /// `SLUICE_USAGE__RECORDS_DAYS`: for how many days, 1 to 65535; the sums stay. Default: none, for ever.
    pub records_days: Option<std::num::NonZeroU16>,
}

/// How the process leaves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drain {
    /// `SLUICE_DRAIN__GRACE_MS`: how long it still accepts though it is no longer ready, milliseconds. Default 1000.
    pub grace_ms: u64,
    /// `SLUICE_DRAIN__DEADLINE_MS`: how long it then finishes what it has before the rest is cut, milliseconds.
    /// Default 10000.
    pub deadline_ms: u64,
}

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

// === impl Admin ===

impl Default for Admin {
    fn default() -> Self {
        Self {
            address: local(7070),
            plaintext_beyond_loopback: false,
            tls: None,
            operator_key_file: None,
        }
    }
}

// === impl Edges ===

impl Edges {
    /// How long an edge's certificate is good.
    pub fn certificate_life(&self) -> Duration {
        Duration::from_millis(self.certificate_life_ms.max(3_000))
    }
}

impl Default for Edges {
    fn default() -> Self {
        Self {
            address: local(7071),
            plaintext_beyond_loopback: false,
            tls: false,
            names: Vec::new(),
            certificate_life_ms: 86_400_000,
        }
    }
}

// === impl Ops ===

impl Default for Ops {
    fn default() -> Self {
        Self {
            address: local(7072),
            plaintext_beyond_loopback: false,
            ports_file: None,
        }
    }
}

// === impl Seal ===

impl Seal {
    /// How often it is looked whether wrapped keys are still unwrapped.
    pub const fn look_every(&self) -> Duration {
        Duration::from_millis(self.look_every_ms)
    }
}

impl Default for Seal {
    fn default() -> Self {
        Self {
            key: None,
            key_file: None,
            open_key_files: Vec::new(),
            vault: None,
            aws_kms: None,
            google_kms: None,
            azure_key_vault: None,
            look_every_ms: 60_000,
        }
    }
}

// === impl Audit ===

impl Audit {
    /// How long after a checkpoint of a chain the next one is signed at the earliest.
    pub fn checkpoint_every(&self) -> Duration {
        Duration::from_millis(self.checkpoint_every_ms.clamp(100, 3_600_000))
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            checkpoint_every_ms: 60_000,
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
            grace_ms: 1_000,
            deadline_ms: 10_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_print_without_their_secrets() {
        let vars = [
            (
                "SLUICE_DATABASE__URL",
                "postgres://user:hunter2@localhost/sluice",
            ),
            ("SLUICE_SEAL__KEY", "0123456789abcdef"),
            ("SLUICE_ADMIN__ADDRESS", "127.0.0.1:0"),
        ];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config: Config = lifecycle::settings::load(None, vars).unwrap();
        let printed = format!("{config:?}");
        assert!(!printed.contains("hunter2") && !printed.contains("0123456789abcdef"));
        assert!(printed.contains("127.0.0.1:7071"));
        assert_eq!(config.admin.address.port(), 0);
    }
}
