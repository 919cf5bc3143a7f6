//! Real Postgres, real Redis, scripted providers and our own binaries, one set for each test.
//!
//! Owns starting and stopping them and what a test says to them. Knows nothing of our insides: it drives the
//! programs as an operator and a client would.

#![expect(
    clippy::missing_panics_doc,
    reason = "everything here panics when a part does not start: that is how a test fails"
)]

pub mod wait;
pub mod progress;
pub mod authority;
pub mod binaries;
pub mod process;
pub mod database;
pub mod redis;
pub mod bucket;
pub mod relay;
pub mod provider;
pub mod mail;
pub mod collector;
pub mod client;
pub mod kms;
pub mod mlflow;
pub mod front;
pub mod prometheus;
pub mod admin;
pub mod site;
pub mod tenant;
