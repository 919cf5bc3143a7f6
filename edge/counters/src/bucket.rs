//! The arithmetic of one limit's bucket, in integers. The bucket of a rate refills all the time; that of a quota is
//! full again when its period is over, and never before.
//!
//! `lua/bucket.lua` is the same arithmetic in doubles, which keeps level and remainder as one number; every intermediate
//! here stays below 2^53, so that the two agree to the unit. Knows nothing of where a bucket is kept or who asks. A clock that
//! steps back never refills and never resets a level.
//!
//! What an edge has borrowed ahead of its requests is taken out of the level and keeps its place in the bucket: the
//! level rises to the burst less what is lent. So level and loans together never hold more than the burst, however late
//! a loan is spent.

use policy::{
    applying::Measure,
    calendar::Span,
    limit::{QUOTA_MAX, Rate, UNITS_MAX},
};

/// How long a bucket is kept after it is full again, in milliseconds. A bucket that is not kept is full, so
/// this only leaves room for a clock that steps back a little.
pub const KEEP_MS: u64 = 60_000;

/// One limit's level: how much may be used now. Negative is debt, repaid before the next admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Whole units, from −[`UNITS_MAX`] to the burst; of a quota, from −[`QUOTA_MAX`] to its amount.
    level: i64,
    /// What has accrued towards the next unit, in units × milliseconds; below the window. Of a quota, the amount of
    /// which the level is what was not used.
    rem: u64,
    /// When the level was true, in milliseconds. Of a quota, when its period began.
    at_ms: u64,
    /// What is lent, in whole units. It is not in the level.
    lent: i64,
}

// === impl Bucket ===

impl Bucket {
    /// A bucket from rest.
    pub const fn full(measure: &Measure, now_ms: u64) -> Self {
        match measure {
            Measure::Rate(rate) => Self {
                level: units(rate.burst()),
                rem: 0,
                at_ms: now_ms,
                lent: 0,
            },
            Measure::Quota { amount, span } => Self {
                level: units(*amount),
                rem: *amount,
                at_ms: span.at(now_ms),
                lent: 0,
            },
        }
    }

    /// What may be used now, in the limit's unit.
    pub const fn level(&self) -> i64 {
        self.level
    }

    /// When the period of a quota began; zero for a rate.
    pub const fn since_ms(&self, measure: &Measure) -> u64 {
        match measure {
            Measure::Rate(_) => 0,
            Measure::Quota { .. } => self.at_ms,
        }
    }

    /// The bucket at `now_ms` under `measure`, whose numbers may differ from those it had: what was used stays used, and
    /// the level is clamped to what can be there at once.
    pub fn refilled(self, measure: &Measure, now_ms: u64) -> Self {
        match measure {
            Measure::Rate(rate) => self.risen(rate, now_ms),
            Measure::Quota { amount, span } => self.restarted(*amount, span, now_ms),
        }
    }

    /// A clock that stepped back by at most a window is waited for, so that no time is counted twice. One
    /// that stepped back further is followed, so that a clock once an hour ahead cannot close a limit for an
    /// hour; that refills nothing either, but the same time can be counted again.
    fn risen(mut self, rate: &Rate, now_ms: u64) -> Self {
        let cap = self.cap(rate.burst());
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

    /// A period that began is not taken back: a clock that stepped back before it is waited for, unless it stepped back
    /// by more than a period, which is followed. Neither gives anything.
    fn restarted(mut self, amount: u64, span: &Span, now_ms: u64) -> Self {
        let floor = -units(QUOTA_MAX);
        self.level = (self.level + units(amount) - units(self.rem)).max(floor);
        self.rem = amount;
        let from_ms = span.at(now_ms);
        let cap = self.cap(amount);
        if self.at_ms < from_ms {
            self.at_ms = from_ms;
            self.level = cap;
        } else if self.at_ms > span.to_ms && self.at_ms > now_ms {
            self.at_ms = from_ms;
        }
        self.level = self.level.min(cap);
        self
    }

    /// How long until `amount` would be admitted, in milliseconds, if nothing else is; zero is now. The full bucket of a
    /// rate admits any amount; a quota admits no more than it has.
    pub fn wait_ms(&self, measure: &Measure, amount: u64, now_ms: u64) -> u64 {
        match measure {
            Measure::Rate(rate) => match self.until_ms(rate, units(amount.min(rate.burst()))) {
                0 => 0,
                wait_ms => wait_ms + self.at_ms.saturating_sub(now_ms),
            },
            Measure::Quota { .. } if self.level >= units(amount) => 0,
            Measure::Quota { span, .. } => span.end_of(self.at_ms).saturating_sub(now_ms).max(1),
        }
    }

    /// The bucket after `amount` more or less in it: at most the burst less what is lent, at least the deepest debt.
    pub fn changed(mut self, measure: &Measure, amount: i64) -> Self {
        let floor = match measure {
            Measure::Rate(_) => UNITS_MAX,
            Measure::Quota { .. } => QUOTA_MAX,
        };
        self.level = (self.level + amount).max(-units(floor));
        let cap = self.cap(measure.most());
        if self.level >= cap {
            self.level = cap;
            if let Measure::Rate(_) = measure {
                self.rem = 0;
            }
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
    pub fn keep_until_ms(&self, measure: &Measure) -> u64 {
        let full_ms = match measure {
            Measure::Rate(rate) => self.at_ms + self.until_ms(rate, units(rate.burst())),
            // The period that began may be longer than the one that whoever asks sees.
            Measure::Quota { span, .. } => self.at_ms + 2 * span.length_ms(),
        };
        full_ms + KEEP_MS
    }

    /// How high the level may be.
    const fn cap(&self, most: u64) -> i64 {
        let most = units(most);
        if self.lent < most {
            most - self.lent
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
#[path = "bucket_test.rs"]
mod tests;
