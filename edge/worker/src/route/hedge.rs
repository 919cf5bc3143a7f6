//! Who is asked beside the first target of a plan, and after how long, where the version hedges.
//!
//! Knows how targets fare; does no I/O, and knows nothing of budgets. Operators who ask are answered by the same function.

use std::time::Duration;

use policy::hedge::Hedge;
use shaping::{Lanes, Standing};
use tokio::time::Instant;

use crate::route::candidate::Candidate;

/// A second target, and when its time comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hedging {
    /// Its place in the order of the plan, 0 the first.
    pub place: usize,
    /// How long the first one is waited for alone.
    pub after: Duration,
}

/// The next target of another provider than the first one's, if both are well and it is known after how long it is to be asked.
pub fn hedging(candidates: &[Candidate], hedge: Hedge, lanes: &Lanes) -> Option<Hedging> {
    let (first, others) = candidates.split_first()?;
    if !is_well(first, lanes) {
        return None;
    }
    // One provider, one credential: whoever is slow for the first request need not be quick for its copy.
    let of_another = |it: &Candidate| it.provider().id != first.provider().id;
    let other = others
        .iter()
        .position(|it| of_another(it) && is_well(it, lanes))?;
    let after = match hedge {
        Hedge::After(ms) => Duration::from_millis(ms.into()),
        Hedge::Percentile(percent) => {
            let account = *first.provider().id.as_bytes();
            let model = first.target().provider_model.as_str();
            let now = Instant::now().into_std();
            lanes.first_within((account, model), percent, now)?
        }
    };
    Some(Hedging {
        place: other + 1,
        after,
    })
}

/// Whether a target is neither set aside nor on trial, and its provider wants requests.
pub fn is_well(candidate: &Candidate, lanes: &Lanes) -> bool {
    if !lanes.any_unwell() && !lanes.any_told() {
        return true;
    }
    let account = *candidate.provider().id.as_bytes();
    let now = Instant::now().into_std();
    let condition = lanes.condition(account, &candidate.target().provider_model, now);
    condition.is_none_or(|it| it.standing == Standing::Well && it.parked.is_none())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use policy::{
        catalogue::Capable,
        handling::Handling,
        id::{ModelId, OrganizationId, ProviderId, VersionId},
        model::{Target, Version},
        provider::{Provider, ProviderKind},
        routing::Routing,
        traffic::Traffic,
    };
    use shaping::{Asking, Config, Entered, Turn};

    use super::*;

    /// Targets of the providers of these numbers, in this order.
    fn candidates(numbers: &[u8]) -> Vec<Candidate> {
        let target = |number: &u8| Target {
            provider: ProviderId::from_bytes([*number; 16]),
            provider_model: "m".to_owned(),
            weight: 0,
            capable: Capable::default(),
        };
        let version = Arc::new(Version {
            id: VersionId::from_bytes([1; 16]),
            model: ModelId::from_bytes([2; 16]),
            name: "v1".to_owned(),
            targets: numbers.iter().map(target).collect(),
            recipe: None,
            routing: Routing::default(),
        });
        let provider = |number: u8| {
            Arc::new(Provider {
                id: ProviderId::from_bytes([number; 16]),
                organization: OrganizationId::from_bytes([3; 16]),
                name: format!("p{number}"),
                kind: ProviderKind::OpenAiCompatible,
                base_url: "http://127.0.0.1:1/v1".to_owned(),
                stream_options: true,
                credential_required: false,
                mapping: None,
                passthrough: false,
                handling: Handling::default(),
            })
        };
        let all = numbers.iter().enumerate();
        let candidate = |(at, number): (usize, &u8)| {
            Candidate::new(provider(*number), Arc::clone(&version), at)
        };
        all.map(candidate).collect()
    }

    fn turn(lanes: &Lanes, number: u8) -> Turn {
        let now = Instant::now().into_std();
        let asking = Asking {
            traffic: Traffic::default(),
            tenant: [0; 16],
            cost: 1,
            until: now,
            has_others: false,
        };
        match lanes.lane([number; 16], "m", now).enter(asking, now) {
            Entered::Turn(turn) => turn,
            other => panic!("there is room: {other:?}"),
        }
    }

    #[test]
    fn the_next_target_of_another_provider_is_asked_if_both_are_well() {
        let lanes = Lanes::new(Config::default());
        let soon = Hedge::After(200);
        let place = |numbers: &[u8]| hedging(&candidates(numbers), soon, &lanes).map(|it| it.place);
        assert_eq!(place(&[1, 2, 3]), Some(1));
        assert_eq!(
            place(&[1, 1, 3]),
            Some(2),
            "one credential is not asked twice"
        );
        assert_eq!(place(&[1]), None);
        assert_eq!(place(&[1, 1]), None);
        turn(&lanes, 2).used_up(Duration::from_mins(1));
        assert_eq!(place(&[1, 2, 3]), Some(2), "it wants nothing");
        assert_eq!(place(&[2, 1]), None, "nor does the first");
        for _ in 0..5 {
            turn(&lanes, 3).failed();
        }
        assert_eq!(place(&[1, 2, 3]), None, "it is set aside");
        lanes.hears(([4; 16], "m"), (1, None), Instant::now().into_std());
        assert_eq!(place(&[1, 4]), None, "others say that it fails");
    }

    #[test]
    fn a_percentile_is_that_of_the_first_target_once_enough_is_known_of_it() {
        let lanes = Lanes::new(Config::default());
        let all = candidates(&[1, 2]);
        let after = || hedging(&all, Hedge::Percentile(95), &lanes).map(|it| it.after);
        assert_eq!(after(), None);
        for _ in 0..20 {
            turn(&lanes, 1).taken();
        }
        let after = after().expect("it is known");
        assert!(after < Duration::from_secs(1), "{after:?}");
    }
}
