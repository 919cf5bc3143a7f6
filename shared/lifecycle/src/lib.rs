//! How a process of ours starts, becomes ready and drains.
//!
//! Keeps out what the process is for: policy, protobuf, SQL, Redis and the inference path are unknown here,
//! and both planes start and stop by the same rules. In return nothing else reads the environment, the
//! machine's clock, or a signal.

pub mod clock;
mod variable;
mod layers;
pub mod settings;
pub mod tap;
pub mod logs;
pub mod build;
pub mod ready;
pub mod drain;
pub mod exposition;
pub mod ops;
pub mod listen;
pub mod announce;

pub use metrics_exporter_prometheus::PrometheusHandle;
