//! What is known of one issuer's keys, and whether it may be asked for them now.
//!
//! Knows how old keys may be and how often anybody is asked; knows no HTTP.

use std::{sync::Arc, time::Duration};

use claims::key_set::KeySet;
use tokio::time::Instant;

use crate::no_keys::NoKeys;

/// How long keys are good after they were fetched, where their issuer cannot be asked.
const GOOD_FOR: Duration = Duration::from_hours(24);

/// How long an issuer is left alone after it was asked because of a token's key: those are made up faster than keys.
const LEFT_ALONE: Duration = Duration::from_secs(30);

/// How long an issuer that failed is left alone: at first, and at most.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_mins(2)];

/// What is known of one issuer.
#[derive(Debug)]
pub(crate) struct Known {
    keys: Option<Arc<KeySet>>,
    good_until: Instant,
    fresh_until: Instant,
    retry_at: Instant,
    failures: u32,
    why: NoKeys,
    asked_for_key_at: Option<Instant>,
    /// When anybody wanted its keys last.
    pub(crate) used_at: Instant,
    /// Whether it is to be asked, or is being asked.
    pub(crate) turn: Turn,
}

/// Where an issuer's next question stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nobody wants it.
    Rests,
    /// Somebody waits for it.
    Wanted,
    /// It is under way.
    Flies,
}

// === impl Known ===

impl Known {
    /// Of one that was never asked.
    pub(crate) fn nothing(now: Instant) -> Self {
        Self {
            keys: None,
            good_until: now,
            fresh_until: now,
            retry_at: now,
            failures: 0,
            why: NoKeys::Busy,
            asked_for_key_at: None,
            used_at: now,
            turn: Turn::Rests,
        }
    }

    /// Has it asked where its keys are not fresh and it may be. Says whether there is something to wait for.
    pub(crate) fn want(&mut self, now: Instant) -> bool {
        self.used_at = now;
        if self.turn == Turn::Rests && now >= self.fresh_until && now >= self.retry_at {
            self.turn = Turn::Wanted;
        }
        self.turn != Turn::Rests
    }

    /// Has it asked because its keys, `than` these, lack one that a token names. Says whether there is something to wait for.
    pub(crate) fn want_newer(&mut self, than: &Arc<KeySet>, now: Instant) -> bool {
        if self.keys.as_ref().is_some_and(|it| !Arc::ptr_eq(it, than)) {
            return false;
        }
        let asked = self.asked_for_key_at;
        let left_alone = asked.is_some_and(|it| now < it + LEFT_ALONE) || now < self.retry_at;
        if self.turn == Turn::Rests && !left_alone {
            self.asked_for_key_at = Some(now);
            self.turn = Turn::Wanted;
        }
        self.turn != Turn::Rests
    }

    /// Its keys, while they are good.
    pub(crate) fn keys(&self, now: Instant) -> Result<Arc<KeySet>, NoKeys> {
        let good = self.keys.as_ref().filter(|_| now < self.good_until);
        good.cloned().ok_or_else(|| self.why.clone())
    }

    /// Takes in what came of asking.
    pub(crate) fn land(&mut self, fetched: Result<(KeySet, Duration), NoKeys>, now: Instant) {
        self.turn = Turn::Rests;
        match fetched {
            Ok((keys, fresh_for)) => {
                self.keys = Some(Arc::new(keys));
                self.good_until = now + GOOD_FOR;
                self.fresh_until = now + fresh_for.mul_f64(0.8);
                self.retry_at = now;
                self.failures = 0;
            }
            Err(why) => {
                let [first, last] = PAUSES;
                let pause = first.saturating_mul(1 << self.failures.min(10)).min(last);
                self.failures = self.failures.saturating_add(1);
                self.retry_at = now + pause.mul_f64(0.75 + fastrand::f64() / 2.0);
                self.why = why;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched() -> (KeySet, Duration) {
        (KeySet::default(), Duration::from_mins(5))
    }

    #[test]
    fn keys_outlive_their_issuer_for_a_day_and_no_longer() {
        let start = Instant::now();
        let mut known = Known::nothing(start);
        assert!(known.want(start) && known.keys(start).is_err());
        known.land(Ok(fetched()), start);
        assert!(
            !known.want(start + Duration::from_mins(3)),
            "they are fresh"
        );
        let later = start + Duration::from_mins(5);
        assert!(known.want(later));
        known.land(Err(NoKeys::Unreachable), later);
        assert!(!known.want(later), "it is left alone for a while");
        assert!(known.keys(later).is_ok());
        let day = start + GOOD_FOR;
        assert_eq!(known.keys(day), Err(NoKeys::Unreachable));
        assert!(known.want(day), "and asked again");
    }

    #[test]
    fn keys_that_are_made_up_have_an_issuer_asked_once_in_a_while() {
        let start = Instant::now();
        let mut known = Known::nothing(start);
        known.want(start);
        known.land(Ok(fetched()), start);
        let keys = known.keys(start).unwrap();
        assert!(
            known.want_newer(&keys, start),
            "the first is looked for at once"
        );
        known.land(Ok(fetched()), start);
        let newer = known.keys(start).unwrap();
        assert!(
            !known.want_newer(&keys, start),
            "there are newer ones already"
        );
        assert!(!known.want_newer(&newer, start + Duration::from_secs(29)));
        assert!(known.want_newer(&newer, start + LEFT_ALONE));
    }
}
