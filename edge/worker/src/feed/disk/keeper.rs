//! The thread that writes what is in force to disk, and tells how far it has come.
//!
//! Knows nothing of requests or of the network: writing and syncing block, so they have a thread of their
//! own. What is told as kept would be found by a restart; once a change of a lane could not be written, the
//! lane tells nothing further until it is written whole again.

use std::{
    collections::HashMap,
    fs, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use policy::{
    object::Lane,
    revision::{Epoch, Revision},
};
use proto::{message, sync as wire};
use seal::{
    file,
    journal::{AppendError, Journal},
};
use tokio::sync::{mpsc, watch};
use zeroize::{Zeroize, Zeroizing};

use crate::feed::{
    disk::{
        Directory, Generation, context,
        generation::{self, Parts, Place},
        replay,
    },
    stored::Merged,
};

/// How many orders may wait.
const ORDERS_MAX: usize = 4096;
/// How many bytes of batches may wait.
// Full: the order is not taken, and the lane is not kept any further until it is written whole again.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// A journal shorter than this is not worth merging, in bytes.
const MERGE_BYTES_MIN: u64 = 1 << 20;
/// How many revocations go into one frame.
const REVOKED_PER_FRAME: usize = 1000;

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
    waiting_bytes: Arc<AtomicUsize>,
    kept: watch::Receiver<HashMap<Lane, Kept>>,
}

/// The order was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// What does the writing.
pub struct Keeper {
    directory: Directory,
    orders: mpsc::Receiver<Order>,
    waiting_bytes: Arc<AtomicUsize>,
    kept: watch::Sender<HashMap<Lane, Kept>>,
    lanes: HashMap<Lane, Files>,
    revoked: Option<Journal>,
}

enum Order {
    Batch(Lane, Zeroizing<Vec<u8>>, Span),
    Whole(Lane, Place, Parts),
    Revoked(Vec<String>),
}

/// From where to where a batch goes.
struct Span {
    previous: Revision,
    place: Place,
}

#[derive(Default)]
struct Files {
    journal: Option<Journal>,
    /// Whether the current generation opens, so that it is worth being the previous one.
    current_opens: bool,
}

/// A keeper and the way to it, after what was found.
pub fn new(directory: Directory, found: &Places) -> (Keeper, Orders) {
    let (queue, orders) = mpsc::channel(ORDERS_MAX);
    let told = found.iter().map(|(lane, (place, _))| {
        (
            *lane,
            Kept {
                place: Some(place.clone()),
                lost: false,
            },
        )
    });
    let (kept, watched) = watch::channel(told.collect());
    let lanes = Lane::ALL.map(|lane| {
        let current_opens = found
            .get(&lane)
            .is_some_and(|(_, from)| *from == Generation::Current);
        (
            lane,
            Files {
                journal: None,
                current_opens,
            },
        )
    });
    let waiting_bytes = Arc::new(AtomicUsize::new(0));
    let waits = Arc::clone(&waiting_bytes);
    let lanes = HashMap::from(lanes);
    let keeper = Keeper {
        directory,
        orders,
        waiting_bytes: waits,
        kept,
        lanes,
        revoked: None,
    };
    (
        keeper,
        Orders {
            queue,
            waiting_bytes,
            kept: watched,
        },
    )
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
        if self.waiting_bytes.fetch_add(length, Ordering::Relaxed) + length > WAITING_BYTES_MAX {
            self.waiting_bytes.fetch_sub(length, Ordering::Relaxed);
            return Err(Full);
        }
        self.order(Order::Batch(lane, bytes, span))
    }

    /// Keeps a lane whole.
    pub fn whole(&self, lane: Lane, place: Place, parts: Parts) -> Result<(), Full> {
        self.order(Order::Whole(lane, place, parts))
    }

    /// Keeps revocations. Gives back what was not taken.
    pub fn revoked(&self, key_ids: Vec<String>) -> Result<(), Vec<String>> {
        self.queue
            .try_send(Order::Revoked(key_ids))
            .map_err(|refused| match refused.into_inner() {
                Order::Revoked(key_ids) => key_ids,
                Order::Batch(..) | Order::Whole(..) => Vec::new(),
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

// === impl Keeper ===

impl Keeper {
    /// Works until the last [`Orders`] is dropped and everything ordered is written. Blocks its thread.
    pub fn run(mut self) {
        while let Some(order) = self.orders.blocking_recv() {
            match order {
                Order::Batch(lane, bytes, span) => {
                    self.waiting_bytes.fetch_sub(bytes.len(), Ordering::Relaxed);
                    self.batch(lane, &bytes, span);
                }
                Order::Whole(lane, place, parts) => {
                    let written = self.replace(lane, &place, &parts);
                    self.tell(lane, place, written);
                }
                Order::Revoked(key_ids) => {
                    if let Err(why) = self.append_revoked(&key_ids) {
                        self.lose(Lane::Keys, &why);
                    }
                }
            }
        }
    }

    fn batch(&mut self, lane: Lane, bytes: &[u8], span: Span) {
        let kept = self.kept.borrow().get(&lane).cloned().unwrap_or_default();
        if kept.lost {
            return;
        }
        // One that was not taken, because too much waited, is missed here.
        let joins = kept.place.is_some_and(|place| {
            place.epoch == span.place.epoch && span.previous <= place.revision
        });
        if joins {
            let written = self.append(lane, bytes);
            self.tell(lane, span.place, written);
        } else {
            self.lose(lane, &io::Error::other("a change before it is missing"));
        }
    }

    fn tell(&self, lane: Lane, place: Place, written: io::Result<()>) {
        match written {
            Ok(()) => self.kept.send_modify(|kept| {
                kept.insert(
                    lane,
                    Kept {
                        place: Some(place),
                        lost: false,
                    },
                );
            }),
            Err(why) => self.lose(lane, &why),
        }
    }

    fn lose(&self, lane: Lane, why: &io::Error) {
        tracing::error!(lane = lane.word(), %why, "changes cannot be kept on disk: a restart would start further back");
        self.kept
            .send_modify(|kept| kept.entry(lane).or_default().lost = true);
    }

    fn append(&mut self, lane: Lane, bytes: &[u8]) -> io::Result<()> {
        let journal = self.journal(lane)?;
        let appended = journal.append(bytes);
        let length = journal.bytes();
        match appended {
            Ok(()) => {}
            // Full: merged first; if that leaves no room the lane is lost until it is whole again.
            Err(AppendError::Full) => {
                self.merge(lane)?;
                return self.journal(lane)?.append(bytes).map_err(into_io);
            }
            Err(why) => return Err(into_io(why)),
        }
        let whole = self.directory.generation_path(lane, Generation::Current);
        let whole = fs::metadata(whole).map_or(0, |metadata| metadata.len());
        if length > MERGE_BYTES_MIN.max(whole / 2)
            && let Err(why) = self.merge(lane)
        {
            // The journal goes on as it is, so that nothing is lost yet.
            tracing::warn!(lane = lane.word(), %why, "the journal of changes cannot be merged");
        }
        Ok(())
    }

    fn merge(&mut self, lane: Lane) -> io::Result<()> {
        self.lane(lane).journal = None;
        let read = replay::lane(&self.directory, lane, Merged::default, Merged::add);
        let read = read.ok_or_else(|| io::Error::other("there is no generation to merge into"))?;
        self.lane(lane).current_opens = read.from == Generation::Current;
        let parts = generation::parts(read.state.into_changes());
        self.replace(lane, &read.place, &parts)
    }

    fn replace(&mut self, lane: Lane, place: &Place, parts: &Parts) -> io::Result<()> {
        let plain = generation::encode(lane, place, parts);
        let current = self.directory.generation_path(lane, Generation::Current);
        let previous = self.directory.generation_path(lane, Generation::Previous);
        if self.lane(lane).current_opens {
            // A link, so that at every moment there is a current one. It may not support links: then the
            // current one is all there is.
            let _ = fs::remove_file(&previous);
            let _ = fs::hard_link(&current, &previous);
        }
        let place = context(&format!("{} whole", lane.word()));
        file::write(&current, self.directory.key(), &place, &plain)?;
        self.turn_journal(lane)?;
        self.lane(lane).current_opens = true;
        Ok(())
    }

    /// The changes that led to the new generation are kept, because the previous one needs them.
    fn turn_journal(&mut self, lane: Lane) -> io::Result<()> {
        let opened = std::mem::take(&mut self.lane(lane).current_opens);
        self.lane(lane).journal = None;
        let since = self.directory.changes_path(lane, Generation::Current);
        if !since.exists() {
            return Ok(());
        }
        if opened {
            return fs::rename(
                &since,
                self.directory.changes_path(lane, Generation::Previous),
            );
        }
        fs::remove_file(&since)
    }

    fn append_revoked(&mut self, key_ids: &[String]) -> io::Result<()> {
        let journal = match &mut self.revoked {
            Some(journal) => journal,
            none => none.insert(self.directory.revoked()?),
        };
        key_ids
            .chunks(REVOKED_PER_FRAME)
            .try_for_each(|some| journal.append(some.join("\n").as_bytes()))
            .map_err(into_io)
    }

    fn journal(&mut self, lane: Lane) -> io::Result<&mut Journal> {
        let directory = self.directory.clone();
        match &mut self.lane(lane).journal {
            Some(journal) => Ok(journal),
            none => Ok(none.insert(directory.changes(lane, Generation::Current)?)),
        }
    }

    fn lane(&mut self, lane: Lane) -> &mut Files {
        self.lanes.entry(lane).or_default()
    }
}

fn into_io(why: AppendError) -> io::Error {
    match why {
        AppendError::Io(why) => why,
        AppendError::Full => io::Error::other("the journal is full"),
    }
}
