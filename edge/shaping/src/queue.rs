//! Who waits, and who is next: classes one before the other, and within a class everybody by their share.
//!
//! A class is served when nobody of a higher one waits. Within one, tenants take turns by start times of a virtual clock
//! that runs by what was served, weighed by shares (start-time fair queueing): whoever asks for much gets no more than
//! whoever asks for little, and a place that nobody claims is anybody's. Pure; knows nothing of time or of what waits.

use std::collections::{BTreeSet, HashMap, VecDeque};

use policy::traffic::{Class, Share};

/// Whose a request is.
pub(crate) type Tenant = [u8; 16];

/// How many tenants without anything waiting are remembered of each class, so that none gains by leaving for a moment.
// Full: they are forgotten, and with them that they were served just now.
const RESTING_MAX: usize = 1_024;

/// From how full on, in tenths, the last that came of a tenant goes first: the first ones have waited in vain by then.
const CROWDED_TENTHS: usize = 8;

/// The largest request that is weighed as what it is, in tokens.
const COST_MAX: u64 = 10_000_000;

/// Fine enough that the smallest request with the largest share still moves the clock.
const SCALE: u64 = 1 << 12;

/// What waits.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    // In the order of `Class::ALL`, the highest first.
    classes: [Flows<T>; Class::ALL.len()],
    places: usize,
    max: usize,
    next_number: u64,
}

/// Where something waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    class: Class,
    tenant: Tenant,
    number: u64,
}

/// What wants to wait.
#[derive(Debug)]
pub(crate) struct Ticket<T> {
    /// In which class.
    pub(crate) class: Class,
    /// Whose it is.
    pub(crate) tenant: Tenant,
    /// What its tenant is due among others of the class.
    pub(crate) share: Share,
    /// How large it is, in tokens.
    pub(crate) cost: u64,
    /// It.
    pub(crate) what: T,
}

#[derive(Debug)]
struct Flows<T> {
    tenants: HashMap<Tenant, Flow<T>>,
    /// Tenants with something waiting, by when they start.
    order: BTreeSet<(u64, Tenant)>,
    clock: u64,
    waiting: usize,
}

#[derive(Debug)]
struct Flow<T> {
    start: u64,
    waiting: VecDeque<Held<T>>,
}

#[derive(Debug)]
struct Held<T> {
    number: u64,
    /// By how much its tenant's start moves when it is served.
    step: u64,
    what: T,
}

// === impl Queue ===

impl<T> Queue<T> {
    /// An empty one with so many places.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            classes: std::array::from_fn(|_| Flows::new()),
            places: 0,
            max,
            next_number: 0,
        }
    }

    /// How many wait.
    pub(crate) const fn len(&self) -> usize {
        self.places
    }

    /// How many wait that a request of this class does not go before.
    pub(crate) fn ahead(&self, class: Class) -> usize {
        let up_to = self.classes.iter().take(class.rank() + 1);
        up_to.map(|flows| flows.waiting).sum()
    }

    /// Takes a place. Where none is left, whoever came last to the lowest class loses theirs to a higher one, and is given
    /// back.
    // Full: refused, if nobody of a lower class waits.
    pub(crate) fn join(&mut self, ticket: Ticket<T>) -> Result<(Place, Option<T>), T> {
        let mut evicted = None;
        if self.places >= self.max {
            let lower = self.classes.iter_mut().skip(ticket.class.rank() + 1).rev();
            evicted = lower
                .filter(|flows| flows.waiting > 0)
                .find_map(Flows::evict);
            if evicted.is_none() {
                return Err(ticket.what);
            }
            self.places -= 1;
        }
        let number = self.next_number;
        self.next_number += 1;
        let place = Place {
            class: ticket.class,
            tenant: ticket.tenant,
            number,
        };
        if let Some(flows) = self.classes.get_mut(ticket.class.rank()) {
            flows.join(ticket, number);
            self.places += 1;
        }
        Ok((place, evicted))
    }

    /// Whoever is next.
    pub(crate) fn next(&mut self) -> Option<T> {
        let crowded = self.places * 10 > self.max * CROWDED_TENTHS;
        let what = self
            .classes
            .iter_mut()
            .find_map(|flows| flows.next(crowded))?;
        self.places -= 1;
        Some(what)
    }

    /// Gives a place up, if it is still there.
    pub(crate) fn leave(&mut self, place: Place) {
        let flows = self.classes.get_mut(place.class.rank());
        if flows.is_some_and(|flows| flows.leave(place)) {
            self.places -= 1;
        }
    }
}

// === impl Flows ===

impl<T> Flows<T> {
    fn new() -> Self {
        Self {
            tenants: HashMap::new(),
            order: BTreeSet::new(),
            clock: 0,
            waiting: 0,
        }
    }

    fn join(&mut self, ticket: Ticket<T>, number: u64) {
        if self.waiting == 0 {
            // Nobody is owed anything any more.
            self.tenants.clear();
            self.clock = 0;
        }
        if self.tenants.len() >= RESTING_MAX && !self.tenants.contains_key(&ticket.tenant) {
            self.tenants.retain(|_, flow| !flow.waiting.is_empty());
        }
        let clock = self.clock;
        let flow = self.tenants.entry(ticket.tenant).or_insert_with(|| Flow {
            start: clock,
            waiting: VecDeque::new(),
        });
        if flow.waiting.is_empty() {
            flow.start = flow.start.max(clock);
            self.order.insert((flow.start, ticket.tenant));
        }
        let cost = ticket.cost.clamp(1, COST_MAX);
        flow.waiting.push_back(Held {
            number,
            step: cost * SCALE / u64::from(ticket.share.get()),
            what: ticket.what,
        });
        self.waiting += 1;
    }

    fn next(&mut self, crowded: bool) -> Option<T> {
        let (start, tenant) = self.order.pop_first()?;
        let flow = self.tenants.get_mut(&tenant)?;
        let held = if crowded {
            flow.waiting.pop_back()
        } else {
            flow.waiting.pop_front()
        };
        let held = held?;
        self.waiting -= 1;
        self.clock = start;
        flow.start = start.saturating_add(held.step);
        if !flow.waiting.is_empty() {
            self.order.insert((flow.start, tenant));
        }
        Some(held.what)
    }

    /// Takes the last that came of the tenant who has most waiting.
    fn evict(&mut self) -> Option<T> {
        let longest = self
            .tenants
            .iter()
            .max_by_key(|(_, flow)| flow.waiting.len());
        let tenant = *longest?.0;
        let held = self.tenants.get_mut(&tenant)?.waiting.pop_back()?;
        self.settled(tenant);
        Some(held.what)
    }

    fn leave(&mut self, place: Place) -> bool {
        let Some(flow) = self.tenants.get_mut(&place.tenant) else {
            return false;
        };
        let at = flow.waiting.iter().position(|it| it.number == place.number);
        if at.and_then(|at| flow.waiting.remove(at)).is_none() {
            return false;
        }
        self.settled(place.tenant);
        true
    }

    /// One of this tenant's does not wait any more, unserved.
    fn settled(&mut self, tenant: Tenant) {
        self.waiting -= 1;
        if let Some(flow) = self.tenants.get(&tenant)
            && flow.waiting.is_empty()
        {
            self.order.remove(&(flow.start, tenant));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(class: Class, tenant: u8, share: u16, cost: u64, what: u32) -> Ticket<u32> {
        Ticket {
            class,
            tenant: [tenant; 16],
            share: Share::new(share).unwrap(),
            cost,
            what,
        }
    }

    #[test]
    fn a_higher_class_goes_first_and_pushes_out_the_lowest() {
        let mut queue = Queue::new(2);
        queue.join(ticket(Class::Batch, 1, 1, 1, 10)).unwrap();
        queue.join(ticket(Class::Standard, 1, 1, 1, 20)).unwrap();
        let (_, evicted) = queue.join(ticket(Class::Critical, 1, 1, 1, 30)).unwrap();
        assert_eq!(evicted, Some(10));
        assert_eq!(queue.join(ticket(Class::Standard, 2, 1, 1, 40)), Err(40));
        assert_eq!(queue.ahead(Class::Critical), 1);
        assert_eq!(queue.ahead(Class::Batch), 2);
        assert_eq!(
            [queue.next(), queue.next(), queue.next()],
            [Some(30), Some(20), None]
        );
    }

    #[test]
    fn tenants_are_served_by_their_shares_and_not_by_what_they_ask_for() {
        let mut queue = Queue::new(100_000);
        // One asks for a hundred times as often, another for requests ten times as large, and one is due three shares.
        for round in 0..100 {
            for _ in 0..100 {
                queue.join(ticket(Class::Standard, 1, 1, 100, 1)).unwrap();
            }
            for _ in 0..6 {
                queue.join(ticket(Class::Standard, 2, 1, 1_000, 2)).unwrap();
            }
            for _ in 0..60 {
                queue.join(ticket(Class::Standard, 3, 3, 100, 3)).unwrap();
            }
            assert!(round < 100);
        }
        let mut served = [0; 4];
        for _ in 0..6_000 {
            let tenant = queue.next().unwrap();
            served[tenant as usize] += if tenant == 2 { 1_000 } else { 100 };
        }
        let [_, one, two, three] = served;
        assert!(
            f64::from(one) / f64::from(two) < 1.05 && f64::from(two) / f64::from(one) < 1.05,
            "{served:?}"
        );
        assert!(
            (2.9..3.1).contains(&(f64::from(three) / f64::from(one))),
            "{served:?}"
        );
    }

    #[test]
    fn nobody_gains_by_leaving_for_a_moment() {
        let mut queue = Queue::new(100);
        let mut served = [0; 3];
        for _ in 0..10 {
            queue.join(ticket(Class::Standard, 1, 1, 1, 1)).unwrap();
        }
        for _ in 0..200 {
            // The second asks for one large request each time that the one before is served.
            if queue.ahead(Class::Standard) == 10 {
                queue.join(ticket(Class::Standard, 2, 1, 10, 2)).unwrap();
            }
            let tenant = queue.next().unwrap();
            served[tenant as usize] += 1;
            if tenant == 1 {
                queue.join(ticket(Class::Standard, 1, 1, 1, 1)).unwrap();
            }
        }
        assert!((170..=190).contains(&served[1]), "{served:?}");
    }

    #[test]
    fn whoever_leaves_is_not_served_and_makes_room() {
        let mut queue = Queue::new(2);
        let (first, _) = queue.join(ticket(Class::Batch, 1, 1, 1, 1)).unwrap();
        let (second, _) = queue.join(ticket(Class::Batch, 1, 1, 1, 2)).unwrap();
        queue.leave(first);
        queue.leave(first);
        assert_eq!(queue.len(), 1);
        queue.join(ticket(Class::Batch, 2, 1, 1, 3)).unwrap();
        queue.leave(second);
        assert_eq!([queue.next(), queue.next()], [Some(3), None]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_crowded_queue_serves_the_last_of_a_tenant_first() {
        let mut queue = Queue::new(10);
        for what in 0..10 {
            queue.join(ticket(Class::Standard, 1, 1, 1, what)).unwrap();
        }
        let served: Vec<_> = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(served, [9, 8, 0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
