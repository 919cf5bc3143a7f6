//! Spans of requests, and their way to a collector.
//!
//! Keeps out how spans are said on the wire: OpenTelemetry's protocol is known here and nowhere else. Knows nothing of
//! requests; whoever has one says what is to be told. Nobody ever waits for a collector: what finds no place in the queue
//! is dropped and counted. Where no collector is named, nothing here runs and a request pays for one comparison.

pub mod config;
pub mod context;
pub mod span;
pub mod tracer;
mod wire;
pub mod export;

pub use config::Config;
pub use context::Context;
pub use span::{Kind, Span, Value};
pub use tracer::Tracer;
