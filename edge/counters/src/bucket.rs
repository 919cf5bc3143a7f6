//! The arithmetic of one limit's bucket, in integers.
//!
//! `lua/bucket.lua` is the same arithmetic in doubles, line by line; every intermediate here stays below
//! 2^53, so that the two agree to the unit. Knows nothing of where a bucket is kept or who asks. A clock that
//! steps back never refills and never resets a level.
//!
//! What an edge has borrowed ahead of its requests is taken out of the level and keeps its place in the bucket: the
//! level rises to the burst less what is lent. So level and loans together never hold more than the burst, however late
//! a loan is spent.

use policy::limit::{Rate, UNITS_MAX};

/// How long a bucket is kept after it is full again, in milliseconds. A bucket that is not kept is full, so
/// this only leaves room for a clock that steps back a little.
pub const KEEP_MS: u64 = 60_000;

/// One limit's level: how much may be used now. Negative is debt, repaid before the next admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Whole units, from −[`UNITS_MAX`] to the burst.
    level: i64,
    /// What has accrued towards the next unit, in units × milliseconds; below the window.
    rem: u64,
    /// When the level was true, in milliseconds.
    at_ms: u64,
    /// What is lent, in whole units. It is not in the level.
    lent: i64,
}

// === impl Bucket ===

impl Bucket {
    /// A bucket from rest.
    pub const fn full(rate: &Rate, now_ms: u64) -> Self {
        Self {
            level: units(rate.burst()),
            rem: 0,
            at_ms: now_ms,
            lent: 0,
        }
    }

    /// What may be used now, in the limit's unit.
    pub const fn level(&self) -> i64 {
        self.level
    }

    /// The bucket at `now_ms` under `rate`, which may differ from the rate it had: the level is kept, and
    /// clamped to the new burst.
    ///
    /// A clock that stepped back by at most a window is waited for, so that no time is counted twice. One
    /// that stepped back further is followed, so that a clock once an hour ahead cannot close a limit for an
    /// hour; that refills nothing either, but the same time can be counted again.
    pub fn refilled(mut self, rate: &Rate, now_ms: u64) -> Self {
        let cap = self.cap(rate);
        if self.level >= cap {
            self.level = cap;
            self.rem = 0;
        } else if self.rem >= rate.window_ms() {
            // The window became shorter. Less than one unit is lost.
            self.rem = 0;
        }
        if now_ms < self.at_ms {
            if self.at_ms - now_ms > rate.window_ms() {
                self.at_ms = now_ms;
            }
            return self;
        }
        let elapsed_ms = now_ms - self.at_ms;
        self.at_ms = now_ms;
        if elapsed_ms >= self.until_ms(rate, cap) {
            self.level = cap;
            self.rem = 0;
        } else {
            // Below what is missing to the burst, and so below 2^53.
            let accrued = elapsed_ms * rate.amount() + self.rem;
            self.level += units(accrued / rate.window_ms());
            self.rem = accrued % rate.window_ms();
        }
        self
    }

    /// How long until `amount` would be admitted, in milliseconds, if nothing else is; zero is now. A bucket
    /// that is full admits any amount.
    pub fn wait_ms(&self, rate: &Rate, amount: u64, now_ms: u64) -> u64 {
        match self.until_ms(rate, units(amount.min(rate.burst()))) {
            0 => 0,
            wait_ms => wait_ms + self.at_ms.saturating_sub(now_ms),
        }
    }

    /// The bucket after `amount` more or less in it: at most the burst less what is lent, at least the deepest debt.
    pub fn changed(mut self, rate: &Rate, amount: i64) -> Self {
        self.level = (self.level + amount).max(-units(UNITS_MAX));
        let cap = self.cap(rate);
        if self.level >= cap {
            self.level = cap;
            self.rem = 0;
        }
        self
    }

    /// How much of `ahead` can be lent after `asked` was taken: at most half of what is left, so that one borrower
    /// never empties a bucket for the others.
    pub fn lendable(&self, asked: i64, ahead: i64) -> i64 {
        ahead.min((self.level - asked) / 2).max(0)
    }

    /// The bucket after `amount` of its level was lent.
    pub fn lending(mut self, amount: i64) -> Self {
        self.level -= amount;
        self.lent += amount;
        self
    }

    /// The bucket after a loan of `amount` has ended, of which nothing is given back by this.
    pub fn loan_ended(mut self, amount: i64) -> Self {
        self.lent = (self.lent - amount).max(0);
        self
    }

    /// Until when this bucket must be kept, in milliseconds. After that it is as good as full.
    pub fn keep_until_ms(&self, rate: &Rate) -> u64 {
        self.at_ms + self.until_ms(rate, units(rate.burst())) + KEEP_MS
    }

    /// How high the level may be.
    const fn cap(&self, rate: &Rate) -> i64 {
        let burst = units(rate.burst());
        if self.lent < burst {
            burst - self.lent
        } else {
            0
        }
    }

    /// How long from `at_ms` until the level is `target`.
    fn until_ms(&self, rate: &Rate, target: i64) -> u64 {
        let missing = u64::try_from(target - self.level).unwrap_or(0);
        if missing == 0 {
            return 0;
        }
        // At most (UNITS_MAX + UNITS_MAX) · WINDOW_MS_MAX, which is below 2^53.
        (missing * rate.window_ms() - self.rem).div_ceil(rate.amount())
    }
}

/// A count of units with a sign. The rates are checked to be far below the end of either type.
#[expect(
    clippy::cast_possible_wrap,
    reason = "no count of units comes near 2^63"
)]
const fn units(count: u64) -> i64 {
    count as i64
}

#[cfg(test)]
mod tests {
    use policy::limit::WINDOW_MS_MAX;

    use super::*;

    fn rate(amount: u64, window_ms: u64, burst: u64) -> Rate {
        Rate::new(amount, window_ms, burst).unwrap()
    }

    #[test]
    fn every_intermediate_fits_a_double() {
        let missing = u128::from(2 * UNITS_MAX) * u128::from(WINDOW_MS_MAX);
        assert!(missing + u128::from(UNITS_MAX) < 1 << 53);
    }

    #[test]
    fn refilling_in_many_steps_equals_refilling_in_one() {
        let rate = rate(7, 1_000, 100);
        let start = Bucket::full(&rate, 0).changed(&rate, -100);
        let mut stepped = start;
        for now_ms in 1..=9_999 {
            stepped = stepped.refilled(&rate, now_ms);
        }
        assert_eq!(stepped, start.refilled(&rate, 9_999));
        assert_eq!((stepped.level, stepped.rem), (69, 993));
    }

    #[test]
    fn the_wait_is_exact_to_the_millisecond() {
        let rate = rate(7, 1_000, 100);
        let bucket = Bucket::full(&rate, 0).changed(&rate, -150);
        let wait_ms = bucket.wait_ms(&rate, 20, 0);
        assert_eq!(wait_ms, 10_000);
        assert_ne!(
            bucket
                .refilled(&rate, wait_ms - 1)
                .wait_ms(&rate, 20, wait_ms - 1),
            0
        );
        assert_eq!(
            bucket.refilled(&rate, wait_ms).wait_ms(&rate, 20, wait_ms),
            0
        );
    }

    #[test]
    fn a_request_larger_than_the_burst_is_admitted_from_a_full_bucket_only() {
        let rate = rate(10, 1_000, 10);
        let full = Bucket::full(&rate, 0);
        assert_eq!(full.wait_ms(&rate, 1_000, 0), 0);
        assert_eq!(full.changed(&rate, -1).wait_ms(&rate, 1_000, 0), 100);
        assert_eq!(full.changed(&rate, -1_000).wait_ms(&rate, 1, 0), 99_100);
    }

    #[test]
    fn a_clock_that_steps_back_never_refills_and_never_resets() {
        let rate = rate(10, 1_000, 10);
        let bucket = Bucket::full(&rate, 5_000).changed(&rate, -10);
        let back = bucket.refilled(&rate, 4_500);
        assert_eq!(back.level, 0);
        assert_eq!(
            back.refilled(&rate, 5_000).level,
            0,
            "half a second was counted twice"
        );
        assert_eq!(back.wait_ms(&rate, 1, 4_500), 600);
        let far_back = bucket.refilled(&rate, 1_000);
        assert_eq!(far_back.level, 0);
        assert_eq!(
            far_back.refilled(&rate, 1_100).level,
            1,
            "a far step closed the limit"
        );
    }

    #[test]
    fn what_is_lent_keeps_its_place_in_the_bucket() {
        let rate = rate(10, 1_000, 100);
        let bucket = Bucket::full(&rate, 0);
        assert_eq!(bucket.lendable(20, 1_000), 40, "half of what is left");
        assert_eq!(bucket.lendable(200, 10), 0);
        let bucket = bucket.changed(&rate, -20).lending(40);
        assert_eq!(bucket.level, 40);
        let later = bucket.refilled(&rate, 60_000);
        assert_eq!(later.level, 60, "the loan could be spent on top");
        assert_eq!(later.changed(&rate, 500).level, 60);
        let ended = later.loan_ended(40);
        assert_eq!((ended.level, ended.refilled(&rate, 61_000).level), (60, 70));
        assert_eq!(ended.loan_ended(40).lent, 0);
    }

    #[test]
    fn a_new_rate_keeps_the_level_and_clamps_it_to_the_new_burst() {
        let (wide, narrow) = (rate(10, 1_000, 100), rate(10, 500, 40));
        let bucket = Bucket::full(&wide, 0).changed(&wide, -30);
        assert_eq!(bucket.refilled(&narrow, 0).level, 40);
        assert_eq!(bucket.refilled(&rate(10, 500, 90), 0).level, 70);
    }

    #[test]
    fn debt_has_a_floor_and_the_deepest_debt_is_kept_until_repaid() {
        let rate = rate(1, WINDOW_MS_MAX, UNITS_MAX);
        let mut bucket = Bucket::full(&rate, 0);
        for _ in 0..3 {
            bucket = bucket.changed(&rate, -units(UNITS_MAX));
        }
        assert_eq!(bucket.level, -units(UNITS_MAX));
        let full_ms = bucket.keep_until_ms(&rate) - KEEP_MS;
        assert_eq!(full_ms, 2 * UNITS_MAX * WINDOW_MS_MAX);
        assert_eq!(
            bucket.refilled(&rate, full_ms),
            Bucket::full(&rate, full_ms)
        );
        assert_ne!(bucket.refilled(&rate, full_ms - 1).level, units(UNITS_MAX));
    }
}
