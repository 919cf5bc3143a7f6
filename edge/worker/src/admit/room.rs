//! What is left of the limits after a reservation, as a client may see it.
//!
//! Knows buckets; knows nothing of headers. Of several limits with one unit the one with the least left speaks.

use counters::Demand;
use policy::limit::Unit;

/// What is left, by unit; `None` where no limit counts that unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Of requests.
    pub requests: Option<State>,
    /// Of tokens.
    pub tokens: Option<State>,
}

/// The state of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// How much each window adds.
    pub limit: u64,
    /// How much may be used at once now.
    pub remaining: u64,
    /// When the bucket is full again if nobody uses it, in milliseconds.
    pub reset_ms: u64,
}

// === impl Room ===

impl Room {
    /// What `remaining`, in the order of the demands, means.
    pub fn of(demands: &[Demand], remaining: &[i64]) -> Self {
        let mut room = Self::default();
        for (demand, &level) in demands.iter().zip(remaining) {
            let place = match demand.limit.unit {
                Unit::Requests => &mut room.requests,
                Unit::Tokens => &mut room.tokens,
            };
            let state = State::of(demand, level);
            if place.is_none_or(|other| state.remaining < other.remaining) {
                *place = Some(state);
            }
        }
        room
    }
}

// === impl State ===

impl State {
    fn of(demand: &Demand, level: i64) -> Self {
        let rate = demand.limit.rate;
        let burst = i64::try_from(rate.burst()).unwrap_or(i64::MAX);
        let missing = u128::from(burst.saturating_sub(level).max(0).unsigned_abs());
        let reset_ms = (missing * u128::from(rate.window_ms())).div_ceil(u128::from(rate.amount()));
        Self {
            limit: rate.amount(),
            remaining: u64::try_from(level).unwrap_or(0),
            reset_ms: u64::try_from(reset_ms).unwrap_or(u64::MAX),
        }
    }
}
