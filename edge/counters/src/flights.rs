//! How many requests of this process are under way, by the counts that limit them, and how many slots it has claimed for them.
//!
//! Knows nothing of how a claim is sent. A slot is given back by whoever drops its [`Seats`]. What the keeper has for this
//! process is never less than what is believed here, so that a request which finds a claimed slot free needs nobody's
//! word. Each claim asks for one more than the keeper has; what is too many afterwards, because an answer was lost or a
//! request has ended, is taken back by saying the whole number. So a word that is lost or comes twice mends itself, and
//! that of a process which is gone ends with its term.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use policy::{
    by_id::ById,
    id::{CounterId, OrganizationId},
};
use tokio::sync::Notify;

use crate::{
    flight::Flight,
    reservation::{Claim, Claims, Said, Saying, Slot},
};

/// How many counts are known before those that nobody uses are forgotten early.
// Full: the others are those of requests that are under way, which are bounded where they are accepted.
const FLIGHTS_MAX: usize = 65_536;

/// The flights of one process, shared by its threads.
#[derive(Debug)]
pub(crate) struct Flights {
    owner: [u8; 16],
    // Held for one look or change, in which nothing waits.
    state: Mutex<State>,
    /// Rings when something should be said.
    pub(crate) bell: Notify,
}

#[derive(Debug)]
struct State {
    flights: ById<CounterId, Flight>,
    /// Counts of which the whole number should be said, each once.
    changed: Vec<CounterId>,
    turn: u64,
    sweep_at: usize,
}

/// The slots that one request has. Dropped, they are free.
#[derive(Debug, Default)]
pub struct Seats(Option<Box<Taken>>);

#[derive(Debug)]
struct Taken {
    flights: Arc<Flights>,
    counters: Vec<CounterId>,
    since: Instant,
}

/// A request that asks for slots. Dropped like that, nobody knows what has become of its claims.
#[derive(Debug)]
pub(crate) struct Pending {
    flights: Arc<Flights>,
    claims: Vec<Claim>,
    turn: u64,
    since: Instant,
    /// Whether they may have reached the keeper.
    sent: bool,
}

// === impl Flights ===

impl Flights {
    pub(crate) fn new() -> Self {
        let mut owner = [0; 16];
        fastrand::fill(&mut owner);
        Self {
            owner,
            state: Mutex::new(State {
                flights: ById::default(),
                changed: Vec::new(),
                turn: 0,
                sweep_at: FLIGHTS_MAX,
            }),
            bell: Notify::new(),
        }
    }

    /// Takes a slot of each count where all of them are claimed already and free; otherwise says what to claim. Where the
    /// keeper cannot be asked, what was claimed of it counts for nothing.
    pub(crate) fn take(
        self: &Arc<Self>,
        organization: OrganizationId,
        asked: Vec<Claim>,
        (can_ask, now): (bool, Instant),
    ) -> Result<Seats, Pending> {
        let mut state = self.state();
        let state = &mut *state;
        state.sweep();
        let mut is_new = false;
        let mut free = can_ask;
        for claim in &asked {
            let flight = state.flights.entry(claim.counter).or_insert_with(|| {
                is_new = true;
                Flight::new(organization, now)
            });
            flight.used(now);
            free &= flight.has_free(claim.amount, now);
        }
        if is_new {
            // Whoever keeps this up sleeps long where there is nothing to look after.
            self.bell.notify_waiters();
            self.bell.notify_one();
        }
        if free {
            for claim in &asked {
                if let Some(flight) = state.flights.get_mut(&claim.counter) {
                    flight.sit();
                }
            }
            let counters = asked.iter().map(|claim| claim.counter).collect();
            return Ok(Seats::of(self, counters, now));
        }
        state.turn += 1;
        let claims = asked.into_iter().map(|claim| {
            let flight = state.flights.get_mut(&claim.counter);
            flight.map_or(claim, |it| it.ask(claim, can_ask, now))
        });
        Err(Pending {
            claims: claims.collect(),
            flights: Arc::clone(self),
            turn: state.turn,
            since: now,
            sent: can_ask,
        })
    }

    /// What is left of each count, as far as is known here.
    pub(crate) fn left(&self, counts: impl Iterator<Item = (CounterId, u64)>) -> Vec<i64> {
        let state = self.state();
        let left = |(counter, amount)| {
            let flight = state.flights.get(&counter);
            signed(flight.map_or(amount, |it| it.left(amount)))
        };
        counts.map(left).collect()
    }

    /// Whose slots are this process's, in what is claimed of them.
    pub(crate) const fn owner(&self) -> [u8; 16] {
        self.owner
    }

    /// Of each count, how many slots are left in this edge's part of them.
    pub(crate) fn left_of_share(&self, claims: &[Claim], edges: u32) -> Vec<i64> {
        let state = self.state();
        let left = |claim: &Claim| {
            let flight = state.flights.get(&claim.counter);
            let taken = u64::from(flight.map_or(0, Flight::seated));
            signed(claim.share(edges).saturating_sub(taken))
        };
        claims.iter().map(left).collect()
    }

    /// What should be said now: what has changed; with `all`, also what was not said for long. Forgets what nobody uses.
    /// To be followed by [`Flights::said`].
    pub(crate) fn due(&self, all: bool, now: Instant) -> Saying {
        let mut state = self.state();
        let state = &mut *state;
        let turn = state.turn + 1;
        let mut of: HashMap<OrganizationId, Vec<Said>> = HashMap::new();
        let mut say = |counter: CounterId, flight: &mut Flight| {
            let (number, at_least) = flight.say(turn, now)?;
            let said = Said {
                counter,
                number,
                at_least,
            };
            of.entry(flight.organization()).or_default().push(said);
            Some(())
        };
        for counter in std::mem::take(&mut state.changed) {
            if let Some(flight) = state.flights.get_mut(&counter) {
                flight.is_listed = false;
                say(counter, flight);
            }
        }
        if all {
            state.flights.retain(|counter, flight| {
                say(*counter, flight);
                flight.is_kept(now)
            });
        }
        if !of.is_empty() {
            state.turn = turn;
        }
        Saying {
            owner: self.owner,
            turn,
            of: of.into_iter().collect(),
        }
    }

    /// What was said at `at` has been heard, and so many are this process's of each count.
    pub(crate) fn said(&self, saying: &Saying, heard: &[u32], at: Instant) {
        let mut state = self.state();
        let all = saying.of.iter().flat_map(|(_, part)| part);
        for (said, own) in all.zip(heard) {
            if let Some(flight) = state.flights.get_mut(&said.counter) {
                flight.heard(saying.turn, *own, at);
            }
        }
    }

    /// The keeper may have forgotten all of it: everything is said again.
    pub(crate) fn forgotten(&self) {
        for flight in self.state().flights.values_mut() {
            flight.forgotten();
        }
    }

    /// Whether there is nothing to look after.
    pub(crate) fn is_empty(&self) -> bool {
        self.state().flights.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes these counts, and rings where something should be said of them.
    fn change<'a, T: 'a>(
        &self,
        counts: impl Iterator<Item = (CounterId, T)>,
        change: impl Fn(&mut Flight, T),
    ) {
        let mut state = self.state();
        let state = &mut *state;
        let mut rings = false;
        for (counter, with) in counts {
            let Some(flight) = state.flights.get_mut(&counter) else {
                continue;
            };
            change(flight, with);
            if flight.should_say() && !std::mem::replace(&mut flight.is_listed, true) {
                state.changed.push(counter);
                rings = true;
            }
        }
        if rings {
            self.bell.notify_one();
        }
    }
}

// === impl State ===

impl State {
    /// Forgets the counts of which nothing is under way, when there are many.
    fn sweep(&mut self) {
        if self.flights.len() < self.sweep_at {
            return;
        }
        self.flights.retain(|_, flight| flight.is_busy());
        self.changed
            .retain(|counter| self.flights.contains_key(counter));
        self.sweep_at = FLIGHTS_MAX.max(self.flights.len() * 2);
    }
}

// === impl Pending ===

impl Pending {
    /// What is claimed.
    pub(crate) fn claims(&self) -> Claims<'_> {
        Claims {
            owner: self.flights.owner,
            turn: self.turn,
            each: &self.claims,
        }
    }

    /// Of each claim, how many slots are left in this edge's part of them, this one taken; negative where it does not fit.
    pub(crate) fn left_of_share(&self, edges: u32) -> Vec<i64> {
        let state = self.flights.state();
        let left = |claim: &Claim| {
            let flight = state.flights.get(&claim.counter);
            let taken = flight.map_or(1, |it| it.taken(claim));
            signed(claim.share(edges)) - signed(u64::from(taken))
        };
        self.claims.iter().map(left).collect()
    }

    /// When to ask again for one of them, in milliseconds.
    pub(crate) fn retry_ms(&self, place: usize) -> u64 {
        self.claims.get(place).map_or(1, |claim| claim.retry_ms)
    }

    /// The keeper has granted the request, with these slots.
    pub(crate) fn granted(mut self, slots: &[Slot]) -> Seats {
        let claims = std::mem::take(&mut self.claims);
        let (turn, sent) = (self.turn, self.since);
        let answers = claims
            .iter()
            .enumerate()
            .map(|(place, claim)| (claim, slots.get(place)));
        let each = answers.clone().map(|it| (it.0.counter, it));
        self.flights
            .change(each, |flight, (claim, slot)| match slot {
                Some(slot) if slot.granted => flight.granted(claim, slot, sent),
                Some(slot) => flight.refused(claim, Some(slot)),
                None => {
                    flight.refused(claim, None);
                    flight.unanswered(turn);
                }
            });
        let seated = answers.filter(|(_, slot)| slot.is_some_and(|it| it.granted));
        let counters: Vec<_> = seated.map(|(claim, _)| claim.counter).collect();
        Seats::of(&self.flights, counters, self.since)
    }

    /// The keeper has denied the request, and written nothing.
    pub(crate) fn denied(mut self, slots: &[Slot]) {
        let claims = std::mem::take(&mut self.claims);
        let answers = claims.iter().enumerate();
        let answers = answers.map(|(place, it)| (it.counter, (it, slots.get(place))));
        self.flights.change(answers, |flight, (claim, slot)| {
            flight.refused(claim, slot);
        });
    }

    /// The request is admitted without the keeper's word, save for the slots at these places.
    pub(crate) fn admitted_alone(mut self, over: impl Fn(usize) -> bool) -> Seats {
        let claims = std::mem::take(&mut self.claims);
        let turn = self.turn;
        let each = claims.iter().enumerate();
        let changes = each.clone().map(|(place, it)| (it.counter, (place, it)));
        self.flights.change(changes, |flight, (place, claim)| {
            if over(place) {
                flight.unanswered(turn);
                flight.refused(claim, None);
            } else {
                flight.seat_alone(claim, turn);
            }
        });
        let seated = each.filter(|(place, _)| !over(*place));
        let counters: Vec<_> = seated.map(|(_, claim)| claim.counter).collect();
        Seats::of(&self.flights, counters, self.since)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let (turn, sent) = (self.turn, self.sent);
        let each = self.claims.iter().map(|claim| (claim.counter, claim));
        self.flights.change(each, |flight, claim| {
            flight.refused(claim, None);
            if sent {
                flight.unanswered(turn);
            }
        });
    }
}

// === impl Seats ===

impl Seats {
    fn of(flights: &Arc<Flights>, counters: Vec<CounterId>, since: Instant) -> Self {
        if counters.is_empty() {
            return Self::default();
        }
        Self(Some(Box::new(Taken {
            flights: Arc::clone(flights),
            counters,
            since,
        })))
    }

    /// Takes those of another request that is one with this one.
    pub fn join(&mut self, mut other: Self) {
        match (&mut self.0, other.0.take()) {
            (Some(ours), Some(mut theirs)) => {
                ours.counters.append(&mut theirs.counters);
                ours.since = ours.since.min(theirs.since);
            }
            (None, theirs) => self.0 = theirs,
            (Some(_), None) => {}
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let took = self.since.elapsed();
        let each = self.counters.iter().map(|counter| (*counter, ()));
        self.flights
            .change(each, |flight, ()| flight.left_by_one(took));
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "flights_test.rs"]
mod tests;
