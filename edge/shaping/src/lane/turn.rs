//! One request under way at a provider's model: what its lane hears of it.
//!
//! Given back by being dropped, wherever that happens. Knows nothing of what is sent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::lane::{Lane, now};

/// One request under way. Given back by being dropped.
#[derive(Debug)]
pub struct Turn {
    pub(super) lane: Arc<Lane>,
    // Nanoseconds since the lane was made: it rides in the future of every request, and a moment is twice as large.
    pub(super) sent: u64,
    pub(super) trial: bool,
    // Whether it was answered.
    pub(super) answered: AtomicBool,
}

const TRIED: &str = "sluice_shaping_hints_tried_total";

/// Says what this module measures.
pub(super) fn describe() {
    metrics::describe_counter!(
        TRIED,
        "Requests that tried a provider's model which other edges said fails, by what came of it"
    );
}

fn tried(verdict: &'static str) {
    metrics::counter!(TRIED, "verdict" => verdict).increment(1);
}

// === impl Turn ===

impl Turn {
    pub(super) fn sent(&self) -> Instant {
        self.lane.since + Duration::from_nanos(self.sent)
    }

    /// The provider has taken the request, and its answer has begun.
    pub fn taken(&self) {
        let mut state = self.lane.state();
        let (under_way, now) = (state.under_way, now());
        state.pace.taken(under_way, now);
        let disproves = state.health.disproves(self.sent(), now);
        let is_well = state.health.answered(now);
        let after = now.saturating_duration_since(self.sent());
        state.speed.began(after, now);
        state.recent.began(after, now);
        // There may be room for more now than when the last one came or went.
        let somebody_waits = state.queue.len() > 0;
        drop(state);
        self.answered.store(true, Ordering::Relaxed);
        if somebody_waits {
            self.lane.call_next(now);
        }
        if is_well {
            self.lane.tell(false);
        }
        if disproves {
            tried("disproved");
        }
    }

    /// Nobody waits for its answer any more, because another one came sooner: it would have taken this long at least.
    pub fn outrun(&self) {
        let now = now();
        let after = now.saturating_duration_since(self.sent());
        let mut state = self.lane.state();
        state.speed.began(after, now);
        state.recent.began(after, now);
    }

    /// The provider has failed, before its answer began or after.
    pub fn failed(&self) {
        let terms = &self.lane.bounds.terms;
        let broke = self.answered.load(Ordering::Relaxed);
        let now = now();
        let mut state = self.lane.state();
        let failed = state.health.failed(broke, terms, now);
        let after = now.saturating_duration_since(self.sent());
        state.speed.failed(after, now);
        state.recent.failed(broke, after, now);
        drop(state);
        if failed.is_aside {
            self.lane.tell(true);
        }
        if failed.is_borne_out {
            tried("borne_out");
        }
    }

    /// Its answer has come to its end, with so many tokens that were generated, and has cost so many nano-dollars; `None` where it has no
    /// price.
    pub fn ended(&self, tokens: u64, cost_nano: Option<u64>) {
        let now = now();
        let after = now.saturating_duration_since(self.sent());
        let mut state = self.lane.state();
        state.speed.ended(tokens, after, now);
        if let Some(nano) = cost_nano {
            state.recent.cost(nano, now);
        }
    }

    /// The provider had no room for it, and wants nothing for so long, if it said.
    pub fn overloaded(&self, wait: Option<Duration>) {
        let mut state = self.lane.state();
        let (under_way, now) = (state.under_way, now());
        state.pace.overloaded(self.sent(), under_way, now);
        drop(state);
        if let Some(wait) = wait {
            self.parked(wait);
        }
    }

    /// The provider has said that it takes nothing more of this account for so long, whatever became of this one. Other edges hear of it.
    pub fn used_up(&self, wait: Duration) {
        let wait = self.parked(wait);
        if let Some(slot) = &self.lane.slot {
            slot.parked(wait);
        }
    }

    /// For as long as may be at most.
    fn parked(&self, wait: Duration) -> Duration {
        let now = now();
        let wait = wait.min(self.lane.bounds.park_max);
        self.lane.state().pace.park(now + wait);
        self.lane.parks.notify_waiters();
        self.lane.signs.tells(now + wait);
        wait
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = now();
        let mut state = self.lane.state();
        state.under_way = state.under_way.saturating_sub(1);
        if self.trial {
            state.health.ended();
        }
        state.drained.left(now);
        drop(state);
        self.lane.call_next(now);
    }
}
