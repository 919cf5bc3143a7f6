//! Which edges are connected here, what each last told, and how many live in a region.
//!
//! Gathers what streams learn and writes it to the store in batches; nothing waits for that. What an edge tells
//! of itself is for operators' eyes, and for shares of a limit; it opens nothing.

use std::{
    collections::{HashMap, hash_map::Entry},
    convert::Infallible,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use metrics::{describe_gauge, gauge};
use policy::{region::Region, remit::Remit};
use store::{EdgeSighting, Store, StoreError};
use tokio::{
    sync::{Notify, watch},
    time,
};
use tracing::{error, warn};

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
    /// Of each connected edge, the newest of its streams.
    open: HashMap<String, Open>,
    opened: u64,
    /// Of each region with a connected edge, how many edges live in it.
    living: HashMap<Region, u32>,
}

/// A stream of a connected edge.
struct Open {
    number: u64,
    remit: Remit,
    boot_id: Vec<u8>,
    /// An edge of another remit holds this id, at another replica.
    taken: bool,
}

/// Another edge that is connected has this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken;

/// Where sightings are kept.
pub trait Ledger: Sync {
    /// Keeps them all or none, and gives the ids that stay with an edge of another remit.
    fn keep(
        &self,
        sightings: &[EdgeSighting],
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;
}

impl Ledger for Store {
    async fn keep(&self, sightings: &[EdgeSighting]) -> Result<Vec<String>, StoreError> {
        self.edges_seen(sightings).await
    }
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
    /// An edge has connected; gives the number of its stream. The newest stream of an edge counts, because one that
    /// was killed is back before its old stream is known to be dead; but an id never moves between remits so.
    pub fn opened(&self, edge_id: &str, remit: &Remit, boot_id: &[u8]) -> Result<u64, Taken> {
        let mut book = self.lock();
        let number = book.opened + 1;
        let open = Open {
            number,
            remit: remit.clone(),
            boot_id: boot_id.to_vec(),
            taken: false,
        };
        match book.open.entry(edge_id.to_owned()) {
            Entry::Occupied(older) if older.get().remit != *remit => return Err(Taken),
            Entry::Occupied(mut older) => {
                if older.insert(open).boot_id != boot_id {
                    warn!(
                        edge.id = edge_id,
                        "Edge {edge_id} has started again, or two edges call themselves so"
                    );
                }
            }
            Entry::Vacant(place) => drop(place.insert(open)),
        }
        book.opened = number;
        gauge!("sluice_control_plane_streams").set(count(book.open.len()));
        Ok(number)
    }

    /// Whether an edge of another remit turned out to hold this stream's id.
    pub fn is_taken(&self, number: u64, edge_id: &str) -> bool {
        let book = self.lock();
        let open = book.open.get(edge_id);
        open.is_some_and(|it| it.number == number && it.taken)
    }

    /// An edge has told something on this stream. Cheap enough to be called for every message. What an older
    /// stream than its newest says is passed over.
    pub fn seen(&self, number: u64, sighting: EdgeSighting) {
        let book = self.lock();
        let open = book.open.get(&sighting.edge_id);
        if open.is_some_and(|it| it.number == number) {
            self.note(book, sighting);
        }
    }

    fn note(&self, mut book: MutexGuard<'_, Book>, sighting: EdgeSighting) {
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
        let mut book = self.lock();
        match book.open.get(&sighting.edge_id) {
            Some(open) if open.number == number => {}
            _ => return,
        }
        book.open.remove(&sighting.edge_id);
        gauge!("sluice_control_plane_streams").set(count(book.open.len()));
        let sighting = EdgeSighting {
            connected: false,
            ..sighting
        };
        self.note(book, sighting);
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
    pub async fn flush(&self, ledger: &impl Ledger) -> bool {
        let news = std::mem::take(&mut self.lock().pending);
        if news.is_empty() {
            return true;
        }
        let news: Vec<EdgeSighting> = news.into_values().collect();
        let (kept, left) = match ledger.keep(&news).await {
            Ok(taken) => (taken, Vec::new()),
            // One of them is what no database keeps, and must not hold up the others for ever.
            Err(StoreError::Broken(_)) => keep_each(ledger, news).await,
            Err(error) => {
                warn!(%error, edges = news.len(), "What edges told cannot be written, trying again");
                (Vec::new(), news)
            }
        };
        let mut book = self.lock();
        for edge_id in kept {
            if let Some(open) = book.open.get_mut(&edge_id) {
                open.taken = true;
            }
        }
        let done = left.is_empty();
        for sighting in left {
            book.pending
                .entry(sighting.edge_id.clone())
                .or_insert(sighting);
        }
        done
    }

    /// The regions with a connected edge; what is known of others is forgotten.
    fn regions(&self) -> Vec<Region> {
        let mut book = self.lock();
        let mut regions: Vec<Region> = book
            .open
            .values()
            .map(|it| it.remit.region.clone())
            .collect();
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

/// Keeps sightings one by one, and drops those that cannot be kept. Gives the ids that are taken, and what is left to
/// be tried again because the store is away.
async fn keep_each(
    ledger: &impl Ledger,
    news: Vec<EdgeSighting>,
) -> (Vec<String>, Vec<EdgeSighting>) {
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    for sighting in news {
        if !left.is_empty() {
            left.push(sighting);
            continue;
        }
        match ledger.keep(std::slice::from_ref(&sighting)).await {
            Ok(ids) => taken.extend(ids),
            Err(error @ StoreError::Broken(_)) => {
                let edge_id = &sighting.edge_id;
                error!(edge.id = edge_id, %error, "What edge {edge_id} told cannot be kept and is dropped");
            }
            Err(_) => left.push(sighting),
        }
    }
    (taken, left)
}

fn count(edges: usize) -> f64 {
    u32::try_from(edges).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
#[path = "edges_test.rs"]
mod tests;
