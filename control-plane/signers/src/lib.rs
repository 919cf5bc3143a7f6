//! How the control plane comes by the public keys of issuers of tokens. Kept out: what a token is for, and who trusts whom.
//!
//! Asks nobody that an operator has not named, at addresses that may be dialled, within bounds of time and length. Keys
//! outlive an outage of their issuer for a day.

pub mod config;
pub mod no_keys;
mod client;
mod fetch;
mod known;
pub mod signers;

pub use config::Config;
pub use no_keys::NoKeys;
pub use signers::{Place, Signers, describe};
