//! Brings decisions for the audit trail to the control plane, in their order: on the disk first, where there is one, and then again and
//! again until they are taken.
//!
//! Beside the records and with a file of their own, so that a flood of denials costs no record its place. Each decision has an id, so that
//! sending it twice tells it once. Writing to disk blocks, so it runs where the records do.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use lifecycle::drain::Drain;
use proto::report::{Batch, send};
use serde::Deserialize;
use tokio::{
    sync::mpsc,
    time::{sleep, sleep_until, timeout},
};
use tonic::transport::Channel;

use crate::{
    feed::{backoff::Backoff, disk::Directory},
    recall::Source,
    report::{
        BATCH_BYTES_MAX, BATCH_RECORDS_MAX, GATHER, LAST, LONGEST_WAIT, STORE, crowded, gather,
        spool::Spool, taken, wire,
    },
    trail::{Access, Lost},
};

/// The section `[audit]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `SLUICE_AUDIT__SPOOL_BYTES_MAX`: how large the file of decisions may become that wait for the control plane, in bytes. Default 16 MiB,
    /// some 80,000 decisions.
    // Full: decisions are dropped and counted, and the next one that finds room tells how many were.
    pub spool_bytes_max: u64,
}

/// What brings decisions.
pub struct Decisions {
    to: Source,
    channel: Channel,
    accesses: mpsc::Receiver<Access>,
    lost: Lost,
    spool: Spool,
    gathered: Vec<Access>,
    backoff: Backoff,
    try_at: Instant,
}

/// Says what is measured here.
pub fn describe() {
    metrics::describe_gauge!(
        "sluice_audit_access_waiting",
        "Decisions for the audit trail that wait for the control plane, on disk where there is one"
    );
}

// === impl Decisions ===

impl Decisions {
    /// Reads what a process before this one could not bring. Blocks.
    pub fn open(
        config: &Config,
        directory: Option<&Directory>,
        mut to: Source,
        (accesses, lost): (mpsc::Receiver<Access>, Lost),
    ) -> Self {
        describe();
        let journal = directory.and_then(|directory| {
            let opened = directory.journal("access", config.spool_bytes_max);
            opened
                .inspect_err(|why| tracing::error!(%why, "decisions are kept in memory alone"))
                .ok()
        });
        Self {
            channel: to.dialer.lazily(),
            to,
            accesses,
            lost,
            spool: Spool::new(journal),
            gathered: Vec::new(),
            backoff: Backoff::up_to(LONGEST_WAIT),
            try_at: Instant::now(),
        }
    }

    /// Works until every sender is gone and what is left is brought or kept, at the latest a second after the drain is over.
    pub async fn run(mut self, drain: Drain) {
        self.until_closed().await;
        let late = async {
            drain.over().await;
            sleep(LAST).await;
        };
        tokio::select! {
            () = self.finish() => {}
            () = late => {}
        }
        self.leave();
    }

    async fn until_closed(&mut self) {
        loop {
            self.gauge();
            // Nothing to bring means nothing to wake for.
            let rest = if self.spool.is_empty() {
                Duration::from_hours(1)
            } else {
                Duration::ZERO
            };
            let wake = self.try_at.max(Instant::now() + rest);
            let open = tokio::select! {
                open = gather(&mut self.accesses, &mut self.gathered) => open,
                () = sleep_until(wake.into()) => true,
            };
            self.keep();
            if !open {
                return;
            }
            if !self.spool.is_empty() && self.try_at <= Instant::now() {
                self.bring_first().await;
            }
        }
    }

    /// Lets what was gathered wait its turn.
    fn keep(&mut self) {
        if self.gathered.is_empty() {
            return;
        }
        let told_before: u64 = self.gathered.iter().map(|it| it.lost_before).sum();
        let accesses = self.gathered.drain(..).map(wire::access);
        let mut lost = 0;
        for batch in Batch::write_accesses(&self.to.edge_id, accesses, BATCH_BYTES_MAX) {
            lost += self.spool.push(batch) as u64;
        }
        if lost > 0 {
            tracing::error!(lost, "decisions for the audit trail are lost");
            self.lost.note(lost);
            self.lost.again(told_before);
        }
    }

    /// Brings the oldest ones. While the control plane takes its time, what comes is put to the others, so that a slow one costs nothing
    /// before the file is full, too.
    async fn bring_first(&mut self) {
        let Some(batch) = self.spool.first().cloned() else {
            return;
        };
        let count = batch.records();
        let sent = send(self.channel.clone(), self.to.dialer.request(batch));
        let mut answer = pin!(timeout(STORE, sent));
        let answer = loop {
            tokio::select! {
                answer = &mut answer => break answer,
                () = crowded(&self.accesses) => {
                    while self.gathered.len() < BATCH_RECORDS_MAX
                        && let Ok(access) = self.accesses.try_recv()
                    {
                        self.gathered.push(access);
                    }
                    self.keep();
                }
            }
        };
        let now = Instant::now();
        if let Ok(taken) = taken(answer, count) {
            // One that does not know of decisions says nothing of them.
            let told = taken.stored + taken.duplicates + taken.refused;
            if told as usize == count {
                self.lost.note(taken.refused.into());
                self.backoff.works(now);
                self.spool.pop();
                return;
            }
            tracing::warn!("decisions wait for a control plane that knows of them");
        }
        self.try_at = now + self.backoff.next(now);
        // The next try goes to another control plane, if there is one.
        self.channel = self.to.dialer.lazily();
    }

    async fn finish(&mut self) {
        while !self.spool.is_empty() {
            let before = self.spool.records();
            self.bring_first().await;
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
                "leaving with decisions for the audit trail; the next start brings them"
            );
        } else if left > 0 {
            self.lost.note(left as u64);
            tracing::error!(left, "leaving with decisions and no disk to keep them");
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge is a double, and this is far below 2^53"
    )]
    fn gauge(&self) {
        let waiting = self.spool.records() + self.gathered.len();
        metrics::gauge!("sluice_audit_access_waiting").set(waiting as f64);
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            spool_bytes_max: 16 << 20,
        }
    }
}
