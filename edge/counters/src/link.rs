//! The way to Redis: whether there is a connection that may be asked now.
//!
//! A request only looks; it never dials. One probe at a time dials, about once a second while the way is
//! blocked, so that neither requests nor a struggling Redis pay for it. Knows nothing of limits.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use metrics::{counter, describe_counter, describe_gauge, gauge};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};
use tracing::{info, warn};

use crate::{
    breaker::Breaker,
    redis::{Connection, Failure},
};

const STATE: &str = "sluice_limits_store_state";
const LOCAL: &str = "sluice_limits_local_mode";
const FAILURES: &str = "sluice_limits_store_failure_total";

/// The way to Redis, as one thread sees it.
pub(crate) struct Link {
    way: watch::Sender<Way>,
    // Held only to count one call.
    breaker: Mutex<Breaker>,
    /// Rings when there is something to do for whoever keeps this up.
    pub(crate) bell: Notify,
}

/// A connection, and which one since the start: a late failure of an earlier one says nothing about this one.
#[derive(Clone)]
pub(crate) struct Clear {
    pub(crate) connection: Connection,
    generation: u64,
}

enum Way {
    /// The first dial has not ended.
    Unknown,
    Clear(Clear),
    Blocked {
        generation: u64,
    },
}

/// Names what is measured here.
pub(crate) fn describe() {
    describe_gauge!(
        STATE,
        "Threads whose breaker towards Redis is in this state; closed is well"
    );
    describe_gauge!(
        LOCAL,
        "Threads that answer from this edge's share of each limit"
    );
    describe_counter!(FAILURES, "Calls of Redis without a good answer, by reason");
}

// === impl Link ===

impl Link {
    pub(crate) fn new(now: Instant) -> Self {
        for state in ["closed", "half_open", "open"] {
            gauge!(STATE, "state" => state).increment(0.0);
        }
        gauge!(STATE, "state" => "half_open").increment(1.0);
        gauge!(LOCAL).increment(0.0);
        Self {
            way: watch::Sender::new(Way::Unknown),
            breaker: Mutex::new(Breaker::new(now)),
            bell: Notify::new(),
        }
    }

    /// The connection that may be asked now. Waits only for the first dial of all, and no longer than
    /// `longest`.
    pub(crate) async fn clear(&self, longest: Duration) -> Option<Clear> {
        if matches!(*self.way.borrow(), Way::Unknown) {
            // Rare, and boxed so that every request's future does not hold room for it.
            Box::pin(self.first_dial(longest)).await;
        }
        self.clear_now()
    }

    /// The connection that may be asked now, without waiting.
    pub(crate) fn clear_now(&self) -> Option<Clear> {
        match &*self.way.borrow() {
            Way::Clear(way) => Some(way.clone()),
            Way::Unknown | Way::Blocked { .. } => None,
        }
    }

    /// Whether requests are answered without Redis.
    pub(crate) fn is_blocked(&self) -> bool {
        matches!(*self.way.borrow(), Way::Blocked { .. })
    }

    async fn first_dial(&self, longest: Duration) {
        let mut way = self.way.subscribe();
        let ended = way.wait_for(|way| !matches!(way, Way::Unknown));
        // Whether it ended in time or not, what is known then is the answer.
        let _in_time = timeout(longest, ended).await.is_ok();
    }

    /// A call was answered.
    pub(crate) fn answered(&self) {
        self.breaker().answered(Instant::now());
    }

    /// A call over `clear` failed. Blocks the way when that was one too many, or the connection is gone.
    pub(crate) fn failed(&self, clear: &Clear, failure: &Failure) {
        counter!(FAILURES, "reason" => reason(failure)).increment(1);
        let too_many = self.breaker().failed(Instant::now());
        if !too_many && *failure != Failure::Lost {
            return;
        }
        let blocked = self.way.send_if_modified(|way| match way {
            Way::Clear(now) if now.generation == clear.generation => {
                *way = Way::Blocked {
                    generation: clear.generation,
                };
                true
            }
            _ => false,
        });
        if blocked {
            warn!(%failure, "redis is away, limits are held by this edge's share");
            moved("closed", "open");
            gauge!(LOCAL).increment(1.0);
            self.bell.notify_one();
        }
    }

    /// A dial begins; to be followed by [`Link::dialled`].
    pub(crate) fn dialling(&self) {
        if self.is_blocked() {
            moved("open", "half_open");
        }
    }

    /// A dial ended. With a connection, whatever was kept for Redis has been sent over it.
    pub(crate) fn dialled(&self, dialled: Result<Connection, Failure>) {
        let (first, generation) = match &*self.way.borrow() {
            Way::Unknown => (true, 0),
            Way::Clear(clear) => (false, clear.generation),
            Way::Blocked { generation } => (false, *generation),
        };
        match dialled {
            Ok(connection) => {
                *self.breaker() = Breaker::new(Instant::now());
                moved("half_open", "closed");
                if !first {
                    gauge!(LOCAL).decrement(1.0);
                }
                info!("limits are held by redis");
                let clear = Clear {
                    connection,
                    generation: generation + 1,
                };
                self.way.send_replace(Way::Clear(clear));
            }
            Err(failure) => {
                moved("half_open", "open");
                if first {
                    gauge!(LOCAL).increment(1.0);
                    warn!(%failure, "redis is away, limits are held by this edge's share");
                }
                counter!(FAILURES, "reason" => reason(&failure)).increment(1);
                self.way.send_replace(Way::Blocked { generation });
            }
        }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        match &*self.way.borrow() {
            Way::Unknown => gauge!(STATE, "state" => "half_open").decrement(1.0),
            Way::Clear(_) => gauge!(STATE, "state" => "closed").decrement(1.0),
            Way::Blocked { .. } => {
                gauge!(STATE, "state" => "open").decrement(1.0);
                gauge!(LOCAL).decrement(1.0);
            }
        }
    }
}

fn moved(from: &'static str, to: &'static str) {
    gauge!(STATE, "state" => from).decrement(1.0);
    gauge!(STATE, "state" => to).increment(1.0);
}

const fn reason(failure: &Failure) -> &'static str {
    match failure {
        Failure::Late => "late",
        Failure::Lost => "lost",
        Failure::NoScript | Failure::Refused(_) => "refused",
        Failure::Garbled => "garbled",
    }
}
