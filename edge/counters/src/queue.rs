//! Settlements on their way to Redis; also while it is away.
//!
//! Knows nothing of connections. Settlements leave in the order in which they came, and may be sent more than
//! once, which Redis does not mind.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use metrics::{counter, describe_counter};

use crate::reservation::Settlement;

// Full: the settlement is dropped and counted, and its reservation is charged in full when its lease ends.
// One that was admitted from this edge's share is then not charged at all.
const SETTLEMENTS_MAX: usize = 65_536;

const LOST: &str = "sluice_limits_settlement_lost_total";

/// The settlements that wait.
#[derive(Debug, Default)]
pub(crate) struct Queue(
    // Held only to push or to take a few.
    Mutex<VecDeque<Settlement>>,
);

/// Names what is counted here.
pub(crate) fn describe() {
    describe_counter!(
        LOST,
        "Settlements that never reached Redis: the queue was full, or Redis refused"
    );
}

/// Counts settlements that will never be sent.
pub(crate) fn lost(count: u64) {
    counter!(LOST).increment(count);
}

// === impl Queue ===

impl Queue {
    pub(crate) fn push(&self, settlement: Settlement) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < SETTLEMENTS_MAX {
            waiting.push_back(settlement);
        } else {
            lost(1);
        }
    }

    /// Takes the `count` oldest, or all.
    pub(crate) fn take(&self, count: usize) -> Vec<Settlement> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = count.min(waiting.len());
        waiting.drain(..count).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // What was settled after the upkeep had ended.
        let left = self.take(usize::MAX).len();
        if left > 0 {
            lost(left as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use policy::id::OrganizationId;

    use super::*;
    use crate::reservation::Request;

    #[test]
    fn a_full_queue_drops_the_newest_and_keeps_the_order_of_the_others() {
        let queue = Queue::default();
        for number in 0..=SETTLEMENTS_MAX {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&(number as u64).to_be_bytes());
            let request = Request {
                organization: OrganizationId::from_bytes([1; 16]),
                id,
            };
            queue.push(Settlement {
                request,
                lines: Vec::new(),
                charge_if_absent: true,
                bequest: None,
            });
        }
        let taken = queue.take(usize::MAX);
        assert_eq!(taken.len(), SETTLEMENTS_MAX);
        assert!(taken.is_sorted_by_key(|settlement| settlement.request.id));
        assert_eq!(taken[0].request.id, [0; 16]);
        assert!(queue.is_empty());
    }
}
