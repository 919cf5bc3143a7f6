//! How a budget stands: what is left of it, and where it will end at the present rate.
//!
//! Knows numbers and moments; knows nothing of where they come from.

use policy::calendar::Span;

/// For how long spending must have been counted before it tells anything of the rest, in milliseconds.
const TELLING_MS: u64 = 60_000;

/// A budget in its present period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// How much there is, in millionths of a dollar.
    pub amount: u64,
    /// The period; one that never ends begins at zero.
    pub span: Span,
    /// From when on spending is counted, milliseconds since 1970.
    pub counted_from_ms: u64,
    /// When this is true, milliseconds since 1970.
    pub now_ms: u64,
    /// What was spent in each region.
    pub spent: Vec<u64>,
    /// Whether regions hold it together.
    pub together: bool,
}

/// So many percent of an amount, rounded up.
pub fn part(amount: u64, percent: u16) -> u64 {
    let part = (u128::from(amount) * u128::from(percent)).div_ceil(100);
    u64::try_from(part).unwrap_or(u64::MAX)
}

// === impl Standing ===

impl Standing {
    /// What was spent of one whole budget: of all regions where they hold it together, else of the one that spent most.
    pub fn most_spent(&self) -> u64 {
        if self.together {
            return self.all_spent();
        }
        self.spent.iter().copied().max().unwrap_or(0)
    }

    /// What is left of it.
    pub fn remaining(&self) -> u64 {
        self.amount.saturating_sub(self.most_spent())
    }

    /// What will have been spent over all regions when the period ends, if it goes on as on average; `None` where it never ends,
    /// and where too little is known.
    pub fn forecast(&self) -> Option<u64> {
        let from_ms = self.span.from_ms.max(self.counted_from_ms);
        let counted_ms = self.now_ms.checked_sub(from_ms)?;
        if self.span.from_ms == 0 || counted_ms < TELLING_MS {
            return None;
        }
        let spent = self.all_spent();
        let left_ms = self.span.to_ms.saturating_sub(self.now_ms);
        let more = u128::from(spent) * u128::from(left_ms) / u128::from(counted_ms);
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        Some(spent.saturating_add(more))
    }

    fn all_spent(&self) -> u64 {
        self.spent.iter().fold(0, |all, it| all.saturating_add(*it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;

    fn standing(spent: &[u64], hours: u64) -> Standing {
        Standing {
            amount: 1_000,
            span: Span {
                before_ms: 9 * DAY_MS,
                from_ms: 10 * DAY_MS,
                to_ms: 11 * DAY_MS,
            },
            counted_from_ms: 0,
            now_ms: 10 * DAY_MS + hours * 3_600_000,
            spent: spent.to_vec(),
            together: true,
        }
    }

    #[test]
    fn the_rest_of_a_period_is_taken_to_be_like_what_went_by() {
        assert_eq!(standing(&[300, 200], 6).forecast(), Some(2_000));
        assert_eq!(standing(&[500], 24).forecast(), Some(500));
        assert_eq!(standing(&[500], 0).forecast(), None);
        let young = Standing {
            counted_from_ms: 10 * DAY_MS + 6 * 3_600_000,
            ..standing(&[60], 12)
        };
        assert_eq!(young.forecast(), Some(180));
        let mut lifetime = standing(&[60], 12);
        lifetime.span.from_ms = 0;
        assert_eq!(lifetime.forecast(), None);
    }

    #[test]
    fn what_is_left_is_left_of_one_whole_budget() {
        let together = standing(&[300, 200], 6);
        assert_eq!((together.most_spent(), together.remaining()), (500, 500));
        let apart = Standing {
            together: false,
            ..together
        };
        assert_eq!((apart.most_spent(), apart.remaining()), (300, 700));
        assert_eq!(standing(&[2_000], 6).remaining(), 0);
    }

    #[test]
    fn a_part_is_rounded_up() {
        assert_eq!(part(1_001, 50), 501);
        assert_eq!(part(1_000, 80), 800);
        assert_eq!(part(u64::MAX, 1_000), u64::MAX);
    }
}
