//! How fast a set of limits is asked.
//!
//! Knows counts and times, and nothing of what they are for. Looks at the last half second or so: long enough to tell a
//! busy key from a burst of three, short enough to follow it.

use std::time::{Duration, Instant};

use policy::limit::UNITS_MAX;

/// How long is counted before it is compared.
const WINDOW: Duration = Duration::from_millis(250);

/// From how many requests in a second on it is worth borrowing: below, most of a loan would go back unused.
const BUSY: u128 = 20;

/// How many requests must have been seen for that, so that two at once are no pace.
const SEEN_MIN: u32 = 5;

/// A pace.
#[derive(Debug)]
pub(crate) struct Pace {
    since: Instant,
    now: Counts,
    before: Counts,
}

#[derive(Debug, Clone, Default)]
struct Counts {
    requests: u32,
    units: Vec<i64>,
    took: Duration,
}

// === impl Pace ===

impl Pace {
    /// Of so many limits, from rest.
    pub(crate) fn new(limits: usize, now: Instant) -> Self {
        let counts = Counts {
            requests: 0,
            units: vec![0; limits],
            took: Duration::ZERO,
        };
        Self {
            since: now,
            now: counts.clone(),
            before: counts,
        }
    }

    /// A request asks for these amounts.
    pub(crate) fn count(&mut self, amounts: impl Iterator<Item = i64>, now: Instant) {
        let took = now.duration_since(self.since);
        if took >= WINDOW {
            self.now.took = took;
            std::mem::swap(&mut self.now, &mut self.before);
            self.now.clear();
            self.since = now;
        }
        self.now.requests += 1;
        for (sum, amount) in self.now.units.iter_mut().zip(amounts) {
            *sum = sum.saturating_add(amount);
        }
    }

    /// What will be asked of each limit within `term_ms` if it goes on like this; `None` when it is not busy. What came within
    /// less than a window is taken for all of one: five requests in a millisecond are no pace of five thousand a second.
    pub(crate) fn ahead(&self, term_ms: u64, now: Instant) -> Option<Vec<i64>> {
        let took = self.before.took + now.duration_since(self.since);
        let took_ms = took.max(WINDOW).as_millis();
        let requests = self.before.requests + self.now.requests;
        if requests < SEEN_MIN || u128::from(requests) * 1_000 < BUSY * took_ms {
            return None;
        }
        let units = self.before.units.iter().zip(&self.now.units);
        let ahead = units.map(|(before, now)| {
            let sum = u128::from(before.saturating_add(*now).unsigned_abs());
            let units = sum.saturating_mul(u128::from(term_ms)) / took_ms;
            i64::try_from(units.min(u128::from(UNITS_MAX))).unwrap_or(0)
        });
        Some(ahead.collect())
    }
}

// === impl Counts ===

impl Counts {
    fn clear(&mut self) {
        self.requests = 0;
        self.units.fill(0);
        self.took = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_key_is_told_from_a_burst_and_from_an_old_one() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace::new(2, start);
        for _ in 0..4 {
            pace.count([1, 100].into_iter(), at(1));
        }
        assert_eq!(pace.ahead(1_000, at(2)), None, "four are no pace");
        pace.count([1, 100].into_iter(), at(2));
        assert_eq!(pace.ahead(1_000, at(2)), Some(vec![20, 2_000]));
        for ms in 2..100 {
            pace.count([1, 100].into_iter(), at(ms * 10));
        }
        // A hundred a second.
        let ahead = pace.ahead(1_000, at(1_000)).unwrap();
        assert!((90..=110).contains(&ahead[0]), "{ahead:?}");
        assert_eq!(ahead[1], ahead[0] * 100);
        assert_eq!(pace.ahead(1_000, at(30_000)), None, "it has been quiet");
    }
}
