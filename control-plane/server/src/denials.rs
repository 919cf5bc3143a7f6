//! Tells the audit trail of what was denied, off the path of who asked.
//!
//! Owns a bounded queue and the one task that empties it. A flood of denials loses entries and is told as a number; it
//! holds up nobody, and no change least of all.

use std::{
    convert::Infallible,
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use store::{Store, audit::Stamp};
use tokio::{
    sync::mpsc,
    time::{self, sleep},
};
use tracing::warn;

use crate::audit_entry::{Deed, Result};

/// The most denials that wait to be written.
// Full: the denial is not written, and the next entry tells how many were lost before it.
const WAITING_MAX: usize = 1_024;

/// The most that are written at once.
const BATCH_MAX: usize = 100;

/// How long after a batch the next one is written at the earliest.
const REST: Duration = Duration::from_millis(200);

/// How long after a failure the batch is tried again.
const PAUSE: Duration = Duration::from_secs(5);

/// Takes denials. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Denials {
    queue: mpsc::Sender<(Deed, String)>,
    lost: Arc<AtomicU64>,
}

/// The other end, which writes them.
#[derive(Debug)]
pub struct Writer {
    queue: mpsc::Receiver<(Deed, String)>,
    lost: Arc<AtomicU64>,
    chain: String,
}

/// A queue of this replica.
pub fn queue(replica: &[u8]) -> (Denials, Writer) {
    let (send, receive) = mpsc::channel(WAITING_MAX);
    let lost = Arc::new(AtomicU64::new(0));
    let mut chain = "denials/".to_owned();
    for byte in replica {
        // Writing to a string cannot fail.
        let _ = write!(chain, "{byte:02x}");
    }
    let denials = Denials {
        queue: send,
        lost: Arc::clone(&lost),
    };
    let writer = Writer {
        queue: receive,
        lost,
        chain,
    };
    (denials, writer)
}

// === impl Denials ===

impl Denials {
    /// Tells of one. Never waits.
    pub fn tell(&self, deed: Deed, reason: String) {
        if self.queue.try_send((deed, reason)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

// === impl Writer ===

impl Writer {
    /// Writes them, for as long as the process lives.
    pub async fn run(mut self, store: Store) -> Infallible {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            if batch.is_empty() && self.queue.recv_many(&mut batch, BATCH_MAX).await == 0 {
                // Nobody is left who could be denied anything.
                time::sleep(PAUSE).await;
                continue;
            }
            let lost = self.lost.swap(0, Ordering::Relaxed);
            let mut entries = Vec::with_capacity(batch.len());
            for (deed, reason) in batch.iter().cloned() {
                let reason = match lost {
                    0 => reason,
                    lost => format!("{reason} ({lost} more were not written before this)"),
                };
                let result = Result::Denied { reason };
                let about = deed.about();
                entries.push((about, move |stamp: Stamp<'_>| deed.text(&result, stamp)));
            }
            match store.audit(&self.chain, entries).await {
                Ok(()) => {
                    batch.clear();
                    sleep(REST).await;
                }
                Err(error) => {
                    self.lost.fetch_add(lost, Ordering::Relaxed);
                    warn!(%error, "Denials cannot be written to the audit trail, trying again later");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}
