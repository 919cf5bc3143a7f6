//! What was charged beyond a reservation while its request still runs, and what that leaves to be settled in the end.
//!
//! Knows amounts, in the order of the reservation's lines; knows nothing of who keeps counts. Each charge is a settlement with an
//! id of its own, made from the request's and a number that grows: sent twice, it charges once, and what is charged no lease gives back.

use crate::reservation::{Line, Request, Settlement};

/// What was charged of each line of one reservation beyond what was reserved.
#[derive(Debug, Default)]
pub struct Topped {
    /// How many charges there were.
    number: u64,
    /// In the order of the lines; empty before the first charge.
    units: Vec<i64>,
}

// === impl Topped ===

impl Topped {
    /// The charge after which so much of each line is charged as `wanted` says of it, where that is more than what was reserved and
    /// what was charged before; `None` where it is so for all. The lines are those of the reservation, always in the same order.
    pub fn raise(
        &mut self,
        request: &Request,
        lines: &[Line],
        wanted: impl Fn(&Line) -> i64,
    ) -> Option<Settlement> {
        let more = |(line, topped): (&Line, i64)| Line {
            amount: (wanted(line) - line.amount - topped).max(0),
            ..*line
        };
        let units = self.units.iter().copied().chain(std::iter::repeat(0));
        // All are named, also those of which nothing more is wanted: the counts of one shelf are written together.
        let more: Vec<Line> = lines.iter().zip(units).map(more).collect();
        if more.iter().all(|line| line.amount == 0) {
            return None;
        }
        self.units.resize(lines.len(), 0);
        for (units, line) in self.units.iter_mut().zip(&more) {
            *units += line.amount;
        }
        self.number += 1;
        Some(Settlement {
            request: Request {
                id: charge_id(request.id, self.number),
                ..*request
            },
            lines: more,
            charge_if_absent: true,
            bequest: None,
        })
    }

    /// The request has ended, and `used` says what it used of each line: where charges came before, a last one of what is still to
    /// be charged, which so is charged even where the lease has ended.
    pub fn last(
        &mut self,
        request: &Request,
        lines: &[Line],
        used: impl Fn(&Line) -> i64,
    ) -> Option<Settlement> {
        if self.number == 0 {
            return None;
        }
        self.raise(request, lines, used)
    }

    /// What was charged of the line at this place, so that the reservation is settled with as much less than what was used.
    pub fn units(&self, place: usize) -> i64 {
        self.units.get(place).copied().unwrap_or(0)
    }
}

/// The id of a charge of a request: another for each number, and no other request's.
fn charge_id(request: [u8; 16], number: u64) -> [u8; 16] {
    // Odd, so that no two numbers give the same; and of all bits, so that it is not the id of a request that came at the same time.
    const MIX: u128 = 0xda94_2042_e4dd_58b5_9e37_79b9_7f4a_7c15;
    let mask = u128::from(number).wrapping_mul(MIX);
    (u128::from_be_bytes(request) ^ mask).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use policy::{
        applying::{Measure, Shelf},
        id::{CounterId, OrganizationId, ShelfId},
        limit::Rate,
    };

    use super::*;

    const REQUEST: Request = Request {
        organization: OrganizationId::from_bytes([1; 16]),
        id: [7; 16],
    };

    fn lines(amounts: [i64; 2]) -> Vec<Line> {
        let line = |(counter, amount): (u8, i64)| Line {
            counter: CounterId::from_bytes([counter; 16]),
            shelf: Shelf {
                id: ShelfId::from_bytes([1; 16]),
                is_one_of_many: false,
            },
            measure: Measure::Rate(Rate::new(100, 1_000, 100).unwrap()),
            amount,
            soft: false,
            counted_from_ms: 0,
            given: 0,
        };
        [1, 2].into_iter().zip(amounts).map(line).collect()
    }

    fn amounts(lines: &[Line]) -> Vec<i64> {
        lines.iter().map(|line| line.amount).collect()
    }

    #[test]
    fn only_what_is_more_than_before_is_charged_and_the_end_charges_or_gives_back_the_rest() {
        let (mut topped, held) = (Topped::default(), lines([1, 40]));
        let wanted = |units: i64| move |line: &Line| if line.amount == 1 { 1 } else { units };
        assert_eq!(topped.raise(&REQUEST, &held, wanted(40)), None);
        let first = topped.raise(&REQUEST, &held, wanted(100)).unwrap();
        assert_eq!(amounts(&first.lines), [0, 60]);
        assert!(first.charge_if_absent);
        assert_eq!(topped.raise(&REQUEST, &held, wanted(90)), None);
        let second = topped.raise(&REQUEST, &held, wanted(130)).unwrap();
        assert_eq!(amounts(&second.lines), [0, 30]);
        let last = topped.last(&REQUEST, &held, wanted(135)).unwrap();
        assert_eq!(amounts(&last.lines), [0, 5]);
        assert_eq!([topped.units(0), topped.units(1)], [0, 95]);
    }

    #[test]
    fn what_was_charged_too_much_is_not_charged_again() {
        let (mut topped, held) = (Topped::default(), lines([10, 10]));
        topped.raise(&REQUEST, &held, |_| 50).unwrap();
        assert_eq!(topped.last(&REQUEST, &held, |_| 15), None);
        assert_eq!(topped.units(0), 40);
    }

    #[test]
    fn a_request_without_charges_settles_in_one_word() {
        let (mut topped, held) = (Topped::default(), lines([10, 10]));
        assert_eq!(topped.last(&REQUEST, &held, |_| 99), None);
        assert_eq!(topped.units(0), 0);
    }

    #[test]
    fn no_two_charges_have_one_id() {
        let mut seen = HashSet::from([REQUEST.id]);
        let (mut topped, held) = (Topped::default(), lines([0, 0]));
        for units in 1..=10_000 {
            let charge = topped.raise(&REQUEST, &held, |_| units).unwrap();
            assert!(seen.insert(charge.request.id), "{units}");
        }
    }
}
