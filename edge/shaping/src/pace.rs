//! How many requests may be under way at one provider's model at once, as the provider itself has taught.
//!
//! Nothing is guessed of a provider that never says that it is overloaded: the most is then what the operator allows. Each
//! time it says so the most is cut to seven tenths of what was under way, once for all requests that were sent before;
//! then it grows with every second in which it was nearly used up, fast up to where it was cut and slowly beyond. How long
//! answers take is no sign of anything: that is the length of what they say. Pure: whoever asks says what time it is.

use std::time::{Duration, Instant};

/// What is left of the most when a provider is overloaded.
const CUT: f64 = 0.7;
/// How often the most may grow.
const WINDOW: Duration = Duration::from_secs(1);
/// From what part on the most counts as used up.
const USED_UP: f64 = 0.8;
/// Of what is missing to where it was cut, the part by which it grows; by one at least.
const GROWTH_BELOW: f64 = 0.5;
/// The part of itself by which it grows beyond; by one at least.
const GROWTH_BEYOND: f64 = 0.02;

/// By how much the words of edges about one time differ at most: they have been on their way.
const MOMENT: Duration = Duration::from_secs(1);

/// What has been learned.
#[derive(Debug)]
pub(crate) struct Pace {
    ceiling: f64,
    most: f64,
    /// What it was before it was last cut.
    before: f64,
    cut_at: Option<Instant>,
    window_began: Instant,
    /// The most that was under way in this window.
    peak: u32,
    parked_until: Option<Instant>,
    /// Whether that is by the word of another edge.
    is_heard: bool,
}

// === impl Pace ===

impl Pace {
    /// Nothing is known; `ceiling` is what the operator allows.
    pub(crate) fn new(ceiling: u32, now: Instant) -> Self {
        let ceiling = f64::from(ceiling.max(1));
        Self {
            ceiling,
            most: ceiling,
            before: ceiling,
            cut_at: None,
            window_began: now,
            peak: 0,
            parked_until: None,
            is_heard: false,
        }
    }

    /// How many may be under way at once; at least one.
    pub(crate) fn most(&self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it stands between one and a ceiling that was such a number"
        )]
        let most = self.most as u32;
        most
    }

    /// Until when nothing is sent at all, because the provider has named a time.
    pub(crate) fn parked(&self, now: Instant) -> Option<Instant> {
        self.parked_until.filter(|until| *until > now)
    }

    /// So many are under way now.
    pub(crate) fn under_way(&mut self, number: u32) {
        self.peak = self.peak.max(number);
    }

    /// A request was taken.
    pub(crate) fn taken(&mut self, under_way: u32, now: Instant) {
        if now.saturating_duration_since(self.window_began) < WINDOW {
            return;
        }
        if f64::from(self.peak) >= USED_UP * self.most {
            let growth = if self.most < self.before {
                (self.before - self.most) * GROWTH_BELOW
            } else {
                self.most * GROWTH_BEYOND
            };
            self.most = (self.most + growth.max(1.0)).min(self.ceiling);
        }
        (self.window_began, self.peak) = (now, under_way);
    }

    /// The provider had no room for a request that was sent at `sent`, of so many under way.
    pub(crate) fn overloaded(&mut self, sent: Instant, under_way: u32, now: Instant) {
        // What was sent before the last cut says nothing of what is let through since.
        if self.cut_at.is_some_and(|cut_at| sent <= cut_at) {
            return;
        }
        self.before = self.most.min(f64::from(under_way.max(1)));
        self.most = (self.before * CUT).max(1.0);
        self.cut_at = Some(now);
        (self.window_began, self.peak) = (now, 0);
    }

    /// The provider wants nothing until then. Of two times the later one counts.
    pub(crate) fn park(&mut self, until: Instant) {
        if self.parked_until < Some(until) {
            (self.parked_until, self.is_heard) = (Some(until), false);
        }
    }

    /// The same, by the word of another edge; what is known here already, but for a moment, is left as it is.
    pub(crate) fn park_as_heard(&mut self, until: Instant) {
        let known = self.parked_until.map(|known| known + MOMENT);
        if known < Some(until) {
            (self.parked_until, self.is_heard) = (Some(until), true);
        }
    }

    /// Whether another edge was told, and not this one, that the provider wants nothing.
    pub(crate) const fn is_heard(&self) -> bool {
        self.is_heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_provider_that_says_nothing_gets_all_that_is_allowed() {
        let now = Instant::now();
        let mut pace = Pace::new(500, now);
        pace.under_way(500);
        pace.taken(500, now + 2 * SECOND);
        assert_eq!(pace.most(), 500);
    }

    #[test]
    fn many_that_were_sent_together_cut_once() {
        let now = Instant::now();
        let mut pace = Pace::new(1_000, now);
        for _ in 0..50 {
            pace.overloaded(now, 100, now + SECOND);
        }
        assert_eq!(pace.most(), 70);
        pace.overloaded(now + 2 * SECOND, 70, now + 3 * SECOND);
        assert_eq!(pace.most(), 49);
    }

    #[test]
    fn it_never_falls_to_nothing_and_grows_only_while_it_is_used_up() {
        let mut now = Instant::now();
        let mut pace = Pace::new(1_000, now);
        for _ in 0..50 {
            now += SECOND;
            pace.overloaded(now, 1, now + Duration::from_millis(1));
        }
        assert_eq!(pace.most(), 1);
        for _ in 0..20 {
            now += 2 * SECOND;
            pace.taken(0, now);
        }
        assert_eq!(pace.most(), 1, "nobody used it");
        for _ in 0..20 {
            now += 2 * SECOND;
            pace.under_way(pace.most());
            pace.taken(pace.most(), now);
        }
        assert!((15..=21).contains(&pace.most()), "{}", pace.most());
    }

    #[test]
    fn it_comes_back_fast_to_where_it_was_cut_and_slowly_beyond() {
        let mut now = Instant::now();
        let mut pace = Pace::new(10_000, now);
        pace.overloaded(now, 100, now);
        let mut seconds = 0;
        while pace.most() < 100 {
            now += SECOND;
            seconds += 1;
            pace.under_way(pace.most());
            pace.taken(pace.most(), now);
        }
        assert!(seconds <= 7, "{seconds}");
        for _ in 0..10 {
            now += SECOND;
            pace.under_way(pace.most());
            pace.taken(pace.most(), now);
        }
        assert!((115..=135).contains(&pace.most()), "{}", pace.most());
    }

    #[test]
    fn another_edges_word_counts_where_it_is_news() {
        let now = Instant::now();
        let mut pace = Pace::new(10, now);
        pace.park(now + 5 * SECOND);
        pace.park_as_heard(now + 5 * SECOND + SECOND / 2);
        assert_eq!(pace.parked(now), Some(now + 5 * SECOND));
        assert!(!pace.is_heard(), "it is the same time");
        pace.park_as_heard(now + 9 * SECOND);
        assert_eq!(pace.parked(now), Some(now + 9 * SECOND));
        assert!(pace.is_heard());
        pace.park(now + 10 * SECOND);
        assert!(!pace.is_heard(), "it was told here, too");
    }

    #[test]
    fn the_later_of_two_times_counts() {
        let now = Instant::now();
        let mut pace = Pace::new(10, now);
        pace.park(now + 5 * SECOND);
        pace.park(now + SECOND);
        assert_eq!(pace.parked(now), Some(now + 5 * SECOND));
        assert_eq!(pace.parked(now + 5 * SECOND), None);
    }
}
