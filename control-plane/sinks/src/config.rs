//! `[sinks.NAME]`: where records go besides Postgres; `[audit_sinks.NAME]`: where the audit trail does.
//!
//! Declares; decides nothing. A name is part of what is kept in the database: under another one everything is sent again.

use std::path::PathBuf;

use lifecycle::settings::Secret;
use serde::Deserialize;

/// `[sinks.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `SLUICE_SINKS__NAME__EVERY_MS`: how long records gather before they are sent, milliseconds, at least 100. Default 60000.
    #[serde(default = "every_ms")]
    pub every_ms: u64,
    /// `[sinks.NAME.s3]`: a bucket. Required.
    pub s3: S3,
}

/// `[audit_sinks.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrailConfig {
    /// `SLUICE_AUDIT_SINKS__NAME__EVERY_MS`: how often it is looked whether there is something to send, milliseconds, at least 100. Default
    /// 5000. The trail is handed on as far as it is signed, so `[audit] checkpoint_every_ms` says how late it is.
    #[serde(default = "trail_every_ms")]
    pub every_ms: u64,
    /// `[audit_sinks.NAME.s3]`: a bucket, with the same settings as that of a sink. This or `syslog` is required.
    pub s3: Option<S3>,
    /// `[audit_sinks.NAME.syslog]`: a syslog server. This or `s3` is required.
    pub syslog: Option<Syslog>,
}

/// A syslog server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Syslog {
    /// `SLUICE_AUDIT_SINKS__NAME__SYSLOG__ADDRESS`: its host and port, such as `siem.example:6514`. Required.
    pub address: String,
    /// `SLUICE_AUDIT_SINKS__NAME__SYSLOG__TLS`: whether it is met over TLS (RFC 5425), and not over TCP alone (RFC 6587). Default `true`.
    #[serde(default = "tls")]
    pub tls: bool,
    /// `SLUICE_AUDIT_SINKS__NAME__SYSLOG__PLAINTEXT_BEYOND_LOOPBACK`: whether the trail may cross a network unencrypted. Default `false`.
    #[serde(default)]
    pub plaintext_beyond_loopback: bool,
    /// `SLUICE_AUDIT_SINKS__NAME__SYSLOG__CA_FILE`: authorities that the server's certificate may be of, as PEM, in place of the public
    /// ones. Default: none.
    pub ca_file: Option<PathBuf>,
}

/// A bucket of S3, or of a server that speaks like it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// `SLUICE_SINKS__NAME__S3__BUCKET`: its name. Required.
    pub bucket: String,
    /// `SLUICE_SINKS__NAME__S3__PREFIX`: what the names of objects begin with, such as `sluice/`. Default: nothing.
    #[serde(default)]
    pub prefix: String,
    /// `SLUICE_SINKS__NAME__S3__REGION`: its region. Default `us-east-1`.
    #[serde(default = "region")]
    pub region: String,
    /// `SLUICE_SINKS__NAME__S3__ENDPOINT`: the server, such as `https://minio.example:9000`. Default: Amazon's in the region.
    #[serde(default)]
    pub endpoint: String,
    /// `SLUICE_SINKS__NAME__S3__VIRTUAL_HOSTED`: whether the bucket's name stands in the host, and not in the path. Default `false`.
    #[serde(default)]
    pub virtual_hosted: bool,
    /// `SLUICE_SINKS__NAME__S3__PLAINTEXT_BEYOND_LOOPBACK`: whether records may cross a network unencrypted. Default `false`.
    #[serde(default)]
    pub plaintext_beyond_loopback: bool,
    /// `SLUICE_SINKS__NAME__S3__CA_FILE`: authorities that the server's certificate may be of, as PEM, in place of the public
    /// ones. Default: none.
    pub ca_file: Option<PathBuf>,
    /// `SLUICE_SINKS__NAME__S3__ACCESS_KEY_ID`: whose key signs. Required.
    pub access_key_id: String,
    /// `SLUICE_SINKS__NAME__S3__SECRET_ACCESS_KEY`: the key. This or `secret_access_key_file` is required.
    pub secret_access_key: Option<Secret>,
    /// `SLUICE_SINKS__NAME__S3__SECRET_ACCESS_KEY_FILE`: a file that holds the same.
    pub secret_access_key_file: Option<PathBuf>,
}

const fn trail_every_ms() -> u64 {
    5_000
}

const fn tls() -> bool {
    true
}

const fn every_ms() -> u64 {
    60_000
}

fn region() -> String {
    "us-east-1".to_owned()
}
