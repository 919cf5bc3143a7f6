//! Has records made of requests whose edge is gone: limits were charged for them in full, and nobody else will tell.
//!
//! Runs beside the requests, on one core; none waits for it. Knows the counters, and nothing of records or of how they travel.
//! Whoever keeps the counts is told that a record is made only when it cannot be lost any more; until then, and where this edge
//! is gone, too, another one is given the same. A record that is made twice is stored once.

use std::{collections::HashMap, convert::Infallible, future::pending};

use counters::Counters;
use policy::id::OrganizationId;
use tokio::sync::{mpsc, oneshot};

use crate::bequest::Left;

/// How many requests' records are made at a time.
const TOGETHER_MAX: usize = 64;

/// How many such batches wait.
// Full: the next one is made when there is room.
pub const BATCHES_MAX: usize = 1;

/// What was left of some requests, to make records of.
#[derive(Debug)]
pub struct Orphaned {
    /// Whose.
    pub organization: OrganizationId,
    /// What was left.
    pub left: Vec<Left>,
    /// Hears when their records cannot be lost any more; dropped where they could be.
    pub kept: oneshot::Sender<()>,
}

/// Has their records made.
pub struct Orphans {
    counters: Counters,
    outlet: mpsc::Sender<Orphaned>,
}

// === impl Orphans ===

impl Orphans {
    /// Takes from these counters what edges left, and hands it out here, to whoever makes records of it.
    pub const fn new(counters: Counters, outlet: mpsc::Sender<Orphaned>) -> Self {
        Self { counters, outlet }
    }

    /// Runs. Never ends.
    pub async fn run(&self) -> Infallible {
        loop {
            self.counters.bequeathed().await;
            let mut whose: HashMap<OrganizationId, Vec<_>> = HashMap::new();
            for (organization, bequest) in self.counters.take_bequests() {
                whose.entry(organization).or_default().push(bequest);
            }
            for (organization, bequests) in whose {
                for some in bequests.chunks(TOGETHER_MAX) {
                    let ids: Vec<[u8; 16]> = some.iter().map(|it| it.id).collect();
                    let left = some.iter().filter_map(|it| Left::read(&it.text));
                    let left: Vec<Left> = left.collect();
                    // Of what another version wrote nobody here can make a record; its limits are charged.
                    if self.made(organization, left).await {
                        self.counters.inherited(organization, &ids).await;
                    }
                }
            }
        }
    }

    /// Whether their records cannot be lost any more.
    async fn made(&self, organization: OrganizationId, left: Vec<Left>) -> bool {
        if left.is_empty() {
            return true;
        }
        let count = left.len();
        let (kept, heard) = oneshot::channel();
        let orphaned = Orphaned {
            organization,
            left,
            kept,
        };
        if self.outlet.send(orphaned).await.is_err() {
            // Nobody makes records any more: this edge leaves.
            return pending().await;
        }
        let made = heard.await.is_ok();
        if made {
            tracing::warn!(
                count,
                "the edge that served requests is gone; they are recorded with what was reserved for them"
            );
        }
        made
    }
}
