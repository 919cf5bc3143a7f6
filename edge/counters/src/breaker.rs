//! When to stop asking Redis: the count of calls that went wrong.
//!
//! Knows nothing of connections or of time beyond the instants that it is given. A call that ended without a
//! good answer is a failure, whatever the reason; none is swallowed.

use std::time::{Duration, Instant};

/// So many failures in a row open it.
pub(crate) const IN_A_ROW_MAX: u32 = 5;

/// Half of the calls of so long open it, too.
const WINDOW: Duration = Duration::from_secs(1);

/// Fewer calls than this in a window say nothing about a half.
const ASKED_MIN: u32 = 10;

/// The count.
#[derive(Debug)]
pub(crate) struct Breaker {
    in_a_row: u32,
    since: Instant,
    asked: u32,
    failed: u32,
}

// === impl Breaker ===

impl Breaker {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            in_a_row: 0,
            since: now,
            asked: 0,
            failed: 0,
        }
    }

    /// A call was answered.
    pub(crate) fn answered(&mut self, now: Instant) {
        self.count(now);
        self.in_a_row = 0;
    }

    /// A call failed. Says whether that was one too many.
    pub(crate) fn failed(&mut self, now: Instant) -> bool {
        self.count(now);
        self.in_a_row += 1;
        self.failed += 1;
        self.in_a_row >= IN_A_ROW_MAX || (self.asked >= ASKED_MIN && self.failed * 2 >= self.asked)
    }

    fn count(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) >= WINDOW {
            self.since = now;
            self.asked = 0;
            self.failed = 0;
        }
        self.asked += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_in_a_row_open_it_and_an_answer_between_them_does_not() {
        let now = Instant::now();
        let mut breaker = Breaker::new(now);
        assert_eq!([0; 4].map(|_: u8| breaker.failed(now)), [false; 4]);
        breaker.answered(now);
        assert_eq!([0; 4].map(|_: u8| breaker.failed(now)), [false; 4]);
        assert!(breaker.failed(now));
    }

    #[test]
    fn half_of_the_calls_of_one_second_open_it() {
        let now = Instant::now();
        let mut breaker = Breaker::new(now);
        for _ in 0..4 {
            breaker.answered(now);
            assert!(!breaker.failed(now));
        }
        breaker.answered(now);
        assert!(breaker.failed(now), "five of ten");
    }

    #[test]
    fn failures_of_an_earlier_second_are_forgotten() {
        let start = Instant::now();
        let mut breaker = Breaker::new(start);
        for second in 0..20 {
            let now = start + WINDOW * second;
            breaker.answered(now);
            breaker.answered(now);
            assert!(!breaker.failed(now));
        }
    }
}
