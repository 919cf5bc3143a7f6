//! What an edge finds on its own disk at start.
//!
//! Revocations first, then the lanes. Nothing in here fails: what cannot be read is absent, and the control
//! plane will send it.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use policy::object::Lane;
use proto::sync as wire;

use crate::{
    feed::{
        aside::Aside,
        disk::{Directory, Generation, generation::Place, orders::Places, replay},
        lane::LaneState,
    },
    in_force::Writer,
};

/// What was found.
pub struct Found {
    /// The lanes, those that were found in force.
    pub lanes: [LaneState; 3],
    /// Where each found lane is, and where it was.
    pub places: Places,
    /// Revocations in the lanes that were not in their own journal.
    pub unkept: Vec<String>,
}

/// Reads what there is and puts it in force. Blocks.
pub fn read(directory: Option<&Directory>, writer: &mut Writer, now: Instant) -> Found {
    let mut found = Found {
        lanes: Lane::ALL.map(|lane| LaneState::new(lane, now)),
        places: HashMap::new(),
        unkept: Vec::new(),
    };
    let Some(directory) = directory else {
        return found;
    };
    for key_id in replay::revoked(directory) {
        writer.revoke(&key_id, false);
    }
    for state in &mut found.lanes {
        let lane = state.lane;
        // Where: whatever is wrong with the bytes, the edge starts. What was half put in force is put in force
        // anew by the snapshot that follows.
        let read = catch_unwind(AssertUnwindSafe(|| {
            lane_from_disk(directory, writer, state, now)
        }));
        match read {
            Ok(Some((place, from, mut revoked))) => {
                found.places.insert(lane, (place, from));
                found.unkept.append(&mut revoked);
            }
            Ok(None) => {}
            Err(_) => tracing::error!(lane = lane.word(), "reading the lane from disk panicked"),
        }
    }
    found
}

fn lane_from_disk(
    directory: &Directory,
    writer: &mut Writer,
    state: &mut LaneState,
    now: Instant,
) -> Option<(Place, Generation, Vec<String>)> {
    let lane = state.lane;
    let take = Aside::take_stored;
    let read = replay::lane(directory, lane, || Aside::new(lane), take)?;
    let installed = read.state.install(writer, read.place.revision);
    tracing::info!(
        lane = lane.word(),
        revision = read.place.revision.0,
        "in force from disk"
    );
    let refused = !installed.ledger.refused().is_empty();
    state.restored(read.place.clone(), installed.ledger);
    if refused {
        // This build may take what the one before it could not.
        state.load(now, "something in it was refused once");
    }
    Some((read.place, read.from, installed.newly_revoked))
}

impl Found {
    /// Where the state came from, as a whole.
    pub fn boot(&self) -> wire::Boot {
        let previous = |(_, from): &(Place, Generation)| *from == Generation::Previous;
        if self.places.is_empty() {
            wire::Boot::Fresh
        } else if self.places.values().any(previous) {
            wire::Boot::DiskPrevious
        } else {
            wire::Boot::Disk
        }
    }
}
