//! Which edges are connected here, what each last told, and how many live in a region.
//!
//! Gathers what streams learn and writes it to the store in batches; nothing waits for that. What an edge tells
//! of itself is for operators' eyes, and for shares of a limit; it opens nothing.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use metrics::{describe_gauge, gauge};
use policy::region::Region;
use store::{EdgeSighting, Store};
use tokio::{
    sync::{Notify, watch},
    time,
};
use tracing::warn;

/// How long what is learned waits for more of it.
const GATHER: Duration = Duration::from_millis(50);

/// How long after a failure it is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// How long a count of living edges is good for.
const COUNT_EVERY: Duration = Duration::from_secs(2);

/// How long after a bell the count waits for more bells.
const COUNT_REST: Duration = Duration::from_millis(250);

/// The most edges whose news wait to be written.
const PENDING_MAX: usize = 16_384; // Full: news of further edges are dropped; each tells again within 3 s.

/// The edges of this replica.
#[derive(Default)]
pub struct Edges {
    book: Mutex<Book>,
    news: Notify,
}

/// The edges, as the streams know them.
#[derive(Default)]
struct Book {
    /// Of each edge, what is to be written.
    pending: HashMap<String, EdgeSighting>,
    /// Of each connected edge, the newest of its streams and its region.
    open: HashMap<String, (u64, Region)>,
    opened: u64,
    /// Of each region with a connected edge, how many edges live in it.
    living: HashMap<Region, u32>,
}

/// Registers what is measured here.
pub fn describe() {
    describe_gauge!(
        "sluice_control_plane_streams",
        "Edges connected to this replica"
    );
    gauge!("sluice_control_plane_streams").set(0.0);
}

// === impl Edges ===

impl Edges {
    /// An edge has connected; gives the number of its stream.
    pub fn opened(&self, edge_id: &str, region: &Region) -> u64 {
        let mut book = self.lock();
        book.opened += 1;
        let number = book.opened;
        book.open
            .insert(edge_id.to_owned(), (number, region.clone()));
        gauge!("sluice_control_plane_streams").set(count(book.open.len()));
        number
    }

    /// An edge has told something. Cheap enough to be called for every message.
    pub fn seen(&self, sighting: EdgeSighting) {
        let mut book = self.lock();
        let full = book.pending.len() >= PENDING_MAX;
        if full && !book.pending.contains_key(&sighting.edge_id) {
            return;
        }
        book.pending.insert(sighting.edge_id.clone(), sighting);
        drop(book);
        self.news.notify_one();
    }

    /// A stream of an edge has ended. The edge is gone only when it was its newest one.
    pub fn closed(&self, number: u64, sighting: EdgeSighting) {
        {
            let mut book = self.lock();
            if book
                .open
                .get(&sighting.edge_id)
                .is_none_or(|it| it.0 != number)
            {
                return;
            }
            book.open.remove(&sighting.edge_id);
            gauge!("sluice_control_plane_streams").set(count(book.open.len()));
        }
        self.seen(EdgeSighting {
            connected: false,
            ..sighting
        });
    }

    /// How many edges of a region live, at least the one that asks.
    pub fn living(&self, region: &Region) -> u32 {
        self.lock().living.get(region).copied().unwrap_or(1).max(1)
    }

    /// Writes the news.
    pub async fn write(self: Arc<Self>, store: Store) -> Infallible {
        loop {
            self.news.notified().await;
            time::sleep(GATHER).await;
            if !self.flush(&store).await {
                time::sleep(RETRY_AFTER).await;
                self.news.notify_one();
            }
        }
    }

    /// Counts the living, at every ring of `bells` and every two seconds.
    pub async fn count(
        self: Arc<Self>,
        store: Store,
        mut bells: watch::Receiver<u64>,
    ) -> Infallible {
        loop {
            for region in self.regions() {
                match store.live_edges(&region).await {
                    Ok(living) => drop(self.lock().living.insert(region, living)),
                    Err(error) => {
                        warn!(%error, "Living edges cannot be counted, the last count stands");
                        break;
                    }
                }
            }
            time::sleep(COUNT_REST).await;
            // The bells ring for as long as the process lives.
            let _ = time::timeout(COUNT_EVERY, bells.changed()).await;
        }
    }

    /// Writes the news there are. `false` when they could not be written and are kept.
    pub async fn flush(&self, store: &Store) -> bool {
        let news = std::mem::take(&mut self.lock().pending);
        if news.is_empty() {
            return true;
        }
        let news: Vec<EdgeSighting> = news.into_values().collect();
        let Err(error) = store.edges_seen(&news).await else {
            return true;
        };
        warn!(%error, edges = news.len(), "What edges told cannot be written, trying again");
        let mut book = self.lock();
        for sighting in news {
            book.pending
                .entry(sighting.edge_id.clone())
                .or_insert(sighting);
        }
        false
    }

    /// The regions with a connected edge; what is known of others is forgotten.
    fn regions(&self) -> Vec<Region> {
        let mut book = self.lock();
        let mut regions: Vec<Region> = book.open.values().map(|it| it.1.clone()).collect();
        regions.sort();
        regions.dedup();
        book.living.retain(|region, _| regions.contains(region));
        regions
    }

    /// Held for a few map operations at a time, never over an await.
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(edges: usize) -> f64 {
    u32::try_from(edges).map_or(f64::INFINITY, f64::from)
}
