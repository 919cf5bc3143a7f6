//! The feed against a scripted control plane on loopback.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod plane;
mod script;
mod edge;
mod follow;
mod snapshots;
mod disk;
mod poison;
