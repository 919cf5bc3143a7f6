//! What is left of the limits after a reservation, as a client may see it.
//!
//! Knows buckets; knows nothing of headers.

use std::sync::Arc;

use counters::Demand;
use policy::{
    applying::{Applied, Count, Measure},
    calendar::Period,
    limit::{Allowance, Limit, Mode},
};

/// The most limits whose state is shown.
// Full: the others are held, but not shown.
const SHOWN_MAX: usize = 8;

/// What is left, of the first limits that concern a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Room(Box<[State]>);

/// The state of one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The limit.
    pub limit: Arc<Limit>,
    /// How much each window adds or each period holds, or how many requests may be under way at once.
    pub amount: u64,
    /// How long a window or the period is, in milliseconds; `None` for ever, and where there is none.
    pub window_ms: Option<u64>,
    /// How much may be used at once now.
    pub remaining: u64,
    /// When all is there again if nobody uses it, in milliseconds; `None` for never, and where nobody can tell.
    pub reset_ms: Option<u64>,
    /// Whether it only warns and had no room for this request.
    pub over: bool,
}

// === impl Room ===

impl Room {
    /// What `remaining`, in the order of the demands, means, and `over`, the places of those that had no room. Limits that
    /// only watch are not shown.
    pub fn of(demands: &[Demand], (remaining, over): (&[i64], &[usize]), now_ms: u64) -> Self {
        let states = demands.iter().zip(remaining).enumerate();
        let states = states.filter(|(_, (demand, _))| {
            let terms = &demand.applied.limit.terms;
            terms.mode != Mode::Shadow
        });
        let state = |(place, (demand, level)): (usize, (&Demand, &i64))| State {
            over: over.contains(&place),
            ..State::of(&demand.applied, *level, now_ms)
        };
        Self(states.take(SHOWN_MAX).map(state).collect())
    }

    /// The states, in the order of the demands.
    pub fn states(&self) -> &[State] {
        &self.0
    }
}

// === impl State ===

impl State {
    /// What this much left of a limit means now.
    pub fn of(applied: &Applied, level: i64, now_ms: u64) -> Self {
        let (window_ms, reset_ms) = match applied.count {
            Count::Slots(_) => (None, None),
            Count::Level(Measure::Rate(rate)) => {
                let burst = i64::try_from(rate.burst()).unwrap_or(i64::MAX);
                let missing = u128::from(burst.saturating_sub(level).max(0).unsigned_abs());
                let wait = missing * u128::from(rate.window_ms());
                let reset_ms = wait.div_ceil(u128::from(rate.amount()));
                let reset_ms = u64::try_from(reset_ms).unwrap_or(u64::MAX);
                (Some(rate.window_ms()), Some(reset_ms))
            }
            Count::Level(Measure::Quota { .. }) if is_for_ever(&applied.limit) => (None, None),
            Count::Level(Measure::Quota { span, .. }) => (
                Some(span.length_ms()),
                Some(span.to_ms.saturating_sub(now_ms)),
            ),
        };
        Self {
            limit: Arc::clone(&applied.limit),
            amount: applied.count.amount(),
            window_ms,
            remaining: u64::try_from(level).unwrap_or(0),
            reset_ms,
            over: false,
        }
    }
}

/// Whether a limit never starts again.
pub fn is_for_ever(limit: &Limit) -> bool {
    matches!(limit.allowance, Allowance::Quota(quota) if quota.period() == Period::Lifetime)
}
