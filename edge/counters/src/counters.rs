//! Room for requests: asked of Redis, or of this edge's share when Redis does not answer.
//!
//! Knows which of the two answered each request, and so where its settlement belongs. Knows nothing of HTTP
//! or of what is counted. Asking is always answered, and never waits longer than one deadline.

use std::{
    fmt, mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use lifecycle::clock::Clock;
use metrics::{counter, describe_counter};
use policy::{
    applying::Applied,
    id::{CounterId, OrganizationId},
    limit::{Mode as Held, OnStoreLoss},
};
use tokio::sync::{Notify, watch};

use crate::{
    escrow::{Escrow, PurseId, Said},
    link::Link,
    live::{By, Live},
    process::Process,
    queue::Queue,
    reservation::{Ahead, Demand, Line, Request, Reserved, Settlement, Term, Wanted, signed},
};

const EXPIRED: &str = "sluice_limits_reservation_expired_total";

/// The counters, as one thread asks them. Clones are the same counters.
pub struct Counters(Arc<Parts>);

/// Who answers now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The counters that all share: Redis, or this process where it is alone.
    Shared,
    /// This edge, from its share of each limit, because Redis is away.
    Local,
}

/// What [`Counters`] and their upkeep share.
pub(crate) struct Parts {
    /// Redis and what is on its way there; `None` where this process is all there is.
    pub(crate) remote: Option<Remote>,
    pub(crate) local: Local,
    pub(crate) live: Live,
    /// How many [`Counters`] there are, and a bell for when the last is gone.
    pub(crate) handles: AtomicUsize,
    pub(crate) gone: Notify,
    pub(crate) lease_ms: u64,
}

pub(crate) struct Remote {
    pub(crate) link: Link,
    pub(crate) queue: Queue,
    pub(crate) escrow: Escrow,
    pub(crate) timeout: Duration,
}

/// The twin, at the part of each rate that is this process's.
pub(crate) struct Local {
    // Shared by the threads of this process. Held for one operation, in which nothing waits.
    pub(crate) twin: Arc<Mutex<Process>>,
    pub(crate) clock: Clock,
    /// How many edges of this region share each limit; `None` where this process is all there is.
    pub(crate) live_edges: Option<watch::Receiver<u32>>,
}

/// A request that Redis was asked about and that is not answered yet. Dropped like that, because the client
/// left or this edge's share said no, it gives back what Redis may hold.
struct Asked<'a> {
    remote: &'a Remote,
    request: Request,
    lines: Vec<Line>,
    purse: PurseId,
    ahead: Option<Ahead>,
    sent: Instant,
}

/// Names what is counted here.
pub(crate) fn describe() {
    describe_counter!(
        EXPIRED,
        "Reservations whose lease ended, which were charged in full"
    );
}

/// Counts reservations whose lease ended.
pub(crate) fn expired(count: u64) {
    if count > 0 {
        counter!(EXPIRED).increment(count);
    }
}

// === impl Counters ===

impl Counters {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        parts.handles.fetch_add(1, Ordering::Relaxed);
        Self(parts)
    }

    /// Holds room for the request in every limit it demands, or in none of them.
    ///
    /// Asking again with the same request gives the same reply and charges nothing. What is granted is held
    /// until [`Counters::settle`]; what is neither settled nor renewed, because this edge is gone, is charged
    /// in full when its lease ends.
    ///
    /// With Redis, what is admitted in any interval of t milliseconds is at most amount · t / window + burst
    /// (or + the largest single request, where that is more than the burst). While Redis is away each of E
    /// edges answers from ⌈amount / E⌉ and ⌈burst / E⌉, so that all of them admit less than
    /// (amount + E) · t / window + burst + E. An interval in which Redis goes or comes back can hold one burst
    /// of each kind. When k of E edges cannot reach a Redis that the others do, those k add their shares:
    /// k / E of the limit.
    pub async fn reserve(&self, request: &Request, demands: &[Demand]) -> Reserved {
        if demands.is_empty() {
            return Reserved::Granted {
                remaining: Vec::new(),
                lent: Vec::new(),
                over: Vec::new(),
            };
        }
        let parts = &*self.0;
        let lines: Vec<Line> = demands.iter().map(Demand::line).collect();
        let Some(remote) = &parts.remote else {
            let reserved = parts.reserve_here(request, &lines);
            parts.keep(request, &reserved, lines, By::Whole);
            return reserved;
        };
        let Some(clear) = remote.link.clear(remote.timeout).await else {
            let reserved = parts.reserve_alone(request, demands, &lines);
            parts.keep(request, &reserved, lines, By::Share);
            return reserved;
        };
        let (purse, said) = remote.escrow.spend(request, &lines, Instant::now());
        let ahead = match said {
            Said::Reserved(reserved) => {
                parts.keep(request, &reserved, lines, By::Purse(purse));
                return reserved;
            }
            Said::Ask(ahead) => ahead,
        };
        let asked = Asked {
            remote,
            request: *request,
            lines,
            purse,
            ahead,
            sent: Instant::now(),
        };
        let term = Term {
            lease_ms: parts.lease_ms,
            now_ms: None,
        };
        let wanted = Wanted {
            lines: &asked.lines,
            ahead: asked.ahead.as_ref(),
        };
        match clear.connection.reserve(request, wanted, term).await {
            Ok(reply) => {
                remote.link.answered();
                expired(reply.expired);
                let lines = asked.answered(Some(&reply.value));
                parts.keep(request, &reply.value, lines, By::Whole);
                reply.value
            }
            Err(failure) => {
                remote.link.failed(&clear, &failure);
                let reserved = parts.reserve_alone(request, demands, &asked.lines);
                if matches!(reserved, Reserved::Granted { .. }) {
                    parts.keep(request, &reserved, asked.answered(None), By::Share);
                }
                reserved
            }
        }
    }

    /// What is left of each limit now, in order, for whoever explains limits: by whoever would answer a request. Takes
    /// nothing, and asks Redis once. What edges have borrowed counts as used.
    pub async fn look(&self, organization: OrganizationId, limits: &[Applied]) -> (Vec<i64>, Mode) {
        if limits.is_empty() {
            return (Vec::new(), self.mode());
        }
        let parts = &*self.0;
        let line = |applied: &Applied| {
            let applied = applied.clone();
            Demand { applied, amount: 1 }.line()
        };
        let lines: Vec<Line> = limits.iter().map(line).collect();
        let Some(remote) = &parts.remote else {
            return (parts.look_here(organization, &lines), Mode::Shared);
        };
        if let Some(clear) = remote.link.clear(remote.timeout).await {
            match clear.connection.look(organization, &lines, None).await {
                Ok(levels) => {
                    remote.link.answered();
                    return (levels, Mode::Shared);
                }
                Err(failure) => remote.link.failed(&clear, &failure),
            }
        }
        (parts.look_here(organization, &lines), Mode::Local)
    }

    /// Gives back what was reserved and not used, or charges what was used beyond it. Counts that `actuals`
    /// does not name were used as reserved. Never waits; the second time for a request does nothing.
    pub fn settle(&self, request: &Request, actuals: &[(CounterId, u64)]) {
        let parts = &*self.0;
        let Some(held) = parts.live.take(request) else {
            return;
        };
        let mut lines = held.lines;
        let used = |line: &Line| {
            let actual = actuals.iter().find(|(counter, _)| *counter == line.counter);
            actual.map_or(line.amount, |(_, amount)| signed(*amount))
        };
        if let (By::Purse(purse), Some(remote)) = (held.by, &parts.remote) {
            let overuse = lines.iter().map(|line| (*line, used(line) - line.amount));
            return remote.escrow.settle(purse, overuse);
        }
        let whole = held.by == By::Whole;
        lines.retain_mut(|line| {
            let reserved = line.amount;
            line.amount = used(line);
            // What was used as reserved needs no word, unless Redis may not know of it.
            !whole || line.amount != reserved
        });
        let settlement = Settlement {
            request: *request,
            lines,
            charge_if_absent: !whole,
        };
        let Some(remote) = &parts.remote else {
            return parts.settle_here(settlement);
        };
        if !whole {
            parts.settle_here(settlement.clone());
        }
        remote.queue.push(settlement);
        remote.link.bell.notify_one();
    }

    /// Who answers now.
    pub fn mode(&self) -> Mode {
        match &self.0.remote {
            Some(remote) if remote.link.is_blocked() => Mode::Local,
            _ => Mode::Shared,
        }
    }
}

impl Clone for Counters {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        // Release, so that whoever sees the last one gone sees all it settled.
        if self.0.handles.fetch_sub(1, Ordering::Release) == 1 {
            self.0.gone.notify_one();
        }
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counters")
            .field("mode", &self.mode())
            .finish_non_exhaustive()
    }
}

// === impl Parts ===

impl Parts {
    fn reserve_here(&self, request: &Request, lines: &[Line]) -> Reserved {
        let lines = self.local.share(lines);
        let now_ms = self.local.clock.now_ms();
        let reply = self
            .local
            .twin()
            .reserve(request, Wanted::now(&lines), self.lease_ms, now_ms);
        expired(reply.expired);
        reply.value
    }

    fn look_here(&self, organization: OrganizationId, lines: &[Line]) -> Vec<i64> {
        let lines = self.local.share(lines);
        let now_ms = self.local.clock.now_ms();
        self.local.twin().look(organization, &lines, now_ms)
    }

    /// Answers for the shared counts, which cannot be asked: by each limit's own word.
    fn reserve_alone(&self, request: &Request, demands: &[Demand], lines: &[Line]) -> Reserved {
        let on_loss = |demand: &Demand| demand.applied.limit.terms.on_store_loss;
        let shared = |demand: &Demand| on_loss(demand) == OnStoreLoss::LocalShare;
        if demands.iter().all(shared) {
            return self.reserve_here(request, lines);
        }
        let denies = |demand: &Demand| {
            on_loss(demand) == OnStoreLoss::Deny && demand.applied.limit.terms.mode == Held::Hard
        };
        if let Some(place) = demands.iter().position(denies) {
            return Reserved::Unknown { place };
        }
        let places: Vec<usize> = (0..demands.len())
            .filter(|place| demands.get(*place).is_some_and(shared))
            .collect();
        let pick = |place: &usize| lines.get(*place).copied();
        let held: Vec<Line> = places.iter().filter_map(pick).collect();
        let most = |line: &Line| signed(line.measure.most());
        let mut levels: Vec<i64> = lines.iter().map(most).collect();
        let whole = |place: usize| places.get(place).copied().unwrap_or(0);
        let mut tell = |told: Vec<i64>| {
            for (place, level) in places.iter().zip(told) {
                if let Some(it) = levels.get_mut(*place) {
                    *it = level;
                }
            }
            std::mem::take(&mut levels)
        };
        match self.reserve_here(request, &held) {
            Reserved::Granted {
                remaining, over, ..
            } => Reserved::Granted {
                remaining: tell(remaining),
                lent: Vec::new(),
                over: over.into_iter().map(whole).collect(),
            },
            Reserved::Denied {
                tightest,
                retry_after_ms,
                remaining,
            } => Reserved::Denied {
                tightest: whole(tightest),
                retry_after_ms,
                remaining: tell(remaining),
            },
            unknown @ Reserved::Unknown { .. } => unknown,
        }
    }

    fn settle_here(&self, mut settlement: Settlement) {
        settlement.lines = self.local.share(&settlement.lines);
        settlement.charge_if_absent = false;
        let now_ms = self.local.clock.now_ms();
        expired(self.local.twin().settle(&settlement, now_ms).expired);
    }

    /// Keeps what is granted, to settle it. A soft limit that had no room is not counted, and so not settled.
    fn keep(&self, request: &Request, reserved: &Reserved, mut lines: Vec<Line>, by: By) {
        if let Reserved::Granted { over, .. } = reserved {
            for place in over.iter().rev() {
                if *place < lines.len() {
                    lines.remove(*place);
                }
            }
            self.live.keep(request, lines, by);
        }
    }
}

// === impl Local ===

impl Local {
    pub(crate) fn twin(&self) -> MutexGuard<'_, Process> {
        self.twin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn share(&self, lines: &[Line]) -> Vec<Line> {
        let edges = self.live_edges.as_ref().map_or(1, |edges| *edges.borrow());
        lines.iter().map(|line| line.share_of(edges)).collect()
    }
}

// === impl Asked ===

impl Asked<'_> {
    /// It is answered, or nothing has come of it, and whoever asked settles it.
    fn answered(mut self, answer: Option<&Reserved>) -> Vec<Line> {
        let lines = mem::take(&mut self.lines);
        self.tell_purse(&lines, answer);
        lines
    }

    fn tell_purse(&self, lines: &[Line], answer: Option<&Reserved>) {
        let ahead = self.ahead.as_ref();
        let escrow = &self.remote.escrow;
        let wanted = Wanted { lines, ahead };
        if let Some(loan_before) = escrow.asked(self.purse, wanted, answer, self.sent) {
            self.remote.queue.push(loan_before);
        }
        if ahead.is_some() {
            // Whoever keeps this up has a loan to look after.
            self.remote.link.bell.notify_one();
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut lines = mem::take(&mut self.lines);
        if lines.is_empty() {
            return;
        }
        self.tell_purse(&lines, None);
        for line in &mut lines {
            line.amount = 0;
        }
        // Remembered even when nothing is held, in case this overtakes what was asked.
        let settlement = Settlement {
            request: self.request,
            lines,
            charge_if_absent: true,
        };
        self.remote.queue.push(settlement);
        self.remote.link.bell.notify_one();
    }
}
