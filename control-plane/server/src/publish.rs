//! Policy, down: tails the change log and streams it to edges.
//!
//! Knows nothing of what operators ask, or of usage. What an edge holds only moves forward, and a revocation is the
//! one thing that overtakes.

pub mod values;
pub mod ring;
pub mod live;
pub mod state;
pub mod parcel;
#[cfg(test)]
mod example;
pub mod flights;
pub mod gather;
pub mod lane;
#[cfg(test)]
mod remit_test;
pub mod follower;
pub mod wire;
pub mod hub;
pub mod tail;
pub mod join;
pub mod enrol;
pub mod door;
pub mod edges;
pub mod snapshot;
pub mod connected;
pub mod lessor;
pub mod ledger;
pub mod session;
pub mod sync;

/// Registers what is measured in this module's files.
pub fn describe() {
    tail::describe();
    edges::describe();
    snapshot::describe();
    connected::describe();
}
