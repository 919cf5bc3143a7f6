//! The way to the keeper: what is to be written, and what is told of it.
//!
//! Knows bounds; writes nothing. Giving an order never waits: what finds no room is given back or refused.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use policy::{
    object::Lane,
    region::Region,
    revision::{Epoch, Revision},
};
use proto::{message, sync as wire};
use tokio::sync::{mpsc, watch};
use zeroize::{Zeroize, Zeroizing};

use crate::feed::disk::{
    Generation,
    generation::{Parts, Place},
};

/// How many orders may wait.
const ORDERS_MAX: usize = 4096;
/// How many bytes of batches may wait.
// Full: the order is not taken, and the lane is not kept any further until it is written whole again.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// For each lane that was read, where it is and from which generation.
pub type Places = HashMap<Lane, (Place, Generation)>;

/// How far a lane is on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Where a restart would find it; `None`: nowhere that is known.
    pub place: Option<Place>,
    /// Whether a change could not be written, so that only a whole one helps.
    pub lost: bool,
}

/// Where orders go, and where it is told what became of them.
pub struct Orders {
    queue: mpsc::Sender<Order>,
    waiting: Arc<Waiting>,
    kept: watch::Receiver<HashMap<Lane, Kept>>,
}

/// The order was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// Where the keeper takes orders, and tells what became of them.
pub struct Taken {
    orders: mpsc::Receiver<Order>,
    waiting: Arc<Waiting>,
    /// How far each lane is.
    pub kept: watch::Sender<HashMap<Lane, Kept>>,
}

/// What the queue holds.
#[derive(Default)]
struct Waiting {
    /// The bytes of its batches.
    batch_bytes: AtomicUsize,
    /// For each lane a bit: whether it waits whole. One lane may be larger than all batches may be.
    // Full: as for batches.
    wholes: AtomicU8,
}

/// One thing to write.
pub enum Order {
    /// A batch that is in force, as bytes.
    Batch(Lane, Zeroizing<Vec<u8>>, Span),
    /// A lane, whole.
    Whole(Lane, Place, Parts),
    /// Key ids that are revoked.
    Revoked(Vec<String>),
    /// How many edges of the region live.
    LiveEdges(u32),
    /// Which region this is.
    Region(Region),
    /// What is kept of the audit trail, as lines.
    AuditHeads(String),
}

/// From where to where a batch goes.
pub struct Span {
    /// Where the lane must be for it to apply.
    pub previous: Revision,
    /// Where the lane is then.
    pub place: Place,
}

/// Orders, and where they are taken, after what was found.
pub fn new(found: &Places) -> (Orders, Taken) {
    let told = found.iter().map(|(lane, (place, _))| {
        let place = Some(place.clone());
        (*lane, Kept { place, lost: false })
    });
    let (kept, watched) = watch::channel(told.collect());
    let (queue, orders) = mpsc::channel(ORDERS_MAX);
    let waiting = Arc::new(Waiting::default());
    let taken = Taken {
        orders,
        waiting: Arc::clone(&waiting),
        kept,
    };
    let orders = Orders {
        queue,
        waiting,
        kept: watched,
    };
    (orders, taken)
}

// === impl Orders ===

impl Orders {
    /// Keeps a batch that is in force. Wipes its values.
    pub fn batch(&self, lane: Lane, mut batch: wire::Batch) -> Result<(), Full> {
        let epoch = Epoch::new(batch.epoch.clone()).ok_or(Full)?;
        let place = Place {
            epoch,
            revision: Revision(batch.revision),
        };
        let span = Span {
            previous: Revision(batch.previous_revision),
            place,
        };
        let bytes = Zeroizing::new(message::encode(&batch));
        batch
            .changes
            .iter_mut()
            .for_each(|change| change.value.zeroize());
        let length = bytes.len();
        let before = self
            .waiting
            .batch_bytes
            .fetch_add(length, Ordering::Relaxed);
        let taken = if before + length > WAITING_BYTES_MAX {
            Err(Full)
        } else {
            self.order(Order::Batch(lane, bytes, span))
        };
        taken.inspect_err(|Full| self.waiting.batch_left(length))
    }

    /// Keeps a lane whole. Not taken while it waits whole already.
    pub fn whole(&self, lane: Lane, place: Place, parts: Parts) -> Result<(), Full> {
        let bit = bit(lane);
        if self.waiting.wholes.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
            return Err(Full);
        }
        self.order(Order::Whole(lane, place, parts))
            .inspect_err(|Full| self.waiting.whole_left(lane))
    }

    /// Keeps how many edges live.
    pub fn live_edges(&self, live_edges: u32) -> Result<(), Full> {
        self.order(Order::LiveEdges(live_edges))
    }

    /// Keeps which region this is.
    pub fn region(&self, region: Region) -> Result<(), Full> {
        self.order(Order::Region(region))
    }

    /// Keeps where the chains of the audit trail stand.
    pub fn audit_heads(&self, lines: String) -> Result<(), Full> {
        self.order(Order::AuditHeads(lines))
    }

    /// Keeps revocations. Gives back what was not taken.
    pub fn revoked(&self, key_ids: Vec<String>) -> Result<(), Vec<String>> {
        self.queue
            .try_send(Order::Revoked(key_ids))
            .map_err(|refused| match refused.into_inner() {
                Order::Revoked(key_ids) => key_ids,
                Order::Batch(..)
                | Order::Whole(..)
                | Order::LiveEdges(_)
                | Order::Region(_)
                | Order::AuditHeads(_) => Vec::new(),
            })
    }

    /// How far a lane is.
    pub fn kept(&self, lane: Lane) -> Kept {
        self.kept.borrow().get(&lane).cloned().unwrap_or_default()
    }

    /// Waits until a lane is further.
    pub async fn changed(&mut self) {
        if self.kept.changed().await.is_err() {
            // The keeper is gone, which happens only while the process ends.
            std::future::pending::<()>().await;
        }
    }

    fn order(&self, order: Order) -> Result<(), Full> {
        self.queue.try_send(order).map_err(|_| Full)
    }
}

// === impl Taken ===

impl Taken {
    /// The next order; `None` when no more can come. Blocks.
    pub fn wait(&mut self) -> Option<Order> {
        let order = self.orders.blocking_recv()?;
        match &order {
            Order::Batch(_, bytes, _) => self.waiting.batch_left(bytes.len()),
            Order::Whole(lane, ..) => self.waiting.whole_left(*lane),
            Order::Revoked(_) | Order::LiveEdges(_) | Order::Region(_) | Order::AuditHeads(_) => {}
        }
        Some(order)
    }
}

// === impl Waiting ===

impl Waiting {
    fn batch_left(&self, bytes: usize) {
        self.batch_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn whole_left(&self, lane: Lane) {
        self.wholes.fetch_and(!bit(lane), Ordering::Relaxed);
    }
}

const fn bit(lane: Lane) -> u8 {
    1 << lane as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(revision: u64) -> wire::Batch {
        let change = wire::Change {
            value: vec![7; 1000],
            ..Default::default()
        };
        wire::Batch {
            epoch: b"one".to_vec(),
            revision,
            changes: vec![change],
            ..Default::default()
        }
    }

    fn place() -> Place {
        Place {
            epoch: Epoch::new(b"one".to_vec()).unwrap(),
            revision: Revision(1),
        }
    }

    #[test]
    fn what_finds_no_room_in_the_queue_takes_none_of_the_bytes() {
        let (orders, mut taken) = new(&Places::new());
        let mut refused = 0;
        for revision in 0..ORDERS_MAX as u64 + 10 {
            refused += u32::from(orders.batch(Lane::Keys, batch(revision)).is_err());
        }
        assert_eq!(refused, 10);
        for _ in 0..ORDERS_MAX {
            taken.wait();
        }
        assert_eq!(orders.waiting.batch_bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_lane_waits_whole_once() {
        let (orders, mut taken) = new(&Places::new());
        assert_eq!(orders.whole(Lane::Keys, place(), Parts::new()), Ok(()));
        assert_eq!(orders.whole(Lane::Keys, place(), Parts::new()), Err(Full));
        assert_eq!(orders.whole(Lane::Config, place(), Parts::new()), Ok(()));
        taken.wait();
        assert_eq!(orders.whole(Lane::Keys, place(), Parts::new()), Ok(()));
    }
}
