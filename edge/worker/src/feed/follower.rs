//! What an edge makes of each thing that the control plane says.
//!
//! Holds the one writer of policy and knows nothing of connections: messages go in, answers come out, and
//! which snapshots are wanted can be asked. Revocations are in force before anything else of their message.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use lifecycle::ready::Blocker;
use policy::{object::Lane, revision::Revision};
use proto::sync::{self as wire, sync_request::Message as Say, sync_response::Message as Heard};
use tokio::sync::watch;

use crate::{
    feed::{
        batch::{self, Applied, Unfit},
        disk::generation,
        download::{Broken, Download, Progress, Whole},
        gauges,
        keeping::Keeping,
        lane::{self, HASH, Joins, LaneState},
        revocation::{self, Revocation},
        sharing::Sharing,
        witness::Witness,
    },
    in_force::Writer,
};

/// How many Nacks may wait to be said.
// Full: the oldest are not said. A snapshot can free many batches that waited for it, and what was refused in them
// is counted in the metric all the same.
const NACKS_MAX: usize = 100;

/// Follows the control plane.
pub struct Follower {
    /// The one writer.
    pub writer: Writer,
    /// The three lanes, in the order of [`Lane::ALL`].
    pub lanes: [LaneState; 3],
    /// The disk.
    pub keeping: Keeping,
    /// What each lane keeps from being ready until it is in force.
    pub blockers: HashMap<Lane, Blocker>,
    /// How many edges of the region live.
    pub live_edges: watch::Sender<u32>,
    /// The shares of limits that regions hold together.
    pub sharing: Sharing,
    /// What is kept of the audit trail.
    pub witness: Witness,
    /// The largest snapshot, in bytes.
    pub snapshot_bytes_max: usize,
    /// What is to be said, in order: for each lane one Ack, the latest, and at most `NACKS_MAX` Nacks. Taken by
    /// the session after each message.
    pub says: Vec<Say>,
    /// The last Ack of each lane: applied and durable.
    pub told: HashMap<Lane, (Revision, Revision)>,
}

/// Whether the session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It does.
    Stay,
    /// The replica is leaving.
    Leave,
}

/// Whether more of a snapshot is wanted from the fetch that brought a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    /// More is to come.
    GoesOn,
    /// That was the last, or it is of no use.
    Over,
}

impl Follower {
    /// A connection begins: what waited for the last one is gone, and lanes that have nothing want a snapshot.
    pub fn begin(&mut self, now: Instant) {
        self.says.clear();
        self.told.clear();
        self.sharing.begin();
        for lane in &mut self.lanes {
            lane.cut();
            if lane.place.is_none() {
                lane.load(now, "there is nothing");
            }
        }
    }

    /// The beat that asks for shares, where regions hold any limit together.
    pub fn asking(&mut self) -> Option<wire::Beat> {
        let shared = self.writer.reader().rules().any_is_shared();
        shared.then(|| self.sharing.ask())
    }

    /// Where the lanes are, for `Hello`.
    pub fn cursors(&self) -> Vec<wire::Cursor> {
        self.lanes.iter().filter_map(LaneState::cursor).collect()
    }

    /// Takes a message.
    pub fn hear(&mut self, message: Heard, now: Instant) -> Next {
        match message {
            Heard::Welcome(welcome) => {
                tracing::info!(region = welcome.region, "following the control plane");
                if let Some(region) = self.sharing.stand(&welcome.region) {
                    self.keeping.region(region);
                }
                self.kept();
            }
            Heard::Batch(batch) => self.batch(batch, now),
            Heard::NeedSnapshot(need) => {
                if let Some(lane) = lane::numbered(need.lane) {
                    self.lane(lane).load(now, "the control plane says so");
                }
            }
            Heard::Head(head) => self.head(&head, now),
            Heard::Revocations(message) => self.revoke(revocation::told(message)),
            Heard::Shares(shares) => self.sharing.told(shares),
            Heard::AuditHeads(heads) => self.witness(heads),
            Heard::Drain(wire::Drain {}) => return Next::Leave,
            // A question is no policy, and goes to those who can answer it before it comes here.
            Heard::Explain(_) => {}
        }
        Next::Stay
    }

    /// Keeps where the chains of the audit trail stand, and says so.
    fn witness(&mut self, heads: wire::AuditHeads) {
        let taken = self.witness.hear(heads);
        if let Some(lines) = taken.lines {
            self.keeping.audit_heads(lines);
        }
        if !taken.kept.checkpoint_hashes.is_empty() {
            self.says.push(Say::AuditWitness(taken.kept));
        }
    }

    /// Takes a chunk of a snapshot.
    pub fn chunk(&mut self, lane: Lane, chunk: wire::FetchSnapshotResponse, now: Instant) -> Fetch {
        let keeps = self.keeping.keeps();
        let bytes_max = self.snapshot_bytes_max;
        let Some(loading) = &mut self.lane(lane).loading else {
            return Fetch::Over;
        };
        let begun = loading.download.take().filter(|begun| begun.is_of(&chunk));
        let progress = begun
            .map_or_else(|| Download::begin(lane, &chunk, keeps), Ok)
            .and_then(|download| download.chunk(chunk, bytes_max));
        match progress {
            Ok(Progress::Part(download)) => {
                loading.download = Some(*download);
                return Fetch::GoesOn;
            }
            Ok(Progress::Whole(whole)) => self.install(lane, *whole, now),
            Err(why) => {
                tracing::warn!(lane = lane.word(), %why, "the snapshot is refused");
                if why == Broken::Hash {
                    gauges::mismatch();
                }
                self.lane(lane).load_again(now, true);
            }
        }
        Fetch::Over
    }

    /// The fetch of a snapshot ended before the snapshot did. `unknown`: there is no such snapshot any more.
    pub fn stopped(&mut self, lane: Lane, unknown: bool, now: Instant) {
        self.lane(lane).load_again(now, unknown);
    }

    /// Says what the disk has since kept.
    pub fn kept(&mut self) {
        for lane in Lane::ALL {
            self.ack(lane);
        }
    }

    /// Once a second, connected or not.
    pub fn tick(&mut self, now: Instant) {
        for lane in &self.lanes {
            gauges::behind(lane.lane, lane.behind(now));
        }
        self.keeping.tick();
        for lane in self.keeping.lost(now) {
            self.lane(lane).load(now, "it could not be kept on disk");
        }
    }

    fn batch(&mut self, batch: wire::Batch, now: Instant) {
        let Some(lane) = lane::numbered(batch.lane) else {
            return tracing::warn!("a batch of an unknown lane is passed over");
        };
        if lane == Lane::Keys {
            // Before all else, so that neither a gap nor a snapshot on its way can hold a revocation up.
            self.revoke(revocation::in_batch(&batch));
        }
        let state = self.lane(lane);
        let joins = state.joins(&batch);
        if joins == Joins::Gap {
            state.load(now, "a batch does not join on");
        }
        if let Some(loading) = &mut state.loading {
            return loading.hold(batch);
        }
        if joins == Joins::Next {
            self.apply(lane, batch, now);
        }
        self.ack(lane);
    }

    fn apply(&mut self, lane: Lane, batch: wire::Batch, now: Instant) {
        let revision = Revision(batch.revision);
        match batch::apply(&mut self.lanes[lane::place(lane)], &mut self.writer, batch) {
            Ok(Applied {
                rejections,
                refused,
                hash_agrees,
                stored,
            }) => {
                gauges::revision(lane, revision);
                self.keeping.batch(lane, stored);
                self.nack(lane, revision, rejections, refused);
                if !hash_agrees {
                    gauges::mismatch();
                    self.lane(lane).load(now, HASH);
                }
            }
            Err(Unfit(why)) => {
                tracing::error!(lane = lane.word(), %revision, why, "a batch is refused");
                self.nack(lane, revision, Vec::new(), 1);
                self.lane(lane).load(now, why);
            }
        }
    }

    fn install(&mut self, lane: Lane, whole: Whole, now: Instant) {
        let Whole {
            place,
            aside,
            parts,
        } = whole;
        if !self.lane(lane).may_go_to(&place) {
            tracing::warn!(
                lane = lane.word(),
                "the snapshot is older than what is in force"
            );
            return self.lane(lane).load_again(now, true);
        }
        let writer = &mut self.writer;
        // Where: as for a batch, a fault of ours costs the snapshot and not the process.
        let installed = catch_unwind(AssertUnwindSafe(|| aside.install(writer, place.revision)));
        let Ok(installed) = installed else {
            tracing::error!(lane = lane.word(), "putting a snapshot in force panicked");
            return self.lane(lane).load_again(now, true);
        };
        self.keeping.revoked(installed.newly_revoked);
        if let Some(mut parts) = parts {
            parts.append(&mut generation::parts(installed.kept));
            self.keeping.whole(lane, place.clone(), parts);
        }
        let revision = place.revision;
        tracing::info!(lane = lane.word(), %revision, "in force from a snapshot");
        gauges::revision(lane, revision);
        let held = self.lane(lane).loaded(place, installed.ledger, now);
        self.blockers.remove(&lane);
        self.nack(lane, revision, installed.rejections, installed.refused);
        // Said even where the revision is the one last told: the control plane waits to hear that the snapshot came.
        self.told.remove(&lane);
        self.ack(lane);
        for batch in held {
            self.batch(batch, now);
        }
    }

    fn revoke(&mut self, revocations: Vec<Revocation>) {
        let writer = &mut self.writer;
        let news = revocations
            .into_iter()
            .filter(|it| writer.revoke(&it.key_id, it.cut_streams));
        let key_ids = news.map(|it| it.key_id).collect();
        self.keeping.revoked(key_ids);
    }

    fn head(&mut self, head: &wire::Head, now: Instant) {
        let live_edges = head.live_edges.max(1);
        let differs = |live: &mut u32| std::mem::replace(live, live_edges) != live_edges;
        if self.live_edges.send_if_modified(differs) {
            self.keeping.live_edges(live_edges);
        }
        for cursor in &head.heads {
            let Some(lane) = lane::numbered(cursor.lane) else {
                continue;
            };
            let state = self.lane(lane);
            if let Some(why) = state.compare(cursor, now) {
                if why == HASH {
                    gauges::mismatch();
                }
                state.load(now, why);
            }
        }
    }

    /// Says where a lane is, if that has not been said.
    fn ack(&mut self, lane: Lane) {
        let state = &self.lanes[lane::place(lane)];
        let Some(place) = &state.place else { return };
        let (applied, durable) = (place.revision, self.keeping.durable(lane, place));
        if self.told.insert(lane, (applied, durable)) == Some((applied, durable)) {
            return;
        }
        let number = lane as i32;
        self.says
            .retain(|say| !matches!(say, Say::Ack(ack) if ack.lane == number));
        self.says.push(Say::Ack(wire::Ack {
            lane: number,
            applied_revision: applied.0,
            durable_revision: durable.0,
            state_hash: state.ledger.hash().as_bytes().to_vec(),
        }));
    }

    fn nack(&mut self, lane: Lane, at: Revision, rejections: Vec<wire::Rejection>, count: u64) {
        if count == 0 {
            return;
        }
        gauges::refused(lane, &rejections, count);
        let is_nack = |say: &Say| matches!(say, Say::Nack(_));
        if self.says.iter().filter(|say| is_nack(say)).count() >= NACKS_MAX
            && let Some(oldest) = self.says.iter().position(is_nack)
        {
            self.says.remove(oldest);
        }
        let (lane, batch_revision) = (lane as i32, at.0);
        self.says.push(Say::Nack(wire::Nack {
            lane,
            batch_revision,
            rejections,
        }));
    }

    fn lane(&mut self, lane: Lane) -> &mut LaneState {
        &mut self.lanes[lane::place(lane)]
    }
}
