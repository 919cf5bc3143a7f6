//! The batches of one lane that are on their way to an edge and not acknowledged.
//!
//! Knows only where each ends, what it leads to and how large it is. An ack lands a batch and all before it.

use std::collections::VecDeque;

use policy::{hash::StateHash, revision::Revision};

/// The most that is on its way to an edge and not acknowledged.
pub const UNACKED_BYTES_MAX: usize = 8 << 20; // Full: the lane waits for an ack.

/// The batches on their way, oldest first.
#[derive(Debug, Default)]
pub struct Flights {
    flights: VecDeque<Flight>,
    bytes: usize,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flight {
    /// Where the edge is with it.
    pub revision: Revision,
    /// Its state hash then.
    pub hash: StateHash,
    /// Its size.
    pub bytes: usize,
}

// === impl Flights ===

impl Flights {
    /// Whether no more may be sent.
    pub const fn are_full(&self) -> bool {
        self.bytes >= UNACKED_BYTES_MAX
    }

    /// Where the last one ends.
    pub fn last(&self) -> Option<Revision> {
        self.flights.back().map(|flight| flight.revision)
    }

    /// One more is on its way.
    pub fn start(&mut self, flight: Flight) {
        self.bytes += flight.bytes;
        self.flights.push_back(flight);
    }

    /// The one that ends at `revision` has arrived, and so have all before it.
    pub fn land(&mut self, revision: Revision) -> Option<Flight> {
        let at = self
            .flights
            .iter()
            .position(|flight| flight.revision == revision)?;
        let landed = self.flights.drain(..=at);
        let (bytes, last) = landed.fold((0, None), |(sum, _), it| (sum + it.bytes, Some(it)));
        self.bytes -= bytes;
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_lands_a_batch_and_all_before_it() {
        let mut flights = Flights::default();
        let flight = |at| {
            let (revision, hash) = (Revision(at), StateHash::default());
            Flight {
                revision,
                hash,
                bytes: UNACKED_BYTES_MAX / 4,
            }
        };
        (1..=4).for_each(|at| flights.start(flight(at)));
        assert!(flights.are_full());
        assert_eq!(flights.land(Revision(9)), None);
        assert_eq!(flights.land(Revision(3)), Some(flight(3)));
        assert!(!flights.are_full());
        assert_eq!(
            (flights.land(Revision(1)), flights.last()),
            (None, Some(Revision(4)))
        );
    }
}
