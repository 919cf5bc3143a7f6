//! How fast a provider's model answers: how soon answers begin, and how many tokens come in a second.
//!
//! Pure: whoever asks says what time it is. Two measures of how soon: one that follows what comes within seconds and rises at
//! once (a peak-sensitive average, for balancing), and the median of the last minutes (for choosing the fastest). A failure counts as
//! a slow answer, so that one which fails fast is not taken for fast.

use std::time::{Duration, Instant};

/// How long the average remembers.
const MEMORY: Duration = Duration::from_secs(10);

/// What a failure counts as, at least.
const FAILED: Duration = Duration::from_secs(5);

/// How long the median remembers: this long to twice as long.
const WINDOW: Duration = Duration::from_secs(150);

/// Answers of fewer tokens say nothing of how many come in a second.
const TOKENS_MIN: u64 = 16;

/// Of how many answers it is told, at least, within which time a part of them began.
const SAMPLE_MIN: u32 = 20;

/// Four bounds for each doubling, up to 65 thousand.
const BUCKETS: usize = 64;

/// How fast it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    /// How soon answers begin lately; `None` where none has begun.
    pub lately: Option<Duration>,
    /// How soon half of them began, in the last minutes.
    pub first_median: Option<Duration>,
    /// How many tokens a second half of them had, in the last minutes.
    pub tokens_median: Option<u64>,
}

/// What is known of one.
#[derive(Debug)]
pub(crate) struct Speed {
    lately: f64,
    at: Option<Instant>,
    window_began: Instant,
    first: Median,
    tokens: Median,
}

/// Numbers of this window and of the one before, by their size: their median, and any other part of them.
#[derive(Debug)]
struct Median([[u16; BUCKETS]; 2]);

// === impl Speed ===

impl Speed {
    /// Nothing is known.
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            lately: 0.0,
            at: None,
            window_began: now,
            first: Median::new(),
            tokens: Median::new(),
        }
    }

    /// How fast it is.
    pub(crate) fn pace(&self, now: Instant) -> Pace {
        let is_old = now.saturating_duration_since(self.window_began) >= 2 * WINDOW;
        let of = |it: &Median| it.median().filter(|_| !is_old);
        Pace {
            lately: self.at.map(|_| Duration::from_secs_f64(self.lately)),
            first_median: of(&self.first).map(Duration::from_millis),
            tokens_median: of(&self.tokens),
        }
    }

    /// Within which time so many of a hundred answers began, in the last minutes; `None` where too few are known.
    pub(crate) fn first_within(&self, percent: u8, now: Instant) -> Option<Duration> {
        let is_old = now.saturating_duration_since(self.window_began) >= 2 * WINDOW;
        if is_old || self.first.count_all() < SAMPLE_MIN {
            return None;
        }
        self.first.within(percent).map(Duration::from_millis)
    }

    /// An answer began so long after it was asked for.
    pub(crate) fn began(&mut self, after: Duration, now: Instant) {
        self.turn_window(now);
        self.first.count(after.as_millis());
        self.average(after.as_secs_f64(), now);
    }

    /// One has failed.
    pub(crate) fn failed(&mut self, after: Duration, now: Instant) {
        self.average(after.max(FAILED).as_secs_f64(), now);
    }

    /// An answer has ended, with so many tokens, so long after it was asked for.
    pub(crate) fn ended(&mut self, tokens: u64, after: Duration, now: Instant) {
        if tokens < TOKENS_MIN {
            return;
        }
        self.turn_window(now);
        let per_second = u128::from(tokens) * 1_000 / after.as_millis().max(1);
        self.tokens.count(per_second);
    }

    fn average(&mut self, seconds: f64, now: Instant) {
        let passed = self.at.map(|at| now.saturating_duration_since(at));
        let kept = passed.map_or(0.0, |it| (-it.as_secs_f64() / MEMORY.as_secs_f64()).exp());
        let average = self.lately * kept + seconds * (1.0 - kept);
        self.lately = average.max(seconds.max(self.lately * kept));
        self.at = Some(now);
    }

    fn turn_window(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.window_began);
        if passed < WINDOW {
            return;
        }
        for of in [&mut self.first, &mut self.tokens] {
            let [before, this] = &mut of.0;
            *before = if passed < 2 * WINDOW {
                *this
            } else {
                [0; BUCKETS]
            };
            *this = [0; BUCKETS];
        }
        self.window_began = now;
    }
}

// === impl Median ===

impl Median {
    const fn new() -> Self {
        Self([[0; BUCKETS]; 2])
    }

    fn count(&mut self, number: u128) {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        if let Some(count) = self.0[1].get_mut(bucket(number)) {
            *count = count.saturating_add(1);
        }
    }

    fn counts(&self) -> impl Iterator<Item = u32> {
        let [before, this] = &self.0;
        let counts = before.iter().zip(this);
        counts.map(|(one, other)| u32::from(*one) + u32::from(*other))
    }

    fn count_all(&self) -> u32 {
        self.counts().sum()
    }

    fn median(&self) -> Option<u64> {
        self.within(50)
    }

    /// What so many of a hundred of them are not above.
    fn within(&self, percent: u8) -> Option<u64> {
        let all = self.count_all();
        if all == 0 {
            return None;
        }
        let mut below = 0;
        let reached = |count: u32| {
            below += count;
            below * 100 >= all * u32::from(percent)
        };
        self.counts().map(reached).position(|it| it).map(middle)
    }
}

/// Which bucket a number is in: 0 to 3 each their own, then four for each doubling.
fn bucket(number: u64) -> usize {
    let Some(doublings) = number.checked_ilog2().filter(|it| *it >= 2) else {
        return usize::try_from(number).unwrap_or(0);
    };
    let quarter = (number >> (doublings - 2)) & 3;
    let bucket = u64::from(doublings - 1) * 4 + quarter;
    usize::try_from(bucket).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// A number in the middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 4 {
        return bucket;
    }
    let (doublings, quarter) = (bucket / 4 + 1, bucket % 4);
    let low = (4 + quarter) << (doublings - 2);
    low + ((1 << (doublings - 2)) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_told_within_an_eighth() {
        for number in (0..60_000).step_by(7) {
            let told = middle(bucket(number));
            assert!(
                told.abs_diff(number) * 8 <= number.max(8),
                "{number} {told}"
            );
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn what_is_slow_once_is_slow_at_once_and_forgotten_within_seconds() {
        let mut now = Instant::now();
        let mut speed = Speed::new(now);
        assert_eq!(speed.pace(now), Pace::default());
        let lately = |speed: &Speed, now| speed.pace(now).lately.unwrap().as_millis();
        speed.began(Duration::from_millis(100), now);
        assert_eq!(lately(&speed, now), 100);
        speed.began(Duration::from_secs(2), now);
        assert_eq!(lately(&speed, now), 2_000);
        speed.failed(Duration::from_millis(1), now);
        assert_eq!(lately(&speed, now), 5_000, "it failed fast");
        for _ in 0..60 {
            now += Duration::from_secs(1);
            speed.began(Duration::from_millis(100), now);
        }
        assert!(lately(&speed, now) < 130, "{}", lately(&speed, now));
    }

    #[test]
    fn the_slowest_answers_are_told_apart_once_enough_are_known() {
        let now = Instant::now();
        let mut speed = Speed::new(now);
        for number in 0..100_u64 {
            assert_eq!(speed.first_within(95, now).is_some(), number >= 20);
            let ms = if number % 10 == 0 { 900 } else { 20 };
            speed.began(Duration::from_millis(ms), now);
        }
        let within = |percent| speed.first_within(percent, now).unwrap().as_millis();
        assert!((18..=22).contains(&within(50)) && (18..=22).contains(&within(89)));
        assert!((800..=1_000).contains(&within(95)), "{}", within(95));
        assert_eq!(
            speed.first_within(95, now + 2 * WINDOW),
            None,
            "they are old"
        );
    }

    #[test]
    fn the_median_is_of_the_last_minutes() {
        let mut now = Instant::now();
        let mut speed = Speed::new(now);
        for ms in [10, 10, 500, 500, 500] {
            speed.began(Duration::from_millis(ms), now);
        }
        speed.ended(200, Duration::from_secs(2), now);
        speed.ended(3, Duration::from_secs(2), now);
        let pace = speed.pace(now);
        let median = pace.first_median.unwrap().as_millis();
        assert!((440..=560).contains(&median), "{median}");
        let tokens = pace.tokens_median.unwrap();
        assert!((88..=112).contains(&tokens), "{tokens}");
        now += 2 * WINDOW;
        assert_eq!(speed.pace(now).first_median, None, "they are old");
        speed.began(Duration::from_millis(10), now);
        let median = speed.pace(now).first_median.unwrap().as_millis();
        assert!((9..=11).contains(&median), "{median}");
    }
}
