//! What one lane and its edge hand each other: where the edge is, what it gets, what it answers.
//!
//! Plain values; knows nothing of protobuf, which `wire` meets, or of who decides, which is `lane`.

use std::sync::Arc;

use policy::{
    change::Operation,
    hash::StateHash,
    object::Lane,
    revision::{Epoch, Revision},
};

use crate::publish::ring::Logged;

/// Where an edge says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// In which history.
    pub epoch: Epoch,
    /// The last revision in force.
    pub revision: Revision,
    /// The state hash there.
    pub hash: StateHash,
}

/// What may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Nothing: other lanes come first.
    Shut,
    /// What needs at most this revision of the configuration.
    Config(Revision),
    /// Everything.
    Open,
}

/// What an edge gets next.
#[derive(Debug)]
pub enum Parcel {
    /// Changes.
    Batch(Batch),
    /// The word that it must start again from a snapshot, and why.
    NeedSnapshot(&'static str),
}

/// Changes after `previous`, up to and including `revision`.
#[derive(Debug)]
pub struct Batch {
    /// Where the edge must be.
    pub previous: Revision,
    /// Where it is then.
    pub revision: Revision,
    /// What it must do; may be nothing.
    pub changes: Vec<(Operation, Arc<Logged>)>,
    /// Its state hash then.
    pub hash: StateHash,
}

/// An acknowledgement.
#[derive(Debug, Clone, Copy)]
pub struct Acknowledged {
    /// The revision in force.
    pub revision: Revision,
    /// The revision that a restart would find.
    pub durable: Revision,
    /// The edge's state hash.
    pub hash: StateHash,
}

/// How far one lane of the edge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The lane.
    pub lane: Lane,
    /// The revision in force.
    pub applied: Revision,
    /// The revision that a restart would find.
    pub durable: Revision,
}

// === impl Gate ===

impl Gate {
    /// Whether what needs this revision of the configuration may go.
    pub fn admits(self, needed: Revision) -> bool {
        match self {
            Self::Shut => false,
            Self::Config(seen) => needed <= seen,
            Self::Open => true,
        }
    }
}
