//! What the feed hands to the disk, and what it may say of it.
//!
//! Knows when a revision may be called durable: when a restart would find it, and every revocation with it.
//! Without a disk nothing ever is.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use policy::{object::Lane, region::Region, revision::Revision};
use proto::sync as wire;

use crate::feed::disk::{
    generation::{Parts, Place},
    orders::Orders,
};

/// How long a lane that could not be written waits before it is fetched whole again: a full disk would
/// otherwise have it fetched without end.
const LOST_WAIT: Duration = Duration::from_mins(10);

/// The feed's side of the disk.
pub struct Keeping {
    orders: Option<Orders>,
    /// Revocations that are in force and were not taken yet. Bounded by those that `in_force` remembers.
    unkept: Vec<String>,
    /// For each lane, batches without changes, made one. They only say that other lanes moved on, and a sync of
    /// the disk for each would cost more than all else.
    empty: HashMap<Lane, wire::Batch>,
    /// How many edges live, where that was not taken yet.
    live_edges: Option<u32>,
    /// The region, where that was not taken yet.
    region: Option<Region>,
    /// What is kept of the audit trail, where that was not taken yet.
    audit_heads: Option<String>,
    lost_since: Option<Instant>,
}

// === impl Keeping ===

impl Keeping {
    /// With a disk or without.
    pub fn new(orders: Option<Orders>) -> Self {
        Self {
            orders,
            unkept: Vec::new(),
            empty: HashMap::new(),
            live_edges: None,
            region: None,
            audit_heads: None,
            lost_since: None,
        }
    }

    /// Whether there is a disk.
    pub fn keeps(&self) -> bool {
        self.orders.is_some()
    }

    /// Keeps a batch; one without changes at the next tick, or with the next that has some.
    pub fn batch(&mut self, lane: Lane, mut batch: wire::Batch) {
        if !self.keeps() {
            return;
        }
        if let Some(empty) = self.empty.remove(&lane)
            && empty.epoch == batch.epoch
        {
            batch.previous_revision = empty.previous_revision;
        }
        if batch.changes.is_empty() {
            self.empty.insert(lane, batch);
        } else {
            self.order(lane, batch);
        }
    }

    /// Keeps what has waited.
    pub fn tick(&mut self) {
        for (lane, batch) in std::mem::take(&mut self.empty) {
            self.order(lane, batch);
        }
        self.revoked(Vec::new());
        if let Some(live_edges) = self.live_edges {
            self.live_edges(live_edges);
        }
        if let Some(region) = self.region.take() {
            self.region(region);
        }
        if let Some(lines) = self.audit_heads.take() {
            self.audit_heads(lines);
        }
    }

    /// Keeps how many edges of the region live; what finds no room is tried again at the next tick.
    pub fn live_edges(&mut self, live_edges: u32) {
        let Some(orders) = &self.orders else { return };
        let taken = orders.live_edges(live_edges).is_ok();
        self.live_edges = (!taken).then_some(live_edges);
    }

    /// Keeps which region this is; what finds no room is tried again at the next tick.
    pub fn region(&mut self, region: Region) {
        let Some(orders) = &self.orders else { return };
        self.region = orders.region(region.clone()).is_err().then_some(region);
    }

    /// Keeps where the chains of the audit trail stand; what finds no room is tried again at the next tick.
    pub fn audit_heads(&mut self, lines: String) {
        let Some(orders) = &self.orders else { return };
        self.audit_heads = orders.audit_heads(lines.clone()).is_err().then_some(lines);
    }

    fn order(&self, lane: Lane, batch: wire::Batch) {
        if let Some(orders) = &self.orders
            && orders.batch(lane, batch).is_err()
        {
            // The keeper notices that it is missing and stops telling the lane as kept.
            tracing::warn!(
                lane = lane.word(),
                "the disk is too slow, a change is not kept"
            );
        }
    }

    /// Keeps a lane whole.
    pub fn whole(&mut self, lane: Lane, place: Place, parts: Parts) {
        self.empty.remove(&lane);
        if let Some(orders) = &self.orders
            && orders.whole(lane, place, parts).is_err()
        {
            tracing::warn!(
                lane = lane.word(),
                "the disk is too slow, a snapshot is not kept"
            );
        }
    }

    /// Keeps revocations; those that find no room are tried again with the next ones or at the next tick.
    pub fn revoked(&mut self, mut key_ids: Vec<String>) {
        let Some(orders) = &self.orders else { return };
        self.unkept.append(&mut key_ids);
        if !self.unkept.is_empty()
            && let Err(refused) = orders.revoked(std::mem::take(&mut self.unkept))
        {
            self.unkept = refused;
        }
    }

    /// The revision of a lane that a restart would find, if it is of the history in which the lane is.
    pub fn durable(&self, lane: Lane, here: &Place) -> Revision {
        let Some(orders) = &self.orders else {
            return Revision(0);
        };
        if lane == Lane::Keys && !self.unkept.is_empty() {
            return Revision(0);
        }
        let kept = orders
            .kept(lane)
            .place
            .filter(|place| place.epoch == here.epoch);
        kept.map(|place| place.revision).unwrap_or_default()
    }

    /// The lanes that must be fetched whole because they could not be kept. Asks seldom.
    pub fn lost(&mut self, now: Instant) -> Vec<Lane> {
        let Some(orders) = &self.orders else {
            return Vec::new();
        };
        let mut lost = Lane::ALL.to_vec();
        lost.retain(|lane| orders.kept(*lane).lost);
        if lost.is_empty() {
            self.lost_since = None;
            return lost;
        }
        let since = *self.lost_since.get_or_insert(now);
        if now.duration_since(since) < LOST_WAIT {
            return Vec::new();
        }
        self.lost_since = Some(now);
        lost
    }

    /// Waits until the disk is further.
    pub async fn changed(&mut self) {
        match &mut self.orders {
            Some(orders) => orders.changed().await,
            None => std::future::pending().await,
        }
    }
}
