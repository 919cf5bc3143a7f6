//! Brings records to the control plane: in batches, again and again, until they are taken.
//!
//! Knows the spool and the network; no request waits for either. A record has its request's id, so that sending
//! it twice counts once. Writing to disk blocks, so it runs on a thread of its own.

pub mod wire;
pub mod spool;
pub mod courier;
pub mod decisions;

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use lifecycle::drain::Drain;
use proto::{
    report::{Batch, send},
    usage::ReportResponse,
};
use serde::Deserialize;
use tokio::{
    sync::mpsc,
    time::{error::Elapsed, sleep, sleep_until, timeout},
};
use tonic::{Code, Response, Status, transport::Channel};

use crate::{
    feed::{backoff::Backoff, dial::Dialer, disk::Directory},
    orphans::Orphaned,
    record::Record,
    report::spool::Spool,
};

/// How many records a batch has; the protocol's bound.
const BATCH_RECORDS_MAX: usize = 1000;
/// How many bytes a batch has; somewhat less than the control plane reads of one.
// Full: what is left goes in a batch of its own.
const BATCH_BYTES_MAX: usize = 960 << 10;
/// How long a record waits for others to go with.
const GATHER: Duration = Duration::from_millis(200);

/// How often it is looked whether a batch is full.
const LOOK: Duration = Duration::from_millis(20);
/// How long the control plane may take to store a batch.
const STORE: Duration = Duration::from_secs(5);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long the last try may take when the drain is over.
const LAST: Duration = Duration::from_secs(1);

/// The section `[usage]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `SLUICE_USAGE__KEEP`: whether requests leave records. Default `true`. Without them the control plane learns of no request of this edge:
    /// nothing is summed, looked up, priced anew or read into budgets from the ledger, and rollouts see no outcome. Limits hold as ever.
    pub keep: bool,
    /// `SLUICE_USAGE__SPOOL_BYTES_MAX`: how large the file of unsent records may become, in bytes. Default 64 MiB, some 250,000 records.
    pub spool_bytes_max: u64,
}

/// What brings records.
pub struct Reporter {
    dialer: Dialer,
    edge_id: String,
    spool: Spool,
}

/// The batch is still to be stored.
struct Away;

/// A reporter at work.
struct Work {
    channel: Channel,
    dialer: Dialer,
    edge_id: String,
    spool: Spool,
    batch: Vec<Record>,
    backoff: Backoff,
    try_at: Instant,
}

/// Says what is measured here.
pub fn describe() {
    metrics::describe_gauge!(
        "sluice_usage_unsettled",
        "Records that the control plane has not taken yet"
    );
    metrics::describe_gauge!(
        "sluice_record_queued",
        "Records that wait to be gathered into a report"
    );
    metrics::describe_gauge!(
        "sluice_record_spooled",
        "Records that wait for the control plane, on disk where there is one"
    );
}

// === impl Reporter ===

impl Reporter {
    /// Reads what a process before this one could not send. Blocks.
    pub fn new(
        config: &Config,
        directory: Option<&Directory>,
        dialer: Dialer,
        edge_id: String,
    ) -> Self {
        describe();
        if !config.keep {
            tracing::warn!("usage.keep is off: no request of this edge is accounted for");
        }
        let journal = directory.and_then(|directory| {
            let opened = directory.journal("records", config.spool_bytes_max);
            opened
                .inspect_err(|why| tracing::error!(%why, "records are kept in memory alone"))
                .ok()
        });
        Self {
            dialer,
            edge_id,
            spool: Spool::new(journal),
        }
    }

    /// Works until every sender is gone and what is left is sent or kept, at the latest a second after the drain
    /// is over. Makes the records of what was left of requests whose edge is gone, too.
    pub async fn run(
        self,
        (mut records, mut orphaned): (mpsc::Receiver<Record>, mpsc::Receiver<Orphaned>),
        drain: Drain,
    ) {
        let Self {
            mut dialer,
            edge_id,
            spool,
        } = self;
        let channel = dialer.lazily();
        let (batch, backoff) = (Vec::new(), Backoff::up_to(LONGEST_WAIT));
        let try_at = Instant::now();
        let mut work = Work {
            channel,
            dialer,
            edge_id,
            spool,
            batch,
            backoff,
            try_at,
        };
        work.until_closed(&mut records, &mut orphaned).await;
        // What nobody has made a record of goes to another edge.
        drop(orphaned);
        let late = async {
            drain.over().await;
            sleep(LAST).await;
        };
        tokio::select! {
            () = work.finish(&mut records) => {}
            () = late => {}
        }
        work.leave();
    }
}

// === impl Work ===

impl Work {
    async fn until_closed(
        &mut self,
        records: &mut mpsc::Receiver<Record>,
        orphaned: &mut mpsc::Receiver<Orphaned>,
    ) {
        loop {
            self.gauge(records.len());
            // Nothing to send means nothing to wake for.
            let rest = if self.spool.is_empty() {
                Duration::from_hours(1)
            } else {
                Duration::ZERO
            };
            let wake = self.try_at.max(Instant::now() + rest);
            tokio::select! {
                open = gather(records, &mut self.batch) => {
                    self.bring(records).await;
                    if !open {
                        return;
                    }
                }
                () = sleep_until(wake.into()) => self.bring_first(records).await,
                Some(orphaned) = orphaned.recv() => self.adopt(orphaned, records).await,
            }
        }
    }

    /// Sends what was gathered, or lets it wait while the control plane is away.
    async fn bring(&mut self, records: &mut mpsc::Receiver<Record>) {
        for batch in written(&self.edge_id, self.batch.drain(..).map(wire::record)) {
            let waits = Instant::now() < self.try_at || is_crowded(records);
            if waits || self.send(batch.clone(), records).await.is_err() {
                self.put_aside(batch);
            }
        }
    }

    /// Makes the records of what was left of requests, and says so once they are stored or on a disk. Where they are neither, who
    /// has kept what was left keeps it for the next one.
    async fn adopt(&mut self, orphaned: Orphaned, records: &mut mpsc::Receiver<Record>) {
        let made = orphaned.left.into_iter();
        let made = made.map(|it| wire::orphan(orphaned.organization, it));
        for batch in written(&self.edge_id, made) {
            let waits = Instant::now() < self.try_at;
            if (waits || self.send(batch.clone(), records).await.is_err())
                && (!self.spool.outlasts() || self.spool.push(batch) > 0)
            {
                return;
            }
        }
        // Nobody listens where this edge leaves; then they are made twice and stored once.
        let _ = orphaned.kept.send(());
    }

    /// Sends the oldest batch that waits.
    async fn bring_first(&mut self, records: &mut mpsc::Receiver<Record>) {
        let Some(batch) = self.spool.first().cloned() else {
            return;
        };
        if self.send(batch, records).await.is_ok() {
            self.spool.pop();
        }
    }

    fn put_aside(&mut self, batch: Batch) {
        count_lost(self.spool.push(batch));
    }

    /// Lets what is in the queue now wait, up to a batch.
    fn empty(&mut self, records: &mut mpsc::Receiver<Record>) {
        let mut gathered = Vec::new();
        while gathered.len() < BATCH_RECORDS_MAX
            && let Ok(record) = records.try_recv()
        {
            gathered.push(record);
        }
        for batch in written(&self.edge_id, gathered.into_iter().map(wire::record)) {
            self.put_aside(batch);
        }
    }

    async fn finish(&mut self, records: &mut mpsc::Receiver<Record>) {
        while !self.spool.is_empty() {
            let before = self.spool.records();
            self.bring_first(records).await;
            if self.spool.records() == before && !self.spool.is_empty() {
                if self.spool.outlasts() {
                    return;
                }
                sleep(GATHER).await;
            }
        }
    }

    fn leave(&self) {
        let left = self.spool.records();
        if left > 0 && self.spool.outlasts() {
            tracing::warn!(
                left,
                "leaving with unsent records; the next start sends them"
            );
        } else if left > 0 {
            count_lost(left);
            tracing::error!(left, "leaving with unsent records and no disk to keep them");
        }
        self.gauge(0);
    }

    /// Sends one batch. While the control plane takes its time, the queue is emptied where it fills, so that a slow one costs
    /// no record before the spool is full, too.
    async fn send(
        &mut self,
        batch: Batch,
        records: &mut mpsc::Receiver<Record>,
    ) -> Result<(), Away> {
        let count = batch.records();
        let sent = send(self.channel.clone(), self.dialer.request(batch));
        let mut answer = pin!(timeout(STORE, sent));
        let answer = loop {
            tokio::select! {
                answer = &mut answer => break answer,
                () = crowded(records) => self.empty(records),
            }
        };
        let now = Instant::now();
        if let Ok(taken) = taken(answer, count) {
            count_lost(taken.refused as usize);
            self.backoff.works(now);
            return Ok(());
        }
        self.try_at = now + self.backoff.next(now);
        // The next try goes to another control plane, if there is one.
        self.channel = self.dialer.lazily();
        Err(Away)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge is a double, and this is far below 2^53"
    )]
    fn gauge(&self, queued: usize) {
        let unsettled = self.spool.records() + self.batch.len() + queued;
        metrics::gauge!("sluice_usage_unsettled").set(unsettled as f64);
        metrics::gauge!("sluice_record_queued").set(queued as f64);
        metrics::gauge!("sluice_record_spooled").set(self.spool.records() as f64);
    }
}

/// What the control plane said of so many records. Where it refuses all of them, sending them again would be refused again, and hold up
/// all that comes after.
fn taken(
    answer: Result<Result<Response<ReportResponse>, Status>, Elapsed>,
    count: usize,
) -> Result<ReportResponse, Away> {
    match answer {
        Ok(Ok(answer)) => return Ok(answer.into_inner()),
        Ok(Err(status)) if status.code() == Code::InvalidArgument => {
            let why = status.message();
            tracing::error!(count, why, "the control plane refuses records");
            return Ok(ReportResponse {
                refused: u32::try_from(count).unwrap_or(u32::MAX),
                ..ReportResponse::default()
            });
        }
        Ok(Err(status)) => tracing::warn!(code = ?status.code(), "records wait"),
        Err(_) => tracing::warn!("records wait, the control plane is silent"),
    }
    Err(Away)
}

/// Gathers until a batch is full or its first record has waited long enough. Says whether more can come. Cancel
/// safe: what was gathered stays in `batch`. Looks from time to time instead of waiting for each record, because
/// waking this thread would cost every request more than its record does.
async fn gather<T>(records: &mut mpsc::Receiver<T>, batch: &mut Vec<T>) -> bool {
    if batch.is_empty() && records.recv_many(batch, BATCH_RECORDS_MAX).await == 0 {
        return false;
    }
    let until = Instant::now() + GATHER;
    while batch.len() < BATCH_RECORDS_MAX && Instant::now() < until {
        if records.is_closed() && records.is_empty() {
            return false;
        }
        sleep(LOOK).await;
        while batch.len() < BATCH_RECORDS_MAX
            && let Ok(record) = records.try_recv()
        {
            batch.push(record);
        }
    }
    true
}

fn written(edge_id: &str, records: impl Iterator<Item = proto::usage::Record>) -> Vec<Batch> {
    Batch::write(edge_id, records, BATCH_BYTES_MAX)
}

/// Whether half of the queue is full.
fn is_crowded<T>(records: &mpsc::Receiver<T>) -> bool {
    records.len() > records.max_capacity() / 2
}

/// Returns when half of the queue is full. Looks from time to time, as [`gather`] does.
async fn crowded<T>(records: &mpsc::Receiver<T>) {
    while !is_crowded(records) {
        sleep(LOOK).await;
    }
}

fn count_lost(count: usize) {
    if count > 0 {
        metrics::counter!("sluice_record_lost_total").increment(count as u64);
        tracing::error!(count, "records are lost");
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            keep: true,
            spool_bytes_max: 64 << 20,
        }
    }
}
