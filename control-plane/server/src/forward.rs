//! Forwards records to sinks: buckets of others.
//!
//! Owns who sends, how much at once and how often it is tried. One replica sends to a sink at a time; it writes down what it is
//! about to send, sends it, and notes that it is there. Whatever fails in between is done again under the same name. Nothing
//! that stores records ever waits for it.

use std::{
    collections::{HashMap, hash_map::Entry},
    convert::Infallible,
    time::Duration,
};

use domain::name::OrganizationName;
use metrics::{counter, describe_counter, describe_gauge, gauge};
use sinks::{Parcel, Sink, Unsent};
use store::{
    Store, StoreError, usage_read,
    usage_sink::{Span, Turn},
};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::{
    api::usage_wire::{self, Providers},
    held::{TURN, while_held},
};

/// How many records are sent together.
const RECORDS_MAX: i64 = 20_000; // Full: the others come next.

/// How long it may take to send what is sent together.
const SEND_MAX: Duration = Duration::from_mins(2);

/// How long after a failure it is tried again: at first, and at most.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_mins(1);

/// Sends to one sink.
pub struct Forwarder {
    store: Store,
    sink: Sink,
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
        "sluice_sink_record_total",
        "Records that are known to be in a sink, by its name"
    );
    describe_counter!(
        "sluice_sink_failure_total",
        "Tries to send records to a sink that failed, by its name"
    );
    describe_gauge!(
        "sluice_sink_lag_seconds",
        "For how long not every record has been in a sink"
    );
}

// === impl Forwarder ===

impl Forwarder {
    /// Forwards to this sink, as this replica.
    pub const fn new(store: Store, sink: Sink, replica: [u8; 16]) -> Self {
        Self {
            store,
            sink,
            replica,
        }
    }

    /// Forwards, for as long as the process lives.
    pub async fn run(self) -> Infallible {
        let name = self.sink.name().to_owned();
        let mut again = AGAIN_AFTER;
        loop {
            let looked = self.look().await;
            let rest = match &looked {
                Ok(true) => Duration::ZERO,
                Ok(false) => self.sink.every(),
                Err(why) => {
                    counter!("sluice_sink_failure_total", "sink" => name.clone()).increment(1);
                    warn!(sink = name, %why, "Records cannot be sent, trying again later");
                    again
                }
            };
            again = match looked {
                Ok(_) => AGAIN_AFTER,
                Err(_) => AGAIN_MAX.min(again * 2),
            };
            if let Ok(lag) = self.store.sink_lag(&name).await {
                gauge!("sluice_sink_lag_seconds", "sink" => name.clone()).set(lag.as_secs_f64());
            }
            sleep(rest).await;
        }
    }

    /// Sends what comes next, if it is this replica's turn. Whether there may be more.
    async fn look(&self) -> Result<bool, Failed> {
        let Some(turn) = self.turn().await? else {
            return Ok(false);
        };
        let planned = self.store.plan_sink(&turn, RECORDS_MAX).await;
        let Some(span) = planned.map_err(Failed::Store)? else {
            return Ok(false);
        };
        let held = &turn;
        let still = || async move {
            match self.turn().await {
                Ok(kept) => kept.as_ref() == Some(held),
                Err(_) => true,
            }
        };
        let sent = while_held(timeout(SEND_MAX, Box::pin(self.send(span))), still).await;
        let sent = sent.ok_or(Failed::Overtaken)?;
        let sent = sent.map_err(|_| Failed::Silent)??;
        let noted = self.store.note_sunk(&turn, span).await;
        if !noted.map_err(Failed::Store)? {
            return Err(Failed::Overtaken);
        }
        let name = self.sink.name().to_owned();
        counter!("sluice_sink_record_total", "sink" => name.clone()).increment(sent);
        info!(
            sink = name,
            records = sent,
            to = span.last,
            "Records are sent"
        );
        Ok(true)
    }

    async fn turn(&self) -> Result<Option<Turn>, Failed> {
        let taken = self.store.take_sink(self.sink.name(), self.replica, TURN);
        taken.await.map_err(Failed::Store)
    }

    /// Sends a span, and says how many records it has.
    async fn send(&self, span: Span) -> Result<u64, Failed> {
        let mut parcel = Parcel::default();
        let mut known: HashMap<String, Providers> = HashMap::new();
        let mut behind = span.after;
        loop {
            let part = self.store.sink_part(span, behind).await;
            let Some(part) = part.map_err(Failed::Store)? else {
                break;
            };
            behind = part.number;
            let mut records = Vec::with_capacity(part.records.len());
            for kept in part.records {
                let providers = match known.entry(kept.organization.clone()) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => {
                        let found = self.providers(&kept.organization).await;
                        place.insert(found.map_err(Failed::Store)?)
                    }
                };
                records.push(usage_wire::record(kept, providers));
            }
            parcel.add(&records).map_err(Failed::Sink)?;
        }
        let records = parcel.len() as u64;
        let sent = self.sink.send(parcel, (span.after + 1, span.last)).await;
        sent.map(|()| records).map_err(Failed::Sink)
    }

    /// The names of an organization's providers; of one that is gone there are none.
    async fn providers(&self, organization: &str) -> Result<Providers, StoreError> {
        let Ok(name) = OrganizationName::parse(&format!("organizations/{organization}")) else {
            return Ok(Providers::new());
        };
        let names = usage_read::provider_names(&self.store, &name).await?;
        Ok(names.into_iter().collect())
    }
}

// === impl Failed ===

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(why) => why.fmt(f),
            Self::Sink(why) => why.fmt(f),
            Self::Silent => f.write_str("it takes longer than two minutes"),
            Self::Overtaken => f.write_str("another replica took over"),
        }
    }
}
