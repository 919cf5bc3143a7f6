//! The registries of others that versions come from: MLflow's model registry and KServe's inference services.
//!
//! Keeps out of everything else how those are asked, and what they say in which words. Knows what a registry points at; knows nothing
//! of who asks, how often, and what becomes of it. Logs nothing; no credential and no word of a registry is in an error, but names.

pub mod config;
mod unsaid;
mod client;
mod told;
mod mlflow;
mod kserve;
mod registry;

pub use config::Config;
pub use registry::{Asker, Registry, is_trusted};
pub use unsaid::Unsaid;
