//! How a provider's model has done in the last half minute or so: how soon answers began, how many attempts failed, and what answers cost.
//!
//! Pure: whoever asks says what time it is. What is older counts less and less. An attempt that fails counts as a slow answer, so that one which
//! fails fast is not taken for fast. Of few attempts nothing is said.

use std::time::{Duration, Instant};

/// How long an attempt takes to count for a third.
const MEMORY: Duration = Duration::from_secs(30);

/// What a failure counts as, at least.
const FAILED: Duration = Duration::from_secs(5);

/// Of how many attempts something is said, as far as they still count.
const ATTEMPTS_MIN: f64 = 5.0;

/// How it has done.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Recently {
    /// How soon answers began at the mean, seconds; `None` while too little is known.
    pub first_s: Option<f64>,
    /// What part of attempts failed, 0 to 1; `None` while too little is known.
    pub failed: Option<f64>,
    /// What an answer cost at the mean, nano-dollars; `None` while too little is known, or nothing has a price.
    pub cost_nano: Option<f64>,
}

/// What is known of one.
#[derive(Debug)]
pub(crate) struct Recent {
    at: Instant,
    attempts: f64,
    seconds: f64,
    failed: f64,
    /// Answers whose cost is known, and that.
    priced: f64,
    nano: f64,
}

// === impl Recent ===

impl Recent {
    /// Nothing is known.
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            at: now,
            attempts: 0.0,
            seconds: 0.0,
            failed: 0.0,
            priced: 0.0,
            nano: 0.0,
        }
    }

    /// How it has done.
    pub(crate) fn recently(&self, now: Instant) -> Recently {
        let kept = self.kept(now);
        // What is forgotten is forgotten of all alike.
        let mean = |sum: f64, of: f64| (of * kept >= ATTEMPTS_MIN).then(|| sum / of);
        let failed = mean(self.failed, self.attempts);
        Recently {
            first_s: mean(self.seconds, self.attempts),
            failed: failed.map(|it| it.clamp(0.0, 1.0)),
            cost_nano: mean(self.nano, self.priced),
        }
    }

    /// An answer began so long after it was asked for.
    pub(crate) fn began(&mut self, after: Duration, now: Instant) {
        self.forget(now);
        self.attempts += 1.0;
        self.seconds += after.as_secs_f64();
    }

    /// One has failed, so long after it was asked for; one that `broke` off had begun.
    pub(crate) fn failed(&mut self, broke: bool, after: Duration, now: Instant) {
        self.forget(now);
        self.failed += 1.0;
        if !broke {
            self.attempts += 1.0;
            self.seconds += after.max(FAILED).as_secs_f64();
        }
    }

    /// An answer has cost so many nano-dollars.
    pub(crate) fn cost(&mut self, nano: u64, now: Instant) {
        self.forget(now);
        self.priced += 1.0;
        #[expect(clippy::cast_precision_loss, reason = "it is compared, not counted")]
        let nano = nano as f64;
        self.nano += nano;
    }

    fn kept(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at);
        (-passed.as_secs_f64() / MEMORY.as_secs_f64()).exp()
    }

    fn forget(&mut self, now: Instant) {
        let kept = self.kept(now);
        let speed = [&mut self.attempts, &mut self.seconds, &mut self.failed];
        let cost = [&mut self.priced, &mut self.nano];
        for sum in speed.into_iter().chain(cost) {
            *sum *= kept;
        }
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_what_comes_and_forgets_what_was() {
        let mut now = Instant::now();
        let mut recent = Recent::new(now);
        assert_eq!(recent.recently(now), Recently::default());
        for at in 0..100 {
            now += Duration::from_millis(100);
            recent.began(Duration::from_millis(200), now);
            if at % 10 == 0 {
                recent.failed(true, Duration::from_millis(200), now);
            }
        }
        let known = recent.recently(now);
        let (first, failed) = (known.first_s.unwrap(), known.failed.unwrap());
        assert!((first - 0.2).abs() < 1e-9 && (failed - 0.1).abs() < 0.01);
        for _ in 0..900 {
            now += Duration::from_millis(100);
            recent.began(Duration::from_millis(400), now);
        }
        let known = recent.recently(now);
        assert!(known.first_s.unwrap() > 0.38 && known.failed.unwrap() < 0.01);
        now += Duration::from_mins(3);
        assert_eq!(recent.recently(now), Recently::default(), "it is old");
    }

    #[test]
    fn what_answers_cost_is_told_once_enough_of_them_have_a_price() {
        let now = Instant::now();
        let mut recent = Recent::new(now);
        for _ in 0..20 {
            recent.began(Duration::from_millis(5), now);
        }
        assert_eq!(recent.recently(now).cost_nano, None, "none has a price");
        for nano in [100, 200, 300, 400, 500] {
            recent.cost(nano, now);
        }
        assert_eq!(recent.recently(now).cost_nano, Some(300.0));
    }

    #[test]
    fn one_that_fails_fast_is_not_taken_for_fast() {
        let now = Instant::now();
        let mut recent = Recent::new(now);
        for _ in 0..10 {
            recent.failed(false, Duration::from_millis(1), now);
        }
        let known = recent.recently(now);
        assert_eq!((known.first_s, known.failed), (Some(5.0), Some(1.0)));
    }
}
