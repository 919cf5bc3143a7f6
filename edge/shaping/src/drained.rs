//! How fast a lane moves: requests that left it in a second, lately.
//!
//! Knows nothing of why they left. Pure.

use std::time::{Duration, Instant};

/// Over how long is counted before it is believed.
const WINDOW: Duration = Duration::from_millis(500);

/// A rate, halfway between what it was and what was counted last.
#[derive(Debug)]
pub(crate) struct Drained {
    began: Instant,
    counted: u32,
    per_second: Option<f64>,
}

// === impl Drained ===

impl Drained {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            began: now,
            counted: 0,
            per_second: None,
        }
    }

    /// One has left.
    pub(crate) fn left(&mut self, now: Instant) {
        self.counted = self.counted.saturating_add(1);
        let passed = now.saturating_duration_since(self.began);
        if passed >= WINDOW {
            let rate = f64::from(self.counted) / passed.as_secs_f64();
            self.per_second = Some(
                self.per_second
                    .map_or(rate, |before| f64::midpoint(before, rate)),
            );
            (self.began, self.counted) = (now, 0);
        }
    }

    /// How long it takes until so many have left; `None` where too few have left to say.
    pub(crate) fn time_for(&self, number: usize) -> Option<Duration> {
        let number = f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        let per_second = self.per_second.filter(|it| *it > 0.0)?;
        Duration::try_from_secs_f64(number / per_second).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_lane_is_foretold() {
        let mut now = Instant::now();
        let mut drained = Drained::new(now);
        assert_eq!(drained.time_for(10), None);
        for _ in 0..100 {
            now += Duration::from_millis(20);
            drained.left(now);
        }
        let foretold = drained.time_for(100).unwrap();
        assert!(
            foretold.abs_diff(Duration::from_secs(2)) < Duration::from_millis(100),
            "{foretold:?}"
        );
    }
}
