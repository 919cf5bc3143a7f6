//! What a process knows of its slots, against a keeper that is the twin.

use std::time::Duration;

use super::*;
use crate::{
    process::Process,
    reservation::{Request, Reserved, SLOTS_TERM_MS, Wanted},
};

const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);

/// Processes before one keeper.
struct Table {
    keeper: Process,
    processes: Vec<Arc<Flights>>,
    base: Instant,
    now_ms: u64,
    amount: u64,
}

impl Table {
    fn new(processes: usize, amount: u64) -> Self {
        Self {
            keeper: Process::new(),
            processes: (0..processes).map(|_| Arc::new(Flights::new())).collect(),
            base: Instant::now(),
            now_ms: 1_000,
            amount,
        }
    }

    fn now(&self) -> Instant {
        self.base + Duration::from_millis(self.now_ms)
    }

    fn claim(&self) -> Vec<Claim> {
        vec![Claim {
            counter: CounterId::from_bytes([3; 16]),
            amount: self.amount,
            known: (0, 0),
            base: 0,
            more: 1,
            spare: 0,
            retry_ms: 1,
            soft: false,
        }]
    }

    /// Takes a slot here, or says what must be asked.
    fn take(&self, process: usize) -> Result<Seats, Pending> {
        self.processes[process].take(ORGANIZATION, self.claim(), (true, self.now()))
    }

    fn answer(&mut self, pending: &Pending) -> Reserved {
        let claims = pending.claims();
        let wanted = Wanted {
            claims: Some(&claims),
            ..Wanted::now(&[])
        };
        let request = Request {
            organization: ORGANIZATION,
            id: [0; 16],
        };
        let reply = self.keeper.reserve(&request, wanted, 1_000, self.now_ms);
        reply.value
    }

    /// Takes a slot, and asks for it if need be.
    fn seat(&mut self, process: usize) -> Option<Seats> {
        let pending = match self.take(process) {
            Ok(seats) => return Some(seats),
            Err(pending) => pending,
        };
        match self.answer(&pending) {
            Reserved::Granted { slots, .. } => Some(pending.granted(&slots)),
            Reserved::Denied { slots, .. } => {
                pending.denied(&slots);
                None
            }
            Reserved::Unknown { .. } | Reserved::Lacking { .. } => panic!("the keeper can tell"),
        }
    }

    /// Says what is due, and tells how much that was.
    fn say(&mut self, process: usize, all: bool) -> usize {
        let saying = self.processes[process].due(all, self.now());
        let heard = self.keeper.hold_slots(&saying, self.now_ms);
        self.processes[process].said(&saying, &heard, self.now());
        heard.len()
    }
}

#[test]
fn as_many_are_under_way_as_there_are_slots_and_no_more() {
    let mut table = Table::new(2, 10);
    let mut seats: Vec<Seats> = Vec::new();
    for at in 0..40 {
        seats.extend(table.seat(at % 2));
    }
    assert_eq!(seats.len(), 10);
    seats.pop();
    assert!(
        table.seat(0).is_none(),
        "the other has not said yet that one is free"
    );
    assert_eq!(table.say(1, false), 1);
    assert!(table.seat(0).is_some());
}

#[test]
fn a_slot_that_is_free_here_needs_nobodys_word() {
    let mut table = Table::new(1, 10);
    let seats = table.seat(0).unwrap();
    drop(seats);
    let again = table.take(0);
    assert!(again.is_ok(), "it is claimed still");
    assert!(table.take(0).is_err(), "there is one");
}

#[test]
fn far_from_the_limit_some_are_claimed_ahead_and_given_back_when_nobody_comes() {
    let mut table = Table::new(2, 1_000);
    let mut asked = 0;
    let mut seats = Vec::new();
    for _ in 0..100 {
        match table.take(0) {
            Ok(taken) => seats.push(taken),
            Err(pending) => {
                asked += 1;
                let Reserved::Granted { slots, .. } = table.answer(&pending) else {
                    panic!("there is room")
                };
                seats.push(pending.granted(&slots));
            }
        }
    }
    assert!(asked <= 25, "{asked} of 100 asked");
    table.now_ms += 2_000;
    table.say(0, true);
    let left = table.processes[0].left(std::iter::once((CounterId::from_bytes([3; 16]), 1_000)));
    assert_eq!(left, [900]);
}

#[test]
fn who_is_refused_holds_nothing_and_neither_does_who_left_while_it_asked() {
    let mut table = Table::new(2, 1);
    let seats = table.seat(0).unwrap();
    assert!(table.seat(0).is_none() && table.seat(1).is_none());
    drop(seats);
    table.say(0, false);
    let left = table.take(1).unwrap_err();
    let _lost = table.answer(&left);
    drop(left);
    assert!(table.seat(0).is_none(), "the keeper has it for who left");
    assert_eq!(table.say(1, true), 1);
    assert!(table.seat(0).is_some());
}

#[test]
fn what_is_not_heard_is_said_again_and_what_comes_late_takes_nothing_back() {
    let mut table = Table::new(2, 2);
    let first = table.seat(0).unwrap();
    let second = table.seat(0).unwrap();
    drop(second);
    let late = table.processes[0].due(false, table.now());
    assert_eq!(late.of[0].1[0].number, 1);
    // Nobody heard it. What is asked for then is written, and it comes after that.
    let third = table.seat(0).unwrap();
    table.keeper.hold_slots(&late, table.now_ms);
    assert!(table.seat(1).is_none(), "both are taken");
    table.now_ms += 1_000;
    assert_eq!(table.say(0, true), 1);
    assert_eq!(table.say(0, true), 0, "all is known");
    drop((first, third));
}

#[test]
fn a_claim_is_not_trusted_when_its_term_is_nearly_over() {
    let mut table = Table::new(2, 2);
    let one = table.seat(0).unwrap();
    drop(table.seat(0).unwrap());
    assert!(table.take(0).is_ok());
    table.now_ms += SLOTS_TERM_MS;
    assert!(table.take(0).is_err());
    // The keeper has forgotten it; the one that is under way is claimed again with the next.
    let other = table.seat(0).unwrap();
    assert!(table.seat(1).is_none());
    drop((one, other));
}

#[test]
fn an_amount_that_was_lowered_holds_at_once() {
    let mut table = Table::new(1, 2);
    let one = table.seat(0).unwrap();
    drop(table.seat(0).unwrap());
    table.amount = 1;
    assert!(table.seat(0).is_none());
    drop(one);
    assert!(table.seat(0).is_some());
}

#[test]
fn seats_that_are_joined_are_free_together() {
    let mut table = Table::new(1, 2);
    let mut one = table.seat(0).unwrap();
    one.join(table.seat(0).unwrap());
    assert!(table.seat(0).is_none());
    drop(one);
    assert!(table.seat(0).is_some());
}

#[test]
fn without_the_keeper_a_process_has_its_share() {
    let table = Table::new(1, 10);
    let mut seats = Vec::new();
    for at in 0..6 {
        let now = table.now();
        let pending = table.processes[0].take(ORGANIZATION, table.claim(), (false, now));
        let pending = pending.unwrap_err();
        let left = pending.left_of_share(3);
        assert_eq!(left, [2 - at], "a third of ten");
        if left[0] >= 0 {
            seats.push(pending.admitted_alone(|_| false));
        } else {
            drop(pending);
            seats.pop();
            seats.push(Seats::default());
            break;
        }
    }
    assert_eq!(seats.len(), 3);
    // When it is back it is told what is under way.
    let saying = table.processes[0].due(true, table.now());
    assert_eq!(saying.of[0].1[0].number, 2);
}
