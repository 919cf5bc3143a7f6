//! TLS at our own doors: certificates that reload, handshakes within bounds, and who a peer is.
//!
//! Keeps out what is said on a connection, settings files, protobuf and SQL. Nothing else makes or reads a
//! certificate. One provider of cryptography everywhere: aws-lc-rs.

mod provider;
pub mod files;
pub mod served;
pub mod wire;
pub mod door;
pub mod reload;

pub use files::Config;
