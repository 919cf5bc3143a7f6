//! What goes into the next batch of one lane for one remit, and what waits.
//!
//! A pure question to the ring. A change that must wait holds all that comes after it in its lane, so that the order
//! of a lane is never broken.

use std::sync::Arc;

use policy::{change::Operation, hash::StateHash, object::Lane, remit::Remit, revision::Revision};

use crate::publish::{
    parcel::{Batch, Gate},
    ring::{CHANGE_OVERHEAD_BYTES, Ring},
};

/// The most that one batch holds.
pub const BATCH_BYTES_MAX: usize = 1 << 20; // Full: the rest goes into the next one.

/// What comes after `sent`, where the state hash is `hash`, and how many bytes it has. The batch ends where it
/// starts when nothing may go; `None` when the ring no longer keeps what comes next.
pub fn gather(
    ring: &Ring,
    (lane, remit): (Lane, &Remit),
    gate: Gate,
    (sent, hash): (Revision, StateHash),
) -> Option<(Batch, usize)> {
    let (previous, revision, changes) = (sent, sent, Vec::new());
    let mut batch = Batch {
        previous,
        revision,
        changes,
        hash,
    };
    let mut bytes = CHANGE_OVERHEAD_BYTES;
    for change in ring.after(sent)? {
        if change.lane == lane {
            if let Some(operation) = change.operation_for(remit) {
                let held = operation == Operation::Upsert && !gate.admits(change.needs_config);
                let full = bytes + change.bytes() > BATCH_BYTES_MAX && !batch.changes.is_empty();
                if held || full {
                    break;
                }
                bytes += change.bytes();
                batch.changes.push((operation, Arc::clone(change)));
            }
            batch.hash = change.forward(remit, batch.hash);
        }
        batch.revision = change.revision;
    }
    Some((batch, bytes))
}
