//! TLS at our own doors: certificates that reload, handshakes within bounds, and who a peer is.
//!
//! Keeps out what is said on a connection, settings files, protobuf and SQL. Nothing else makes or reads a
//! certificate. One provider of cryptography everywhere: aws-lc-rs.

mod provider;
pub mod files;
pub mod clients;
pub mod served;
pub mod wire;
pub mod door;
pub mod facts;
pub mod client;
pub mod reload;
pub mod member;
mod visitor;
pub mod authority;
pub mod membership;
pub mod pinned;

pub use files::Config;
pub use visitor::RENEWABLE;
