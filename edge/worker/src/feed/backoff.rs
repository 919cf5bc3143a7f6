//! How long to wait before trying again, so that a fleet never comes back as a herd.
//!
//! Full jitter: the wait is drawn anew from zero up to a bound that doubles. Knows nothing of what is tried.
//! A try that worked resets nothing; only having worked for a while does.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);

/// For how long something must have worked before the waits start small again.
const STABLE: Duration = Duration::from_mins(1);

/// Counts tries and draws waits.
#[derive(Debug)]
pub struct Backoff {
    tries: u32,
    longest: Duration,
    worked_since: Option<Instant>,
}

impl Backoff {
    /// Waits up to this long.
    pub const fn up_to(longest: Duration) -> Self {
        Self {
            tries: 0,
            longest,
            worked_since: None,
        }
    }

    /// How long to wait before the next try: nothing before the first, up to 200 ms before the second.
    pub fn next(&mut self, now: Instant) -> Duration {
        if self
            .worked_since
            .take()
            .is_some_and(|since| now.duration_since(since) >= STABLE)
        {
            // Not zero: a control plane that restarts would meet its whole fleet in the same moment.
            self.tries = 1;
        }
        let longest = self.longest();
        self.tries = self.tries.saturating_add(1);
        longest.mul_f64(fastrand::f64())
    }

    /// Says that the last try works as of `now`.
    pub fn works(&mut self, now: Instant) {
        self.worked_since.get_or_insert(now);
    }

    fn longest(&self) -> Duration {
        let Some(doublings) = self.tries.checked_sub(1) else {
            return Duration::ZERO;
        };
        FIRST
            .saturating_mul(1 << doublings.min(16))
            .min(self.longest)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::up_to(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_half_a_minute_and_start_small_after_a_stable_minute() {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next(start), Duration::ZERO);
        assert_eq!(backoff.longest(), FIRST);
        for _ in 0..20 {
            assert!(backoff.next(start) <= LONGEST);
        }
        assert_eq!(backoff.longest(), LONGEST);

        backoff.works(start);
        backoff.next(start + Duration::from_secs(59));
        assert_eq!(backoff.longest(), LONGEST);
        backoff.works(start);
        assert!(backoff.next(start + Duration::from_secs(61)) <= FIRST);
    }
}
