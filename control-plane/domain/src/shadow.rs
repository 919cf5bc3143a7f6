//! Shadows: what an operator may ask of one, and when it ends by itself.
//!
//! Pure: the time and what was spent are passed in.

use policy::{money, shadow::CONCURRENT_MAX, split::WHOLE};

use crate::violation::Violations;

/// How many copies an edge may have under way where nobody says.
const CONCURRENT_USUAL: u16 = 16;

/// How many nano-dollars a millionth of a dollar is.
const NANO_A_MICRO: u64 = 1_000;

/// How long a day is, in milliseconds: it begins at midnight, UTC.
const DAY_MS: u64 = 86_400_000;

/// The most that copies may be let cost, in nano-dollars: a million dollars.
const COST_NANO_MAX: u64 = 1_000_000_000_000_000;

/// What is to be copied, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Which share of the model's requests, hundredths of a percent.
    pub share: u16,
    /// How many copies an edge may have under way.
    pub concurrent_max: u16,
    /// When it ends by itself, milliseconds since 1970; `None`: it does not.
    pub ends_ms: Option<u64>,
    /// How much the copies may cost until it ends by itself, nano-dollars; `None`: any amount.
    pub cost_max_nano: Option<u64>,
    /// How much the copies may cost in a day until it rests until the next one, nano-dollars; `None`: any amount.
    pub day_cost_max_nano: Option<u64>,
}

/// What an operator asks for, as the wire has it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// As in [`Plan`].
    pub share: i32,
    /// As in [`Plan`]; zero: the usual number.
    pub concurrent_max: i32,
    /// As in [`Plan`].
    pub ends_ms: Option<u64>,
    /// In millionths of a dollar; zero: any amount.
    pub cost_max_micro: i64,
    /// As `cost_max_micro`, in a day.
    pub day_cost_max_micro: i64,
}

/// What the copies of a shadow have used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// How many there were.
    pub copies: u64,
    /// What they cost, nano-dollars, as far as that is known.
    pub cost_nano: u64,
    /// How many have a cost that is not known.
    pub unpriced: u64,
    /// What those of this day cost, nano-dollars, as far as that is known.
    pub day_cost_nano: u64,
    /// How many of this day have a cost that is not known.
    pub day_unpriced: u64,
}

/// Where a shadow stands. The numbers are those of the wire and of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Its sample is copied.
    Running = 1,
    /// An operator ended it.
    Stopped = 2,
    /// Its time was over.
    Over = 3,
    /// Its copies had cost what they may.
    Spent = 4,
}

/// Checks what is to be copied, at this time.
pub fn check(wanted: Wanted, now_ms: u64) -> Result<Plan, Violations> {
    let mut violations = Violations::new();
    let within = |number: i32, most: u16| {
        let number = u16::try_from(number).ok();
        number.filter(|it| (1..=most).contains(it))
    };
    let share = within(wanted.share, WHOLE);
    if share.is_none() {
        let why = format!("must be 1 to {WHOLE}, hundredths of a percent");
        violations.add("shadow.basis_points", why);
    }
    let concurrent_max = match wanted.concurrent_max {
        0 => Some(CONCURRENT_USUAL),
        other => within(other, CONCURRENT_MAX),
    };
    if concurrent_max.is_none() {
        let why = format!("must be 1 to {CONCURRENT_MAX}, or zero for {CONCURRENT_USUAL}");
        violations.add("shadow.concurrent_max", why);
    }
    if wanted.ends_ms.is_some_and(|it| it <= now_ms) {
        violations.add("shadow.expire_time", "must be to come");
    }
    let [cost_max, day_cost_max] = [
        ("shadow.cost_max_micro_dollars", wanted.cost_max_micro),
        (
            "shadow.day_cost_max_micro_dollars",
            wanted.day_cost_max_micro,
        ),
    ]
    .map(|(field, micro)| {
        let nano = u64::try_from(micro).ok();
        let nano = nano.and_then(|it| it.checked_mul(NANO_A_MICRO));
        let nano = nano.filter(|it| *it <= COST_NANO_MAX);
        if nano.is_none() {
            let why = "must be from zero, for any amount, to a million dollars";
            violations.add(field, why);
        }
        nano.filter(|it| *it > 0)
    });
    violations.done()?;
    Ok(Plan {
        share: share.unwrap_or_default(),
        concurrent_max: concurrent_max.unwrap_or_default(),
        ends_ms: wanted.ends_ms,
        cost_max_nano: cost_max,
        day_cost_max_nano: day_cost_max,
    })
}

// === impl Plan ===

impl Plan {
    /// What becomes by itself of one that has used this, and why; `None` where it goes on. An unknown cost is not zero: it may be all that
    /// was left.
    pub fn end(&self, used: Used, now_ms: u64) -> Option<(State, String)> {
        if let Some(nano) = self.cost_max_nano {
            let most = money::dollars(nano);
            if used.cost_nano >= nano {
                let (copies, cost) = (used.copies, money::dollars(used.cost_nano));
                let why = format!("{copies} copies have cost ${cost}, and may cost ${most}");
                return Some((State::Spent, why));
            }
            if used.unpriced > 0 {
                let why =
                    format!("a copy has no price, so that nobody knows what is left of ${most}");
                return Some((State::Spent, why));
            }
        }
        let is_over = self.ends_ms.is_some_and(|it| it <= now_ms);
        is_over.then(|| (State::Over, "its time was over".to_owned()))
    }

    /// Until when one rests that has used this today, milliseconds since 1970; `None` where it goes on. An unknown cost is not zero: it may be
    /// all that was left of the day.
    pub fn rest(&self, used: Used, now_ms: u64) -> Option<u64> {
        let nano = self.day_cost_max_nano?;
        let is_spent = used.day_cost_nano >= nano || used.day_unpriced > 0;
        is_spent.then(|| (now_ms / DAY_MS + 1).saturating_mul(DAY_MS))
    }
}

// === impl State ===

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Stopped, Self::Over, Self::Spent];

    /// The one with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it as u8 == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted = Wanted {
        share: 100,
        concurrent_max: 0,
        ends_ms: Some(2_000),
        cost_max_micro: 5,
        day_cost_max_micro: 2,
    };

    #[test]
    fn each_number_has_its_bounds_and_all_are_told_at_once() {
        let plan = check(WANTED, 1_000).unwrap();
        assert_eq!((plan.concurrent_max, plan.cost_max_nano), (16, Some(5_000)));
        let wrong = Wanted {
            share: 10_001,
            concurrent_max: 1_001,
            ends_ms: Some(1_000),
            cost_max_micro: -1,
            day_cost_max_micro: i64::MAX,
        };
        let violations = check(wrong, 1_000).unwrap_err();
        assert_eq!(violations.into_vec().len(), 5);
        let least = Wanted { share: 0, ..WANTED };
        assert!(check(least, 1_000).is_err());
    }

    #[test]
    fn it_ends_by_money_before_time_and_an_unknown_cost_is_not_zero() {
        let plan = check(WANTED, 1_000).unwrap();
        let used = |cost_nano, unpriced| Used {
            copies: 3,
            cost_nano,
            unpriced,
            ..Used::default()
        };
        assert_eq!(plan.end(used(4_999, 0), 1_999), None);
        let state = |used, now_ms| plan.end(used, now_ms).map(|it| it.0);
        assert_eq!(state(used(4_999, 0), 2_000), Some(State::Over));
        assert_eq!(state(used(5_000, 0), 2_000), Some(State::Spent));
        assert_eq!(state(used(0, 1), 1_000), Some(State::Spent));
        let free = check(
            Wanted {
                cost_max_micro: 0,
                ends_ms: None,
                ..WANTED
            },
            1_000,
        );
        assert_eq!(free.unwrap().end(used(u64::MAX, 9), u64::MAX), None);
    }

    #[test]
    fn it_rests_until_midnight_when_a_day_has_cost_what_it_may() {
        let plan = check(WANTED, 1_000).unwrap();
        let used = |day_cost_nano, day_unpriced| Used {
            day_cost_nano,
            day_unpriced,
            ..Used::default()
        };
        assert_eq!(plan.rest(used(1_999, 0), 1_999), None);
        assert_eq!(plan.rest(used(2_000, 0), 1_999), Some(DAY_MS));
        assert_eq!(plan.rest(used(0, 1), DAY_MS), Some(2 * DAY_MS));
        let wanted = Wanted {
            day_cost_max_micro: 0,
            ..WANTED
        };
        let free = check(wanted, 1_000).unwrap();
        assert_eq!(free.rest(used(u64::MAX, 1), 1_000), None);
    }
}
