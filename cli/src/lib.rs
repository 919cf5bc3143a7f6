//! The command line, and everything in one process.
//!
//! Owns the way from arguments to an exit code. Knows the planes from outside only: the admin API, and, behind
//! the feature `dev`, how each is started. The modules stand in dependency order; each may know only those
//! above it.

pub mod failure;
pub mod output;
pub mod moment;
pub mod wording;
pub mod place;
pub mod logins;
pub mod web;
pub mod connection;
pub mod propagation;
pub mod noun;
pub mod verb;
pub mod session;
pub mod person;
pub mod answer;
pub mod local;
pub mod login;
pub mod admin;
#[cfg(feature = "dev")]
pub mod demo;
#[cfg(feature = "dev")]
pub mod dev;
pub mod arguments;
pub mod program;
