//! Metrics and logs on their way to a collector.
//!
//! Keeps out how OpenTelemetry says them. Knows no metric by name and no event by its words: what Prometheus would be shown
//! and what is logged goes as it is. Nobody ever waits for a collector; what does not reach it is dropped and counted.

pub mod collector;
pub mod wire;
pub mod config;
mod reading;
mod said;
pub mod telling;

pub use collector::{Address, Collector, Unusable};
pub use config::Config;
pub use telling::Telling;
