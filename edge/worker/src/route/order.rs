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
/// where that would be all. What other edges say is a hint, and counts where there is room for it.
pub(crate) fn by_health(candidates: &mut [Candidate], lanes: &Lanes, notes: &mut Notes) {
    if !lanes.any_unwell() && !lanes.any_told() {
        return;
    }
    note_health(candidates, lanes, notes);
    put_behind(candidates, |targets| lanes.aside_max(targets));
}

/// Notes of each how it is.
fn note_health(candidates: &mut [Candidate], lanes: &Lanes, notes: &mut Notes) {
    let now = Instant::now().into_std();
    for candidate in candidates {
        let target = candidate.target();
        let account = *candidate.provider().id.as_bytes();
        let Some(condition) = lanes.condition(account, &target.provider_model, now) else {
            continue;
        };
        let position = candidate.position();
        if let Some(left) = condition.parked {
            notes.say(position, Why::Parked(left));
            if condition.parked_as_heard {
                notes.say(position, Why::Said(left));
            }
        }
        match condition.standing {
            Standing::Well => {}
            Standing::OnTrial => notes.say(position, Why::OnTrial),
            Standing::Aside(left) => {
                notes.say(position, Why::Aside(left));
                candidate.aside = left;
            }
            Standing::Said(left) => {
                notes.say(position, Why::Said(left));
                (candidate.aside, candidate.is_hinted) = (left, true);
            }
        }
    }
}

fn put_behind(candidates: &mut [Candidate], most: impl Fn(usize) -> usize) {
    let targets = candidates.len();
    if aside(candidates) == targets {
        // Somebody must be asked, and no hint alone leaves one who fails here as the first.
        let hinted = candidates.iter_mut().filter(|it| it.is_hinted);
        hinted.for_each(|it| it.aside = Duration::ZERO);
    }
    let aside = aside(candidates);
    let moved = match aside {
        all if all == targets => 0,
        some => some.min(most(targets)),
    };
    for _ in moved..aside {
        let asides = candidates.iter_mut().filter(|it| !it.aside.is_zero());
        if let Some(soonest) = asides.min_by_key(|it| (!it.is_hinted, it.aside)) {
            soonest.aside = Duration::ZERO;
        }
    }
    if moved > 0 {
        candidates.sort_by_key(|it| !it.aside.is_zero());
    }
}

fn aside(candidates: &[Candidate]) -> usize {
    candidates.iter().filter(|it| !it.aside.is_zero()).count()
}

#[cfg(test)]
mod tests {
    use policy::{
        catalogue::Capable,
        handling::Handling,
        id::{ModelId, OrganizationId, ProviderId, VersionId},
        model::{Target, Version},
        provider::{Provider, ProviderKind},
        routing::Routing,
    };
    use std::sync::Arc;

    use super::*;

    /// Targets of which each is well (zero), set aside for so many seconds, or said to fail (below zero).
    fn candidates(seconds: &[i8]) -> Vec<Candidate> {
        let provider = Arc::new(Provider {
            id: ProviderId::from_bytes([1; 16]),
            organization: OrganizationId::from_bytes([3; 16]),
            name: "p".to_owned(),
            kind: ProviderKind::OpenAiCompatible,
            base_url: "http://127.0.0.1:1/v1".to_owned(),
            stream_options: true,
            credential_required: false,
            mapping: None,
            passthrough: false,
            handling: Handling::default(),
        });
        let target = Target {
            provider: provider.id,
            provider_model: "m".to_owned(),
            weight: 0,
            capable: Capable::default(),
        };
        let version = Arc::new(Version {
            id: VersionId::from_bytes([1; 16]),
            model: ModelId::from_bytes([2; 16]),
            name: "v1".to_owned(),
            targets: vec![target; seconds.len()],
            recipe: None,
            routing: Routing::default(),
        });
        let candidate = |(at, seconds): (usize, &i8)| {
            let mut it = Candidate::new(Arc::clone(&provider), Arc::clone(&version), at);
            it.aside = Duration::from_secs(seconds.unsigned_abs().into());
            it.is_hinted = *seconds < 0;
            it
        };
        seconds.iter().enumerate().map(candidate).collect()
    }

    #[test]
    fn a_hint_puts_behind_and_never_the_last_one_nor_before_one_who_fails_here() {
        for (seconds, most, expected) in [
            (vec![-2, 0], 1, vec![1, 0]),
            (vec![-2], 1, vec![0]),
            (vec![-2, -4], 1, vec![0, 1]),
            (vec![30, -2], 1, vec![1, 0]),
            (vec![-2, 30, -2], 2, vec![0, 2, 1]),
            (vec![30, 20], 1, vec![0, 1]),
            // Where there is room for one, it is whoever fails here.
            (vec![3, -10, 0], 1, vec![1, 2, 0]),
            (vec![3, -10, 0], 2, vec![2, 0, 1]),
        ] {
            let mut all = candidates(&seconds);
            put_behind(&mut all, |_| most);
            let order: Vec<_> = all.iter().map(Candidate::position).collect();
            assert_eq!(order, expected, "{seconds:?}");
        }
    }
}
