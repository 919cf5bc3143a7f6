//! In which order targets are asked: by their weights, and those that fail last.
//!
//! Plain versions, and the whole of it while all is well, cost a look or two; nothing is allocated.

use std::{cmp::Reverse, time::Duration};

use shaping::{Lanes, Standing};
use tokio::time::Instant;

use crate::{
    request::Arrival,
    route::{
        candidate::Candidate,
        notes::{Notes, Why},
    },
};

/// Puts targets that have a weight first, drawn one after the other by their weights, so that the others of them are asked
/// in turn where the first does not answer; where there is no request to draw for, the largest first. Those without one stay
/// behind them in their order. Plain versions, of which none has a weight, are left alone.
pub(crate) fn by_weight(candidates: &mut [Candidate], arrival: Option<&Arrival>) {
    if candidates.len() < 2 || candidates.iter().all(|it| it.target().weight == 0) {
        return;
    }
    // Stable, and so few that nothing is allocated.
    candidates.sort_by_key(|it| it.target().weight == 0);
    let Some(arrival) = arrival else {
        return candidates.sort_by_key(|it| Reverse(it.weighs));
    };
    let mut chance = fastrand::Rng::with_seed(seed(arrival));
    let mut left = &mut *candidates;
    loop {
        let weights = left.iter().map(|it| it.weighs);
        let sum: u64 = weights.clone().sum();
        if sum == 0 {
            return;
        }
        let mut drawn = chance.u64(0..sum);
        let mut weights = weights;
        let at = weights.position(|weight| match drawn.checked_sub(weight) {
            None => true,
            Some(beyond) => {
                drawn = beyond;
                false
            }
        });
        let Some(first) = left.get_mut(..=at.unwrap_or(0)) else {
            return;
        };
        first.rotate_right(1);
        let Some((_, rest)) = left.split_first_mut() else {
            return;
        };
        left = rest;
    }
}

/// The end of a request's id, which is drawn by chance.
pub(crate) fn seed(arrival: &Arrival) -> u64 {
    u64::try_from(arrival.id.as_u128() & u128::from(u64::MAX)).unwrap_or(0)
}

/// Puts those that are set aside behind the others: at most as many as may be, those with the longest time first, and none
/// where that would be all.
pub(crate) fn by_health(candidates: &mut [Candidate], lanes: &Lanes, notes: &mut Notes) {
    if !lanes.any_unwell() && !lanes.any_parked() {
        return;
    }
    let now = Instant::now().into_std();
    for candidate in &mut *candidates {
        let target = candidate.target();
        let account = *candidate.provider().id.as_bytes();
        let Some(condition) = lanes.condition(account, &target.provider_model, now) else {
            continue;
        };
        let position = candidate.position();
        if let Some(left) = condition.parked {
            notes.say(position, Why::Parked(left));
        }
        match condition.standing {
            Standing::Well => {}
            Standing::OnTrial => notes.say(position, Why::OnTrial),
            Standing::Aside(left) => {
                notes.say(position, Why::Aside(left));
                candidate.aside = left;
            }
        }
    }
    let aside = candidates.iter().filter(|it| !it.aside.is_zero()).count();
    let moved = match aside {
        // Somebody must be asked.
        all if all == candidates.len() => 0,
        some => some.min(lanes.aside_max(candidates.len())),
    };
    for _ in moved..aside {
        let asides = candidates.iter_mut().filter(|it| !it.aside.is_zero());
        if let Some(soonest) = asides.min_by_key(|it| it.aside) {
            soonest.aside = Duration::ZERO;
        }
    }
    if moved > 0 {
        candidates.sort_by_key(|it| !it.aside.is_zero());
    }
}
