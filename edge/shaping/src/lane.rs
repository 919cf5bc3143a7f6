//! One provider's model: how many requests are under way there, and who waits for a turn.
//!
//! Shared by all cores of an edge. A turn is given back by being dropped, wherever that happens; whoever waits and leaves
//! gives up its place the same way. Work-conserving: while anybody waits and the provider takes more, somebody goes.
//! Knows nothing of what is sent.

mod turn;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::{Duration, Instant},
};

use policy::traffic::Traffic;
use tokio::{
    sync::{Notify, oneshot},
    time,
};

use crate::{
    busy::{Busy, Why},
    drained::Drained,
    health::{Health, Standing, Terms},
    hearsay::TERM,
    outbox::Slot,
    pace::Pace,
    queue::{Place, Queue, Ticket},
    recent::{Recent, Recently},
    signs::Signs,
    speed::{self, Speed},
};

pub use self::turn::Turn;

/// What a lane is held to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How many may wait.
    // Full: whoever came last to the lowest class is turned away.
    pub(crate) waiting_max: usize,
    /// For how long a provider may say that it wants nothing.
    pub(crate) park_max: Duration,
    /// When it is set aside.
    pub(crate) terms: Terms,
}

/// A lane.
#[derive(Debug)]
pub struct Lane {
    bounds: Bounds,
    /// When it was made: what its turns count from.
    since: Instant,
    /// What all lanes show together.
    signs: Arc<Signs>,
    /// The way to other edges, where they are told.
    slot: Option<Slot>,
    /// Wakes who waits when a parking begins or grows longer: the clock alone ends it, and who waits looks at that.
    parks: Notify,
    // Held for one look or change, in which nothing waits.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    under_way: u32,
    pace: Pace,
    health: Health,
    speed: Speed,
    recent: Recent,
    drained: Drained,
    queue: Queue<oneshot::Sender<Turn>>,
}

/// Who wants to go.
#[derive(Debug, Clone, Copy)]
pub struct Asking {
    /// Before whom, and how much they are due.
    pub traffic: Traffic,
    /// Whose request it is.
    pub tenant: [u8; 16],
    /// How large it is: tokens that go in and may come out.
    pub cost: u64,
    /// Until when it waits; a moment that has passed says that it does not.
    pub until: Instant,
    /// Whether there is somebody else to ask, so that one who fails too often need not be.
    pub has_others: bool,
}

/// What comes of asking.
#[derive(Debug)]
pub enum Entered {
    /// It goes.
    Turn(Turn),
    /// It waits.
    Waits(Waiting),
    /// It does neither.
    Busy(Busy),
}

/// A place among those who wait. Given up by being dropped.
#[derive(Debug)]
pub struct Waiting {
    lane: Arc<Lane>,
    asking: Asking,
    place: Place,
    turn: oneshot::Receiver<Turn>,
    since: Instant,
}

/// How a lane is now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// Whether it answers.
    pub standing: Standing,
    /// For how long the provider still wants nothing, because it has named a time.
    pub parked: Option<Duration>,
    /// Whether it was another edge that it was named to.
    pub parked_as_heard: bool,
    /// How many requests are under way.
    pub under_way: u32,
    /// How fast it answers.
    pub speed: speed::Pace,
    /// How it has done lately.
    pub recently: Recently,
}

/// What a lane does by the word of other edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heeded {
    /// It is asked after others, because they say that it fails.
    pub is_behind: bool,
    /// It is left alone, because one of them was told that its provider wants nothing.
    pub is_parked: bool,
}

/// Says what this module measures.
pub(crate) fn describe() {
    metrics::describe_counter!(
        "sluice_shaping_waited_total",
        "Requests that waited for a turn at a provider, by class"
    );
    metrics::describe_histogram!(
        "sluice_shaping_wait_seconds",
        metrics::Unit::Seconds,
        "How long those waited that got their turn"
    );
    metrics::describe_counter!(
        "sluice_shaping_refused_total",
        "Requests that got no turn at a provider, by class and why"
    );
    metrics::describe_counter!(
        "sluice_shaping_set_aside_total",
        "How often a provider's model was set aside because it failed too often"
    );
    metrics::describe_gauge!(
        "sluice_shaping_unwell",
        "Models of providers that are set aside or on trial"
    );
    turn::describe();
}

// === impl Lane ===

impl Lane {
    pub(crate) fn new(ceiling: u32, bounds: Bounds, signs: Arc<Signs>, now: Instant) -> Self {
        Self {
            bounds,
            since: now,
            signs,
            slot: None,
            parks: Notify::new(),
            state: Mutex::new(State {
                under_way: 0,
                pace: Pace::new(ceiling, now),
                health: Health::new(now),
                speed: Speed::new(now),
                recent: Recent::new(now),
                drained: Drained::new(now),
                queue: Queue::new(bounds.waiting_max),
            }),
        }
    }

    /// The same; what it finds out is put there, for other edges.
    pub(crate) fn telling(mut self, slot: Option<Slot>) -> Self {
        self.slot = slot;
        self
    }

    /// Whether nothing is under way or waits.
    pub(crate) fn rests(&self) -> bool {
        let state = self.state();
        state.under_way == 0 && state.queue.len() == 0
    }

    /// Asks for a turn.
    pub fn enter(self: &Arc<Self>, asking: Asking, now: Instant) -> Entered {
        if let Some(slot) = &self.slot {
            slot.used(self.since, now);
        }
        let mut state = self.state();
        if asking.has_others && !state.health.admits(now) {
            let left = match state.health.standing(&self.bounds.terms, now) {
                Standing::Aside(left) => Some(left),
                _ => None,
            };
            drop(state);
            let busy = Busy::after(left, Why::Aside);
            return Entered::Busy(busy.counted(asking.traffic.class));
        }
        if state.queue.len() == 0 && state.has_room(now) {
            let trial = state.begin(now);
            drop(state);
            return Entered::Turn(self.turn(trial, now));
        }
        match state.wait(&asking, now) {
            Err(busy) => {
                drop(state);
                Entered::Busy(busy.counted(asking.traffic.class))
            }
            Ok((place, turn, evicted)) => {
                drop(state);
                // Hears of it by this.
                drop(evicted);
                // A place may have become free by what has just been learned.
                self.call_next(now);
                Entered::Waits(Waiting {
                    lane: Arc::clone(self),
                    asking,
                    place,
                    turn,
                    since: now,
                })
            }
        }
    }

    fn turn(self: &Arc<Self>, trial: bool, now: Instant) -> Turn {
        Turn {
            lane: Arc::clone(self),
            sent: nanoseconds(now.saturating_duration_since(self.since)),
            trial,
            answered: AtomicBool::new(false),
        }
    }

    /// How it is, and for how long its provider still wants nothing.
    pub(crate) fn condition(&self, now: Instant) -> Condition {
        let state = self.state();
        let parked = state.pace.parked(now);
        Condition {
            standing: state.health.standing(&self.bounds.terms, now),
            parked: parked.map(|until| until.saturating_duration_since(now)),
            parked_as_heard: parked.is_some() && state.pace.is_heard(),
            under_way: state.under_way,
            speed: state.speed.pace(now),
            recently: state.recent.recently(now),
        }
    }

    /// Within which time so many of a hundred answers began lately; `None` where too few are known.
    pub(crate) fn first_within(&self, percent: u8, now: Instant) -> Option<Duration> {
        self.state().speed.first_within(percent, now)
    }

    /// Whether it is set aside or on trial, by what was seen here.
    pub(crate) fn is_unwell(&self) -> bool {
        self.state().health.is_unwell()
    }

    /// Takes the word of others: so many say that it fails, and its provider wants nothing for so long if one of them was told.
    pub(crate) fn hears(&self, edges: u32, parked: Option<Duration>, now: Instant) -> Heeded {
        let mut state = self.state();
        state.health.hears(edges, now);
        let until = parked.map(|wait| now + wait.min(self.bounds.park_max));
        if let Some(until) = until {
            state.pace.park_as_heard(until);
        }
        let standing = state.health.standing(&self.bounds.terms, now);
        let is_parked = state.pace.parked(now).is_some() && state.pace.is_heard();
        drop(state);
        if is_parked {
            self.parks.notify_waiters();
        }
        let said = (edges > 0).then(|| now + TERM);
        if let Some(until) = said.max(until) {
            self.signs.tells(until);
        }
        Heeded {
            is_behind: matches!(standing, Standing::Said(_)),
            is_parked,
        }
    }

    /// One more is unwell, or one less.
    fn tell(&self, unwell: bool) {
        let before = if unwell {
            metrics::counter!("sluice_shaping_set_aside_total").increment(1);
            metrics::gauge!("sluice_shaping_unwell").increment(1.0);
            if let Some(slot) = &self.slot {
                slot.fails();
            }
            self.signs.sickens()
        } else {
            metrics::gauge!("sluice_shaping_unwell").decrement(1.0);
            self.signs.recovers()
        };
        debug_assert!(unwell || before > 0, "each is counted once");
    }

    /// Lets go whoever may.
    fn call_next(self: &Arc<Self>, now: Instant) {
        loop {
            let mut state = self.state();
            if !state.has_room(now) {
                return;
            }
            let Some(next) = state.queue.next() else {
                return;
            };
            if next.is_closed() {
                continue;
            }
            let trial = state.begin(now);
            drop(state);
            // One that left meanwhile gives its turn back at once.
            drop(next.send(self.turn(trial, now)));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if self.is_unwell() {
            self.tell(false);
        }
    }
}

// === impl State ===

/// A place, where its turn comes to, and whose it was before.
type Joined = (
    Place,
    oneshot::Receiver<Turn>,
    Option<oneshot::Sender<Turn>>,
);

impl State {
    fn has_room(&self, now: Instant) -> bool {
        self.under_way < self.pace.most() && self.pace.parked(now).is_none()
    }

    /// One goes; says whether that is a trial.
    fn begin(&mut self, now: Instant) -> bool {
        self.under_way = self.under_way.saturating_add(1);
        self.pace.under_way(self.under_way);
        self.health.goes(now)
    }

    fn wait(&mut self, asking: &Asking, now: Instant) -> Result<Joined, Busy> {
        let ahead = self.queue.ahead(asking.traffic.class);
        let parked = self.pace.parked(now);
        let parked_for = parked.map(|until| until.saturating_duration_since(now));
        let foretold = self.drained.time_for(ahead + 1);
        let wait = parked_for.max(foretold);
        let refused = |why| Busy::after(wait, why);
        let patience = asking.until.saturating_duration_since(now);
        if parked_for.is_some_and(|it| it > patience) {
            return Err(refused(Why::Parked));
        }
        if patience.is_zero() || wait.is_some_and(|it| it > patience) {
            return Err(refused(Why::Late));
        }
        let (sender, turn) = oneshot::channel();
        let ticket = Ticket {
            class: asking.traffic.class,
            tenant: asking.tenant,
            share: asking.traffic.share,
            cost: asking.cost,
            what: sender,
        };
        let joined = self.queue.join(ticket);
        let (place, evicted) = joined.map_err(|_| refused(Why::Full))?;
        Ok((place, turn, evicted))
    }
}

// === impl Waiting ===

impl Waiting {
    /// Waits for the turn.
    pub async fn turn(mut self) -> Result<Turn, Busy> {
        let class = self.asking.traffic.class;
        metrics::counter!("sluice_shaping_waited_total", "class" => class.name()).increment(1);
        loop {
            // From before the look at the clock, so that no parking is missed.
            let parks = self.lane.parks.notified();
            let now = now();
            let parked = self.lane.state().pace.parked(now);
            if parked.is_none() {
                // One that has just ended tells nobody.
                self.lane.call_next(now);
            }
            let look_at = parked.map_or(self.asking.until, |it| it.min(self.asking.until));
            let turn = tokio::select! {
                biased;
                turn = &mut self.turn => turn,
                () = parks => continue,
                () = time::sleep_until(look_at.into()) => {
                    if self::now() < self.asking.until {
                        continue;
                    }
                    return Err(self.busy(Why::Late).counted(class));
                }
            };
            let Ok(turn) = turn else {
                return Err(self.busy(Why::Outranked).counted(class));
            };
            let waited = turn.sent().saturating_duration_since(self.since);
            metrics::histogram!("sluice_shaping_wait_seconds").record(waited);
            return Ok(turn);
        }
    }

    fn busy(&self, why: Why) -> Busy {
        let state = self.lane.state();
        let now = now();
        let parked = state.pace.parked(now);
        let parked_for = parked.map(|until| until.saturating_duration_since(now));
        let ahead = state.queue.ahead(self.asking.traffic.class);
        Busy::after(parked_for.max(state.drained.time_for(ahead)), why)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.lane.state().queue.leave(self.place);
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// By the runtime's clock, which tests may hold.
pub(crate) fn now() -> Instant {
    time::Instant::now().into_std()
}

#[cfg(test)]
#[path = "lane_test.rs"]
mod tests;
