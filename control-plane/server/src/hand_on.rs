//! Hands the audit trail on to where others keep it: to buckets as files, to syslog servers as messages.
//!
//! Owns who sends, how much at once and how often it is tried. One replica sends to a sink at a time; it writes down what it is about to
//! send, sends it, and notes that it is there. Whatever fails in between is done again under the same name. Nothing that is told in the
//! trail ever waits for it.

use std::{convert::Infallible, fmt, time::Duration};

use checkpoint::line;
use metrics::{counter, describe_counter, describe_gauge, gauge};
use serde_json::Value;
use sinks::{Line, Trail, Unsent};
use store::{
    Store, StoreError,
    audit::Row,
    audit_sink::{Span, Turn},
};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::held::{TURN, while_held};

/// How many entries are sent together.
const ENTRIES_MAX: u32 = 1_000; // Full: the others come next.

/// How long it may take to send what is sent together.
const SEND_MAX: Duration = Duration::from_mins(1);

/// How long after a failure it is tried again: at first, and at most.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_mins(1);

/// Hands on to one sink.
pub struct HandOn {
    store: Store,
    trail: Trail,
    replica: [u8; 16],
}

/// Why a look came to nothing.
enum Failed {
    Store(StoreError),
    Sink(Unsent),
    Silent,
    /// Another replica took over.
    Overtaken,
}

/// Registers what is measured here.
pub fn describe() {
    describe_counter!(
        "sluice_audit_sink_entry_total",
        "Entries of the audit trail that are known to be in a sink, by its name"
    );
    describe_counter!(
        "sluice_audit_sink_failure_total",
        "Tries to hand the audit trail on that failed, by the name of the sink"
    );
    describe_gauge!(
        "sluice_audit_sink_lag_seconds",
        "For how long not all that is signed of the audit trail has been in a sink"
    );
}

// === impl HandOn ===

impl HandOn {
    /// Hands on to this sink, as this replica.
    pub const fn new(store: Store, trail: Trail, replica: [u8; 16]) -> Self {
        Self {
            store,
            trail,
            replica,
        }
    }

    /// Hands on, for as long as the process lives.
    pub async fn run(self) -> Infallible {
        let name = self.trail.name().to_owned();
        let mut again = AGAIN_AFTER;
        loop {
            let looked = self.look().await;
            let rest = match &looked {
                Ok(true) => Duration::ZERO,
                Ok(false) => self.trail.every(),
                Err(why) => {
                    let failed =
                        counter!("sluice_audit_sink_failure_total", "sink" => name.clone());
                    failed.increment(1);
                    warn!(sink = name, %why, "The audit trail cannot be handed on, trying again later");
                    again
                }
            };
            again = match looked {
                Ok(_) => AGAIN_AFTER,
                Err(_) => AGAIN_MAX.min(again * 2),
            };
            if let Ok(lag) = self.store.audit_sink_lag(&name).await {
                gauge!("sluice_audit_sink_lag_seconds", "sink" => name.clone())
                    .set(lag.as_secs_f64());
            }
            sleep(rest).await;
        }
    }

    /// Sends what comes next, if it is this replica's turn. Whether there may be more.
    async fn look(&self) -> Result<bool, Failed> {
        let Some(turn) = self.turn().await.map_err(Failed::Store)? else {
            return Ok(false);
        };
        self.keys(&turn).await?;
        let planned = self.store.plan_audit(&turn, ENTRIES_MAX).await;
        let Some(span) = planned.map_err(Failed::Store)? else {
            return Ok(false);
        };
        let lines = self.lines(&span).await.map_err(Failed::Store)?;
        // One name for the same entries, and names in the order of their places.
        let file = format!(
            "{}/{:020}-{:020}.jsonl",
            span.chain,
            span.after + 1,
            span.last
        );
        self.send(&turn, &file, &lines).await?;
        let noted = self.store.note_audit_sent(&turn, &span).await;
        if !noted.map_err(Failed::Store)? {
            return Err(Failed::Overtaken);
        }
        let name = self.trail.name().to_owned();
        let entries = span.last - span.after;
        counter!("sluice_audit_sink_entry_total", "sink" => name.clone()).increment(entries);
        info!(
            sink = name,
            chain = span.chain,
            entries,
            "The audit trail is handed on"
        );
        Ok(true)
    }

    /// Sends the keys that sign, all of them, where one is not there.
    async fn keys(&self, turn: &Turn) -> Result<(), Failed> {
        let keys = self.store.audit_keys().await.map_err(Failed::Store)?;
        if turn.keys >= keys.len() as u64 {
            return Ok(());
        }
        let line = |key: &store::audit_checkpoint::Key| Line {
            at_ms: 0,
            kind: "key",
            text: line::key(&key.public, &key.by, &key.endorsement),
        };
        let lines: Vec<Line> = keys.iter().map(line).collect();
        let file = format!("keys/{:04}.jsonl", keys.len());
        self.send(turn, &file, &lines).await?;
        let noted = self.store.note_audit_keys(turn, keys.len()).await;
        if noted.map_err(Failed::Store)? {
            Ok(())
        } else {
            Err(Failed::Overtaken)
        }
    }

    /// The entries of a span, each checkpoint behind the entry that it signs.
    async fn lines(&self, span: &Span) -> Result<Vec<Line>, StoreError> {
        let rows = self.store.audit_after(&span.chain, span.after).await?;
        let range = (span.after, span.last);
        let signed = self.store.audit_checkpoints(&span.chain, range).await?;
        let mut signed = signed.into_iter().peekable();
        let mut lines = Vec::new();
        for row in rows.into_iter().filter(|it| it.sequence <= span.last) {
            let at_ms = told_at(&row);
            lines.push(Line {
                at_ms,
                kind: "entry",
                text: line::entry(&row.chain, row.sequence, &row.hash, &row.entry),
            });
            while let Some(it) = signed.next_if(|it| it.length == row.sequence) {
                lines.push(Line {
                    at_ms,
                    kind: "checkpoint",
                    text: line::checkpoint(&span.chain, &it.said, &it.key, &it.signature),
                });
            }
        }
        Ok(lines)
    }

    async fn turn(&self) -> Result<Option<Turn>, StoreError> {
        let taken = self
            .store
            .take_audit_sink(self.trail.name(), self.replica, TURN);
        taken.await
    }

    async fn send(&self, turn: &Turn, file: &str, lines: &[Line]) -> Result<(), Failed> {
        let still = || async move {
            match self.turn().await {
                Ok(kept) => kept.is_some_and(|kept| kept.is(turn)),
                Err(_) => true,
            }
        };
        let sent = timeout(SEND_MAX, self.trail.send(file, lines));
        let sent = while_held(sent, still).await.ok_or(Failed::Overtaken)?;
        sent.map_err(|_| Failed::Silent)?.map_err(Failed::Sink)
    }
}

/// When an entry was told, by its own words.
fn told_at(row: &Row) -> u64 {
    let said: Value = serde_json::from_str(&row.entry).unwrap_or_default();
    said["at_ms"].as_u64().unwrap_or(0)
}

// === impl Failed ===

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(why) => why.fmt(f),
            Self::Sink(why) => why.fmt(f),
            Self::Silent => f.write_str("it takes longer than a minute"),
            Self::Overtaken => f.write_str("another replica took over"),
        }
    }
}
