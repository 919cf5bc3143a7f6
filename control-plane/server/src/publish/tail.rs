//! Reads the change log into the hub, woken by the doorbell and by the clock.
//!
//! A scan takes no input and can be run at any time: it asks for what comes after what is known. The doorbell
//! is never trusted: without it, a scan comes at most half a second later. Ours is never the state that is right:
//! after each advance it is compared with the hashes that the writers kept in the database.

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use lifecycle::clock::Clock;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use store::{Bell, Changes, Store, StoreError};
use tokio::{sync::watch, time};
use tracing::{error, info, warn};

use crate::publish::{
    hub::Hub,
    state::{Gap, State},
};

/// How long a change waits at most when the doorbell is not heard.
const SCAN_EVERY: Duration = Duration::from_millis(500);

/// How many changes one question to the store brings.
const ROWS_MAX: i64 = 1_000; // Full: the next question brings the rest.

/// How long after a load that did not help the next one comes.
const RELOAD_EVERY: Duration = Duration::from_secs(30);

/// Keeps the hub up to date.
pub struct Tail {
    store: Store,
    hub: Arc<Hub>,
    reloaded: Option<Instant>,
    clock: Clock,
}

/// What a scan found wrong.
#[derive(Debug)]
enum Trouble {
    Store(StoreError),
    Gap(Gap),
    OtherEpoch,
    Differs,
}

/// Registers what is measured here.
pub fn describe() {
    describe_counter!(
        "sluice_config_state_hash_mismatch_total",
        "States found to differ from what they must be; must stay 0"
    );
    // Shown from the start, so that an alert sees the first one.
    counter!("sluice_config_state_hash_mismatch_total").increment(0);
    describe_gauge!(
        "sluice_publish_revision",
        "The newest change that this replica can send"
    );
    describe_histogram!(
        "sluice_publish_lag_seconds",
        Unit::Seconds,
        "From when a change was logged, by the database's clock, to when this replica can send it"
    );
}

/// The bells of this replica: each changes whenever the store's doorbell says that there may be news of its kind.
/// Several, so that the heartbeats of edges do not wake who follows policy.
#[derive(Debug, Clone, Default)]
pub struct Bells {
    /// The change log has grown.
    pub revision: watch::Sender<u64>,
    /// An edge came, went or got further, or a join token was revoked.
    pub edges: watch::Sender<u64>,
    /// Requests of a rollout have ended.
    pub rollouts: watch::Sender<u64>,
    /// A replica has asked something of edges of another, or an answer has come.
    pub questions: watch::Sender<u64>,
}

/// Rings `bells` for everything that the store's doorbell says.
pub async fn listen(store: Store, bells: Bells) -> Infallible {
    loop {
        match store.doorbell().await {
            Ok(mut doorbell) => loop {
                let bell = match doorbell.rung().await {
                    Bell::Revision => &bells.revision,
                    Bell::Edges => &bells.edges,
                    Bell::Rollouts => &bells.rollouts,
                    Bell::Questions => &bells.questions,
                };
                bell.send_modify(|count| *count = count.wrapping_add(1));
            },
            Err(error) => {
                warn!(%error, "The doorbell of the store cannot be opened, scanning goes on");
                time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

// === impl Tail ===

impl Tail {
    /// Loads the whole; the hub can be asked afterwards.
    pub async fn load(store: Store, hub: Arc<Hub>) -> Result<Self, StoreError> {
        let mut tail = Self {
            store,
            hub,
            reloaded: None,
            clock: Clock::system(),
        };
        tail.reload().await?;
        tail.reloaded = None;
        Ok(tail)
    }

    /// Follows the log.
    pub async fn run(mut self, mut bells: watch::Receiver<u64>) -> Infallible {
        loop {
            if let Err(trouble) = self.scan().await {
                self.recover(trouble).await;
            }
            // The bells ring for as long as the process lives, and a scan comes without them too.
            let _ = time::timeout(SCAN_EVERY, bells.changed()).await;
        }
    }

    async fn scan(&mut self) -> Result<(), Trouble> {
        let head = self.store.head().await?;
        let (epoch, mut known) = self.hub.read(|it| (it.epoch().clone(), it.revision()));
        if head.epoch != epoch || head.revision < known {
            return Err(Trouble::OtherEpoch);
        }
        if head.revision == known {
            return Ok(());
        }
        while known < head.revision {
            let expected = policy::revision::Revision(known.0 + 1);
            let gap = |found| Trouble::Gap(Gap { expected, found });
            let rows = match self.store.changes_since(known, ROWS_MAX).await? {
                // The head says that there is more than the log holds.
                Changes::Rows(rows) if rows.is_empty() => return Err(gap(head.revision)),
                Changes::Rows(rows) => rows,
                Changes::Cut { oldest } => return Err(gap(oldest)),
            };
            let newest_at_ms = rows.last().map(|row| row.at_ms);
            known = self
                .hub
                .write(|state| state.advance(rows).map(|()| state.revision()))?;
            if let Some(at_ms) = newest_at_ms {
                let lag = self.clock.now_ms().saturating_sub(at_ms);
                histogram!("sluice_publish_lag_seconds").record(Duration::from_millis(lag));
            }
        }
        self.compare().await
    }

    /// Compares with the database, when both are at the same revision.
    async fn compare(&self) -> Result<(), Trouble> {
        let (revision, rows) = self.store.hashes().await?;
        gauge!("sluice_publish_revision").set(as_gauge(revision.0));
        let differs = self
            .hub
            .read(|it| it.revision() == revision && it.differs_from(&rows));
        if differs {
            Err(Trouble::Differs)
        } else {
            Ok(())
        }
    }

    async fn recover(&mut self, trouble: Trouble) {
        if let Trouble::Store(error) = &trouble {
            warn!(%error, "The change log cannot be read, edges keep what they have");
            return;
        }
        error!(%trouble, "This replica's state cannot be right, loading everything anew");
        if matches!(trouble, Trouble::Differs) {
            counter!("sluice_config_state_hash_mismatch_total").increment(1);
            if self.reloaded.is_some_and(|at| at.elapsed() < RELOAD_EVERY) {
                return;
            }
        }
        if let Err(error) = self.reload().await {
            warn!(%error, "Loading everything failed, trying again");
        }
    }

    async fn reload(&mut self) -> Result<(), StoreError> {
        let mut everything = self.store.everything().await?;
        let rows = std::mem::take(&mut everything.hashes);
        let generation = self.hub.read(State::generation) + 1;
        let state = State::loaded(everything, generation);
        let (revision, differs) = (state.revision(), state.differs_from(&rows));
        // The old state is dropped after the lock: a million objects take their time.
        drop(self.hub.write(|old| std::mem::replace(old, state)));
        self.reloaded = Some(Instant::now());
        gauge!("sluice_publish_revision").set(as_gauge(revision.0));
        if differs {
            counter!("sluice_config_state_hash_mismatch_total").increment(1);
            error!(%revision, "The objects in the database do not add up to the hashes beside them");
        }
        info!(%revision, "Policy is loaded");
        Ok(())
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a double, and revisions stay below 2^53"
)]
const fn as_gauge(revision: u64) -> f64 {
    revision as f64
}

// === impl Trouble ===

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Gap> for Trouble {
    fn from(gap: Gap) -> Self {
        Self::Gap(gap)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Gap(gap) => {
                write!(
                    f,
                    "after revision {} comes {}",
                    gap.expected.0.saturating_sub(1),
                    gap.found
                )
            }
            Self::OtherEpoch => f.write_str("the database's history is another one"),
            Self::Differs => f.write_str("the state hashes differ from the database's"),
        }
    }
}
