//! A Postgres server that belongs to one process. The only crate that starts a database.
//!
//! Owns finding the binaries, making a cluster, starting and stopping it, and seeing that it never outlives
//! its owner. Knows nothing of schemas or of who connects. The server listens on a socket in a folder that
//! only its owner can enter, never on the network.

pub mod binaries;
pub mod cannot_start;
pub mod owner;
mod socket;
pub mod guard;
pub mod cluster;

pub use cannot_start::CannotStart;
pub use cluster::{Options, Postgres};
