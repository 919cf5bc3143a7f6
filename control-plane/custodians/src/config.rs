//! `[seal.vault]` and `[seal.aws_kms]`: who unwraps sealing keys.
//!
//! Declares; decides nothing.

use std::path::PathBuf;

use lifecycle::settings::Secret;
use serde::Deserialize;

/// `[seal.vault]`: a key of a transit engine of Vault, or of a server that speaks like it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vault {
    /// `SLUICE_SEAL__VAULT__ADDRESS`: the server, such as `https://vault.example:8200`. Required.
    pub address: String,
    /// `SLUICE_SEAL__VAULT__MOUNT`: where the engine is mounted. Default `transit`.
    #[serde(default = "mount")]
    pub mount: String,
    /// `SLUICE_SEAL__VAULT__KEY`: the name of the engine's key. Required.
    pub key: String,
    /// `SLUICE_SEAL__VAULT__NAMESPACE`: the namespace, where there are such. Default: none.
    #[serde(default)]
    pub namespace: String,
    /// `SLUICE_SEAL__VAULT__TOKEN`: what lets this process use the key. This or `token_file` is required.
    pub token: Option<Secret>,
    /// `SLUICE_SEAL__VAULT__TOKEN_FILE`: a file that holds the same, read anew each time, as Vault's agent writes it.
    pub token_file: Option<PathBuf>,
    /// `SLUICE_SEAL__VAULT__CA_FILE`: authorities that the server's certificate may be of, as PEM, in place of the public ones.
    /// Default: none.
    pub ca_file: Option<PathBuf>,
    /// `SLUICE_SEAL__VAULT__PLAINTEXT_BEYOND_LOOPBACK`: whether the key may cross a network unencrypted. Default `false`.
    #[serde(default)]
    pub plaintext_beyond_loopback: bool,
}

/// `[seal.aws_kms]`: a symmetric key of AWS KMS, or of a server that speaks like it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsKms {
    /// `SLUICE_SEAL__AWS_KMS__KEY_ID`: the key: its ARN, its id, or an alias. Required.
    pub key_id: String,
    /// `SLUICE_SEAL__AWS_KMS__REGION`: where it stands. Default `us-east-1`.
    #[serde(default = "region")]
    pub region: String,
    /// `SLUICE_SEAL__AWS_KMS__ENDPOINT`: the server. Default: Amazon's in the region.
    #[serde(default)]
    pub endpoint: String,
    /// `SLUICE_SEAL__AWS_KMS__ACCESS_KEY_ID`: who asks. Required.
    pub access_key_id: String,
    /// `SLUICE_SEAL__AWS_KMS__SECRET_ACCESS_KEY`: what signs. This or `secret_access_key_file` is required.
    pub secret_access_key: Option<Secret>,
    /// `SLUICE_SEAL__AWS_KMS__SECRET_ACCESS_KEY_FILE`: a file that holds the same, read anew each time.
    pub secret_access_key_file: Option<PathBuf>,
    /// `SLUICE_SEAL__AWS_KMS__CA_FILE`: authorities that the server's certificate may be of, as PEM, in place of the public ones.
    /// Default: none.
    pub ca_file: Option<PathBuf>,
    /// `SLUICE_SEAL__AWS_KMS__PLAINTEXT_BEYOND_LOOPBACK`: whether the key may cross a network unencrypted. Default `false`.
    #[serde(default)]
    pub plaintext_beyond_loopback: bool,
}

fn mount() -> String {
    "transit".to_owned()
}

fn region() -> String {
    "us-east-1".to_owned()
}
