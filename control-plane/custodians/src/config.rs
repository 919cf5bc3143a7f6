//! `[seal.vault]`, `[seal.aws_kms]`, `[seal.google_kms]` and `[seal.azure_key_vault]`: who unwraps sealing keys.
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

/// `[seal.google_kms]`: a symmetric key of Google Cloud KMS, or of a server that speaks like it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoogleKms {
    /// `SLUICE_SEAL__GOOGLE_KMS__KEY`: `projects/P/locations/L/keyRings/R/cryptoKeys/K`. Required.
    pub key: String,
    /// `SLUICE_SEAL__GOOGLE_KMS__ENDPOINT`: the server. Default: Google's.
    #[serde(default)]
    pub endpoint: String,
    /// `SLUICE_SEAL__GOOGLE_KMS__CREDENTIAL`: the key of a service account, as Google gives it: JSON. This or `credential_file` is
    /// required.
    pub credential: Option<Secret>,
    /// `SLUICE_SEAL__GOOGLE_KMS__CREDENTIAL_FILE`: a file that holds the same, read anew each time.
    pub credential_file: Option<PathBuf>,
    /// `SLUICE_SEAL__GOOGLE_KMS__CA_FILE`: authorities that the server's certificate may be of, as PEM, in place of the public ones.
    /// Default: none.
    pub ca_file: Option<PathBuf>,
    /// `SLUICE_SEAL__GOOGLE_KMS__PLAINTEXT_BEYOND_LOOPBACK`: whether the key may cross a network unencrypted. Default `false`.
    #[serde(default)]
    pub plaintext_beyond_loopback: bool,
}

/// `[seal.azure_key_vault]`: a key of RSA of Azure Key Vault, or of a server that speaks like it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AzureKeyVault {
    /// `SLUICE_SEAL__AZURE_KEY_VAULT__ADDRESS`: the vault, such as `https://acme.vault.azure.net`. Required.
    pub address: String,
    /// `SLUICE_SEAL__AZURE_KEY_VAULT__KEY`: the name of the key. Required.
    pub key: String,
    /// `SLUICE_SEAL__AZURE_KEY_VAULT__TENANT_ID`: the tenant of the application. Required.
    pub tenant_id: String,
    /// `SLUICE_SEAL__AZURE_KEY_VAULT__CLIENT_ID`: the application that may wrap and unwrap with it. Required.
    pub client_id: String,
    /// `SLUICE_SEAL__AZURE_KEY_VAULT__CLIENT_SECRET`: its secret. This or `client_secret_file` is required.
    pub client_secret: Option<Secret>,
    /// `SLUICE_SEAL__AZURE_KEY_VAULT__CLIENT_SECRET_FILE`: a file that holds the same, read anew each time.
    pub client_secret_file: Option<PathBuf>,
    /// `SLUICE_SEAL__AZURE_KEY_VAULT__AUTHORITY`: who gives tokens. Default `https://login.microsoftonline.com`.
    #[serde(default = "authority")]
    pub authority: String,
    /// `SLUICE_SEAL__AZURE_KEY_VAULT__SCOPE`: what they are for. Default `https://vault.azure.net/.default`.
    #[serde(default = "scope")]
    pub scope: String,
    /// `SLUICE_SEAL__AZURE_KEY_VAULT__CA_FILE`: authorities that both certificates may be of, as PEM, in place of the public ones.
    /// Default: none.
    pub ca_file: Option<PathBuf>,
    /// `SLUICE_SEAL__AZURE_KEY_VAULT__PLAINTEXT_BEYOND_LOOPBACK`: whether the key may cross a network unencrypted. Default `false`.
    #[serde(default)]
    pub plaintext_beyond_loopback: bool,
}

/// Those that are set.
#[derive(Debug, Clone, Copy, Default)]
pub struct Set<'a> {
    /// `[seal.vault]`.
    pub vault: Option<&'a Vault>,
    /// `[seal.aws_kms]`.
    pub aws_kms: Option<&'a AwsKms>,
    /// `[seal.google_kms]`.
    pub google_kms: Option<&'a GoogleKms>,
    /// `[seal.azure_key_vault]`.
    pub azure_key_vault: Option<&'a AzureKeyVault>,
}

fn authority() -> String {
    "https://login.microsoftonline.com".to_owned()
}

fn scope() -> String {
    "https://vault.azure.net/.default".to_owned()
}

fn mount() -> String {
    "transit".to_owned()
}

fn region() -> String {
    "us-east-1".to_owned()
}
