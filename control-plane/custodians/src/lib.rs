//! The services of others that keep a sealing key wrapped: Vault's transit engine, AWS KMS, Google Cloud KMS and Azure Key Vault.
//!
//! Keeps out of everything else how those are asked, and who is trusted there. Knows a wrapped text and the key that comes of it;
//! knows nothing of what is sealed. Logs nothing; no key, token or secret is in an error.

pub mod config;
mod unopened;
mod client;
mod drawn;
mod vault;
mod aws_kms;
mod google_kms;
mod azure_key_vault;
mod custodian;

pub use config::{AwsKms, AzureKeyVault, GoogleKms, Set, Vault};
pub use custodian::{Custodian, is_wrapped};
pub use unopened::{Unopened, Unusable};
