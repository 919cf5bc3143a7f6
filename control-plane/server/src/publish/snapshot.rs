//! Snapshots: the whole of one lane for one remit, cut into chunks that can be asked for one by one.
//!
//! A snapshot is a list of the objects as they stood, shared with the state, and is encoded chunk by chunk as it is
//! sent; so it costs little to keep, and what is sealed is opened only then. Equal ids mean equal bytes.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use metrics::{describe_gauge, gauge};
use policy::{object::Lane, remit::Remit};
use prost::Message;
use proto::sync::{FetchSnapshotResponse, SnapshotData};
use seal::CannotOpen;
use sha2::{Digest, Sha256};

use crate::publish::{
    hub::Hub, live::Live, parcel::Claim, ring::CHANGE_OVERHEAD_BYTES, state::State, values::Values,
    wire,
};

/// The most that one chunk holds.
const CHUNK_BYTES_MAX: usize = 1 << 20; // Full: the next one begins.

/// The most snapshots that are sent at once.
const SENT_AT_ONCE_MAX: usize = 4; // Full: the edge is told to come back.

/// How long one may take. An edge that takes longer loses its leave, even if it reads nothing and so hears nothing.
pub const SENT_WITHIN: Duration = Duration::from_mins(2);

/// The most snapshots that are kept for edges that come back for the rest.
const KEPT_MAX: usize = 8; // Full: the oldest goes, and who still wants it starts anew.

/// What this replica keeps of snapshots.
pub struct Snapshots {
    hub: Arc<Hub>,
    values: Values,
    kept: Mutex<VecDeque<Arc<Snapshot>>>,
    slots: Arc<Mutex<Slots>>,
}

/// Which snapshots are being sent, and since when.
#[derive(Default)]
struct Slots {
    since: HashMap<u64, Instant>,
    given: u64,
}

/// One lane for one remit, at one revision.
pub struct Snapshot {
    id: Vec<u8>,
    lane: Lane,
    remit: Remit,
    cursor: Claim,
    chunks: Vec<Vec<Arc<Live>>>,
}

/// The leave to send one snapshot.
pub struct Slot {
    number: u64,
    slots: Arc<Mutex<Slots>>,
}

/// Registers what is measured here.
pub fn describe() {
    describe_gauge!(
        "sluice_control_plane_snapshots_in_flight",
        "Snapshots being sent to edges"
    );
    gauge!("sluice_control_plane_snapshots_in_flight").set(0.0);
}

// === impl Snapshots ===

impl Snapshots {
    /// None kept yet.
    pub fn new(hub: Arc<Hub>, values: Values) -> Self {
        Self {
            hub,
            values,
            kept: Mutex::default(),
            slots: Arc::default(),
        }
    }

    /// The leave to send one; `None` when enough are being sent.
    pub fn slot(&self, now: Instant) -> Option<Slot> {
        let mut slots = lock(&self.slots);
        let within = |since: &Instant| now.saturating_duration_since(*since) < SENT_WITHIN;
        slots.since.retain(|_, since| within(since));
        if slots.since.len() >= SENT_AT_ONCE_MAX {
            return None;
        }
        slots.given += 1;
        let number = slots.given;
        slots.since.insert(number, now);
        show(&slots);
        let slots = Arc::clone(&self.slots);
        Some(Slot { number, slots })
    }

    /// The newest snapshot when `id` is empty, else the one with this id; `None` when that one is gone.
    pub fn find(&self, lane: Lane, remit: &Remit, id: &[u8]) -> Option<Arc<Snapshot>> {
        let newest = self.hub.read(|state| snapshot_id(state, lane, remit));
        let wanted = if id.is_empty() { &newest } else { id };
        if let Some(snapshot) = self.kept(wanted) {
            // Nobody gets another remit's by naming it.
            let own = snapshot.lane == lane && snapshot.remit == *remit;
            return own.then_some(snapshot);
        }
        if wanted != newest {
            return None;
        }
        let snapshot = Arc::new(self.hub.read(|state| Snapshot::of(state, lane, remit)));
        // The state may have moved on since; a snapshot that is newer than what was asked for is another one.
        if !id.is_empty() && snapshot.id != id {
            return None;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(Arc::clone(&snapshot));
        Some(snapshot)
    }

    /// One chunk as it goes out; `None` past the last one.
    pub fn chunk(
        &self,
        snapshot: &Snapshot,
        index: usize,
    ) -> Option<Result<FetchSnapshotResponse, CannotOpen>> {
        let objects = snapshot.chunks.get(index)?;
        let changes = objects
            .iter()
            .map(|live| wire::live(snapshot.lane, live, &self.values));
        let changes = match changes.collect::<Result<Vec<_>, _>>() {
            Ok(changes) => changes,
            Err(cannot_open) => return Some(Err(cannot_open)),
        };
        let data = SnapshotData { changes }.encode_to_vec();
        Some(Ok(FetchSnapshotResponse {
            snapshot_id: snapshot.id.clone(),
            cursor: Some(wire::cursor(snapshot.lane, &snapshot.cursor)),
            index: index as u64,
            total: snapshot.chunks.len() as u64,
            sha256: Sha256::digest(&data).to_vec(),
            data,
        }))
    }

    fn kept(&self, id: &[u8]) -> Option<Arc<Snapshot>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|it| it.id == id).map(Arc::clone)
    }
}

// === impl Snapshot ===

impl Snapshot {
    fn of(state: &State, lane: Lane, remit: &Remit) -> Self {
        let (mut chunks, mut chunk, mut bytes) = (Vec::new(), Vec::new(), 0);
        for live in state.objects(lane, remit) {
            // Sealed values are longer than what is sent, so this never says too little.
            let more = live.key.len() + live.value.len() + CHANGE_OVERHEAD_BYTES;
            if bytes + more > CHUNK_BYTES_MAX && !chunk.is_empty() {
                chunks.push(std::mem::take(&mut chunk));
                bytes = 0;
            }
            bytes += more;
            chunk.push(Arc::clone(live));
        }
        // An empty lane is one empty chunk: the edge must learn that it is empty.
        chunks.push(chunk);
        let (epoch, revision) = (state.epoch().clone(), state.revision());
        let cursor = Claim {
            epoch,
            revision,
            hash: state.hash(lane, remit),
        };
        let id = snapshot_id(state, lane, remit);
        Self {
            id,
            lane,
            remit: remit.clone(),
            cursor,
            chunks,
        }
    }
}

/// The digest of all that tells one snapshot from another, so that its parts cannot be taken apart or made up.
fn snapshot_id(state: &State, lane: Lane, remit: &Remit) -> Vec<u8> {
    let mut digest = Sha256::new();
    digest.update([lane as u8]);
    digest.update(state.revision().0.to_be_bytes());
    digest.update(state.hash(lane, remit).as_bytes());
    digest.update([u8::from(remit.organization.is_some())]);
    if let Some(organization) = &remit.organization {
        digest.update(organization.as_bytes());
    }
    // Of the two with no length of their own, the region cannot hold the zero between them.
    digest.update(remit.region.as_str());
    digest.update([0]);
    digest.update(state.epoch().as_bytes());
    digest.finalize().to_vec()
}

// === impl Slot ===

impl Drop for Slot {
    fn drop(&mut self) {
        let mut slots = lock(&self.slots);
        slots.since.remove(&self.number);
        show(&slots);
    }
}

fn lock(slots: &Mutex<Slots>) -> MutexGuard<'_, Slots> {
    slots.lock().unwrap_or_else(PoisonError::into_inner)
}

fn show(slots: &Slots) {
    let sent = u32::try_from(slots.since.len()).map_or(f64::INFINITY, f64::from);
    gauge!("sluice_control_plane_snapshots_in_flight").set(sent);
}

#[cfg(test)]
#[path = "snapshot_test.rs"]
mod tests;
