//! Where one lane is: what was received, what is still to come, and how far it lies behind.
//!
//! Knows the rules of joining on: a batch applies where it continues what is here, and one that does not
//! leads to a snapshot. Within one epoch a lane never goes back.

use std::time::{Duration, Instant};

use policy::object::Lane;
use proto::sync as wire;

use crate::feed::{backoff::Backoff, disk::generation::Place, download::Download, ledger::Ledger};

/// How many bytes of batches wait for a snapshot.
// Full: they are dropped, and what follows will not join on and lead to another snapshot.
const HELD_BYTES_MAX: usize = 16 << 20;

/// One lane.
pub struct LaneState {
    /// Which.
    pub lane: Lane,
    /// What was received.
    pub ledger: Ledger,
    /// Where it is; `None`: it has nothing.
    pub place: Option<Place>,
    /// A snapshot that is wanted or on its way.
    pub loading: Option<Loading>,
    /// When it last had all there was.
    current_at: Instant,
    backoff: Backoff,
}

/// A snapshot that is wanted or on its way.
pub struct Loading {
    /// Not before.
    pub due: Instant,
    /// Whether it is being fetched.
    pub running: bool,
    /// What has come of it.
    pub download: Option<Download>,
    held: Vec<wire::Batch>,
    held_bytes: usize,
}

/// How a batch joins on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joins {
    /// It continues what is here.
    Next,
    /// All of it is here.
    Known,
    /// Something between is missing, or it is of another history.
    Gap,
}

// === impl LaneState ===

impl LaneState {
    /// A lane that has nothing.
    pub fn new(lane: Lane, now: Instant) -> Self {
        let (ledger, backoff) = Default::default();
        Self {
            lane,
            ledger,
            place: None,
            loading: None,
            current_at: now,
            backoff,
        }
    }

    /// How a batch joins on. One that begins before our place and ends after it does: what it has for
    /// revisions that are here is passed over.
    pub fn joins(&self, batch: &wire::Batch) -> Joins {
        let Some(place) = &self.place else {
            return Joins::Gap;
        };
        let here = place.revision.0;
        if batch.epoch != place.epoch.as_bytes() || batch.previous_revision > here {
            Joins::Gap
        } else if batch.revision <= here {
            Joins::Known
        } else {
            Joins::Next
        }
    }

    /// Wants a snapshot: at once the first time, then ever more seldom until a minute has gone well.
    pub fn load(&mut self, now: Instant, why: &str) {
        if self.loading.is_some() {
            return;
        }
        let due = now + self.backoff.next(now);
        tracing::info!(lane = self.lane.word(), why, "a snapshot is wanted");
        let (held, held_bytes, running) = (Vec::new(), 0, false);
        self.loading = Some(Loading {
            due,
            running,
            download: None,
            held,
            held_bytes,
        });
    }

    /// The fetch came to an end before the snapshot did. `whole`: begin anew, else go on where it stopped.
    pub fn load_again(&mut self, now: Instant, whole: bool) {
        let wait = self.backoff.next(now);
        if let Some(loading) = &mut self.loading {
            loading.running = false;
            loading.due = now + wait;
            if whole {
                loading.download = None;
            }
        }
    }

    /// The lane was read from disk and is in force.
    pub fn restored(&mut self, place: Place, ledger: Ledger) {
        self.place = Some(place);
        self.ledger = ledger;
    }

    /// A snapshot is in force; gives the batches that waited for it.
    pub fn loaded(&mut self, place: Place, ledger: Ledger, now: Instant) -> Vec<wire::Batch> {
        self.place = Some(place);
        self.ledger = ledger;
        self.backoff.works(now);
        self.loading
            .take()
            .map(|loading| loading.held)
            .unwrap_or_default()
    }

    /// The connection is gone, and with it what waited and what was being fetched.
    pub fn cut(&mut self) {
        if let Some(loading) = &mut self.loading {
            loading.running = false;
            loading.held.clear();
            loading.held_bytes = 0;
        }
    }

    /// Whether this place may take over from where the lane is.
    pub fn may_go_to(&self, place: &Place) -> bool {
        self.place
            .as_ref()
            .is_none_or(|here| here.epoch != place.epoch || here.revision <= place.revision)
    }

    /// The lane as `Hello` says it. `None` while a snapshot is wanted, so that the other end knows.
    pub fn cursor(&self) -> Option<wire::Cursor> {
        let place = self.place.as_ref().filter(|_| self.loading.is_none())?;
        Some(wire::Cursor {
            lane: self.lane as i32,
            epoch: place.epoch.as_bytes().to_vec(),
            revision: place.revision.0,
            state_hash: self.ledger.hash().as_bytes().to_vec(),
        })
    }

    /// Notes how the lane stands to the newest there is. Says why it must be loaded anew, if it must.
    pub fn compare(&mut self, head: &wire::Cursor, now: Instant) -> Option<&'static str> {
        let place = self.place.as_ref().filter(|_| self.loading.is_none())?;
        if head.epoch != place.epoch.as_bytes() {
            return Some("the control plane is in another epoch");
        }
        if head.revision <= place.revision.0 {
            self.current_at = now;
        }
        let same = head.state_hash == self.ledger.hash().as_bytes();
        (head.revision == place.revision.0 && !same).then_some(HASH)
    }

    /// For how long it has not had all there was.
    pub fn behind(&self, now: Instant) -> Duration {
        now.duration_since(self.current_at)
    }
}

/// Why a lane is loaded when the state hashes differ.
pub const HASH: &str = "the state hash differs";

/// The lane with this number on the wire.
pub fn numbered(number: i32) -> Option<Lane> {
    u8::try_from(number).ok().and_then(Lane::from_number)
}

/// Where a lane stands in [`Lane::ALL`].
pub const fn place(lane: Lane) -> usize {
    match lane {
        Lane::Config => 0,
        Lane::Keys => 1,
        Lane::Secrets => 2,
    }
}

/// When the next wanted snapshot may be fetched. Keys come last, because they refer to the configuration: while
/// it is being loaded they wait, and revocations, which wait for nothing, do not come this way.
pub fn next_fetch(lanes: &[LaneState; 3]) -> Option<Instant> {
    let wanted = lanes.iter().filter(|lane| !waits(lanes, lane.lane));
    let due = wanted.filter_map(|lane| lane.loading.as_ref().filter(|it| !it.running));
    due.map(|loading| loading.due).min()
}

/// What is to be fetched now, and is taken to be from here on.
pub fn fetches(
    lanes: &mut [LaneState; 3],
    now: Instant,
) -> Vec<(Lane, wire::FetchSnapshotRequest)> {
    let mut requests = Vec::new();
    for lane in Lane::ALL {
        if waits(lanes, lane) {
            continue;
        }
        let Some(loading) = &mut lanes[place(lane)].loading else {
            continue;
        };
        if !loading.running && loading.due <= now {
            loading.running = true;
            requests.push((lane, loading.request(lane)));
        }
    }
    requests
}

fn waits(lanes: &[LaneState; 3], lane: Lane) -> bool {
    lane == Lane::Keys
        && lanes
            .iter()
            .any(|other| other.lane != lane && other.loading.is_some())
}

// === impl Loading ===

impl Loading {
    fn request(&self, lane: Lane) -> wire::FetchSnapshotRequest {
        let newest = || wire::FetchSnapshotRequest {
            lane: lane as i32,
            ..Default::default()
        };
        self.download
            .as_ref()
            .map_or_else(newest, Download::request)
    }

    /// Lets a batch wait.
    pub fn hold(&mut self, batch: wire::Batch) {
        let bytes = |change: &wire::Change| change.key.len() + change.value.len() + 64;
        self.held_bytes += batch.changes.iter().map(bytes).sum::<usize>() + 256;
        if self.held_bytes > HELD_BYTES_MAX {
            self.held.clear();
        } else {
            self.held.push(batch);
        }
    }
}
