//! One provider's model: how many requests are under way there, and who waits for a turn.
//!
//! Shared by all cores of an edge. A turn is given back by being dropped, wherever that happens; whoever waits and leaves
//! gives up its place the same way. Work-conserving: while anybody waits and the provider takes more, somebody goes.
//! Knows nothing of what is sent.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use policy::traffic::Traffic;
use tokio::{
    sync::oneshot,
    time::{self, timeout_at},
};

use crate::{
    busy::{Busy, Why},
    drained::Drained,
    pace::Pace,
    queue::{Place, Queue, Ticket},
};

/// What a lane is held to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How many may wait.
    // Full: whoever came last to the lowest class is turned away.
    pub(crate) waiting_max: usize,
    /// For how long a provider may say that it wants nothing.
    pub(crate) park_max: Duration,
}

/// A lane.
#[derive(Debug)]
pub struct Lane {
    bounds: Bounds,
    // Held for one look or change, in which nothing waits.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    under_way: u32,
    pace: Pace,
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

/// One request under way. Given back by being dropped.
#[derive(Debug)]
pub struct Turn {
    lane: Arc<Lane>,
    sent: Instant,
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
}

// === impl Lane ===

impl Lane {
    pub(crate) fn new(ceiling: u32, bounds: Bounds, now: Instant) -> Self {
        Self {
            bounds,
            state: Mutex::new(State {
                under_way: 0,
                pace: Pace::new(ceiling, now),
                drained: Drained::new(now),
                queue: Queue::new(bounds.waiting_max),
            }),
        }
    }

    /// Whether nothing is under way or waits.
    pub(crate) fn rests(&self) -> bool {
        let state = self.state();
        state.under_way == 0 && state.queue.len() == 0
    }

    /// Asks for a turn.
    pub fn enter(self: &Arc<Self>, asking: Asking, now: Instant) -> Entered {
        let mut state = self.state();
        if state.queue.len() == 0 && state.has_room(now) {
            state.begin();
            drop(state);
            return Entered::Turn(self.turn(now));
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
                // A place may have become free by what has just been learned, and the clock alone ends a parking.
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

    fn turn(self: &Arc<Self>, now: Instant) -> Turn {
        Turn {
            lane: Arc::clone(self),
            sent: now,
        }
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
            state.begin();
            drop(state);
            // One that left meanwhile gives its turn back at once.
            drop(next.send(self.turn(now)));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn begin(&mut self) {
        self.under_way = self.under_way.saturating_add(1);
        self.pace.under_way(self.under_way);
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
            let now = now();
            let parked = self.lane.state().pace.parked(now);
            let look_at = parked.map_or(self.asking.until, |it| it.min(self.asking.until));
            match timeout_at(look_at.into(), &mut self.turn).await {
                Ok(Ok(turn)) => {
                    let waited = turn.sent.saturating_duration_since(self.since);
                    metrics::histogram!("sluice_shaping_wait_seconds").record(waited);
                    return Ok(turn);
                }
                Ok(Err(_)) => return Err(self.busy(Why::Outranked).counted(class)),
                // A parking has ended, and nobody else may be there to notice.
                Err(_) if self::now() < self.asking.until => self.lane.call_next(self::now()),
                Err(_) => return Err(self.busy(Why::Late).counted(class)),
            }
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

// === impl Turn ===

impl Turn {
    /// The provider has taken the request.
    pub fn taken(&self) {
        let mut state = self.lane.state();
        let under_way = state.under_way;
        state.pace.taken(under_way, now());
    }

    /// The provider had no room for it, and wants nothing for so long, if it said.
    pub fn overloaded(&self, wait: Option<Duration>) {
        let mut state = self.lane.state();
        let (under_way, now) = (state.under_way, now());
        state.pace.overloaded(self.sent, under_way, now);
        drop(state);
        if let Some(wait) = wait {
            self.used_up(wait);
        }
    }

    /// The provider has said that it takes nothing more for so long, whatever became of this one.
    pub fn used_up(&self, wait: Duration) {
        let until = now() + wait.min(self.lane.bounds.park_max);
        self.lane.state().pace.park(until);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = now();
        let mut state = self.lane.state();
        state.under_way = state.under_way.saturating_sub(1);
        state.drained.left(now);
        drop(state);
        self.lane.call_next(now);
    }
}

/// By the runtime's clock, which tests may hold.
fn now() -> Instant {
    time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use policy::traffic::Class;

    use crate::busy::COME_BACK_MIN;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        waiting_max: 4,
        park_max: Duration::from_mins(1),
    };

    fn asking(patience: Duration) -> Asking {
        Asking {
            traffic: Traffic::default(),
            tenant: [1; 16],
            cost: 100,
            until: now() + patience,
        }
    }

    fn goes(lane: &Arc<Lane>) -> Turn {
        match lane.enter(asking(Duration::ZERO), now()) {
            Entered::Turn(turn) => turn,
            other => panic!("{other:?}"),
        }
    }

    fn waits(lane: &Arc<Lane>, patience: Duration) -> Waiting {
        match lane.enter(asking(patience), now()) {
            Entered::Waits(waiting) => waiting,
            other => panic!("{other:?}"),
        }
    }

    fn busy(lane: &Arc<Lane>, patience: Duration) -> Busy {
        match lane.enter(asking(patience), now()) {
            Entered::Busy(busy) => busy,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_is_given_back_is_the_next_ones() {
        let lane = Arc::new(Lane::new(2, BOUNDS, now()));
        let (one, _two) = (goes(&lane), goes(&lane));
        assert_eq!(busy(&lane, Duration::ZERO).why, Why::Late);
        let mut turn = Box::pin(waits(&lane, Duration::from_secs(5)).turn());
        assert!((&mut turn).now_or_never().is_none());
        drop(one);
        assert!(turn.await.is_ok());
        assert_eq!(lane.state().under_way, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_leaves_takes_no_turn() {
        let lane = Arc::new(Lane::new(1, BOUNDS, now()));
        let one = goes(&lane);
        let gone = waits(&lane, Duration::from_secs(5));
        let called = waits(&lane, Duration::from_secs(5));
        drop(gone);
        drop(one);
        // Called, and gone before it knew.
        drop(called);
        assert!(lane.rests());
        drop(goes(&lane));
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_with_a_time_to_come_back() {
        let lane = Arc::new(Lane::new(1, BOUNDS, now()));
        let _one = goes(&lane);
        let waited = waits(&lane, Duration::from_secs(5)).turn().await;
        let busy = waited.unwrap_err();
        assert_eq!((busy.why, busy.retry_after), (Why::Late, COME_BACK_MIN));
        assert_eq!(lane.state().queue.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_names_a_time_is_left_alone_until_then() {
        let lane = Arc::new(Lane::new(100, BOUNDS, now()));
        goes(&lane).overloaded(Some(Duration::from_secs(20)));
        let busy = busy(&lane, Duration::from_secs(10));
        assert_eq!(
            (busy.why, busy.retry_after),
            (Why::Parked, Duration::from_secs(20))
        );
        let began = now();
        let turn = waits(&lane, Duration::from_secs(30)).turn().await.unwrap();
        assert_eq!(now() - began, Duration::from_secs(20));
        turn.taken();
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_turns_the_lowest_away() {
        let lane = Arc::new(Lane::new(1, BOUNDS, now()));
        let _one = goes(&lane);
        let patience = Duration::from_secs(5);
        let mut turns: Vec<_> = (0..4)
            .map(|_| Box::pin(waits(&lane, patience).turn()))
            .collect();
        assert_eq!(busy(&lane, patience).why, Why::Full);
        let critical = Asking {
            traffic: Traffic {
                class: Class::Critical,
                ..Traffic::default()
            },
            ..asking(patience)
        };
        let Entered::Waits(_critical) = lane.enter(critical, now()) else {
            panic!("it takes the last one's place");
        };
        let last = turns.pop().unwrap().await;
        assert_eq!(last.unwrap_err().why, Why::Outranked);
    }
}
