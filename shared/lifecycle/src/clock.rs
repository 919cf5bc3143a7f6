//! The clock: the one place that asks what time it is.
//!
//! Knows nothing of durations or timers, which measure with `Instant`. The system's clock may jump either
//! way; who cannot bear that says so where it reads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What time it is. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock(Source);

/// Turns a clock made by [`Clock::by_hand`].
#[derive(Debug, Clone)]
pub struct Hand(Arc<AtomicU64>);

#[derive(Debug, Clone)]
enum Source {
    System,
    Hand(Arc<AtomicU64>),
}

// === impl Clock ===

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock for tests, which stands at `now_ms` until its hand is moved.
    pub fn by_hand(now_ms: u64) -> (Self, Hand) {
        let time = Arc::new(AtomicU64::new(now_ms));
        (Self(Source::Hand(Arc::clone(&time))), Hand(time))
    }

    /// Milliseconds since 1970, UTC.
    pub fn now_ms(&self) -> u64 {
        let since = self.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// The same as a [`SystemTime`].
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that all others are to ask"
    )]
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            Source::System => SystemTime::now(),
            Source::Hand(time) => UNIX_EPOCH + Duration::from_millis(time.load(Ordering::SeqCst)),
        }
    }
}

// === impl Hand ===

impl Hand {
    /// Moves time on.
    pub fn advance(&self, by: Duration) {
        let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }

    /// Sets the time, backwards too, as an administrator may.
    pub fn set_ms(&self, now_ms: u64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_by_hand_moves_only_when_it_is_moved() {
        let (clock, hand) = Clock::by_hand(1_000);
        assert_eq!((clock.now_ms(), clock.clone().now_ms()), (1_000, 1_000));
        hand.advance(Duration::from_secs(2));
        assert_eq!(clock.now_ms(), 3_000);
        hand.set_ms(5);
        assert_eq!(clock.now(), UNIX_EPOCH + Duration::from_millis(5));
    }

    #[test]
    fn the_system_clock_is_past_the_year_2020() {
        assert!(Clock::system().now_ms() > 1_577_836_800_000);
    }
}
