//! Which of several targets of one priority is asked first, where a version says so: the fastest, the cheapest, or the one that a
//! session belongs to.
//!
//! One priority have the targets with a weight, or all where none has one. Those that are not chosen follow, for when the first does
//! not answer. Nothing is allocated but what the caller's own facts take.

use std::{sync::Arc, time::Duration};

use dialect::{Tokens, preferences::Sort};
use policy::{cost, model::Target, price_book::PriceBook, rendezvous, routing::Balance};
use shaping::Condition;
use tokio::time::Instant;

use crate::{
    asking::Asking,
    fares::Fares,
    identify::Caller,
    request::Arrival,
    route::{
        candidate::Candidate,
        notes::{Notes, Why},
        order::{by_weight, seed},
    },
};

/// As how fast a target counts of which nothing is known.
const UNKNOWN: Duration = Duration::from_millis(100);

/// What is known when targets are chosen.
#[derive(Clone, Copy)]
pub(crate) struct Choosing<'a> {
    pub(crate) balance: Balance,
    pub(crate) caller: &'a Caller,
    pub(crate) asking: Asking<'a>,
    pub(crate) book: Option<&'a Arc<PriceBook>>,
}

/// Puts the targets in the order in which they are asked.
pub(crate) fn by_balance(candidates: &mut [Candidate], choosing: Choosing<'_>, notes: &mut Notes) {
    if let Some(fares) = choosing.asking.fares {
        scale(candidates, fares);
    }
    by_weight(candidates, choosing.asking.arrival);
    if choosing.balance == Balance::Weighted {
        return;
    }
    let (Some(fares), Some(group)) = (choosing.asking.fares, group(candidates)) else {
        return;
    };
    if group.iter().all(|it| it.target().weight == 0) {
        shuffle(group, choosing.asking.arrival);
    }
    match choosing.balance {
        Balance::Weighted => {}
        Balance::LeastLatency => least_latency(group, fares, choosing.asking.arrival),
        Balance::LowestCost => lowest_cost(group, fares, choosing, notes),
        Balance::LowestLatency => lowest_latency(group, fares),
        Balance::HighestThroughput => highest_throughput(group, fares),
        Balance::Session | Balance::EndUser | Balance::Prefix => {
            if let Some(subject) = subject(choosing) {
                belonging(group, fares, subject, notes);
            }
        }
    }
}

/// Scales the weights of a version whose weights follow how its targets do.
fn scale(candidates: &mut [Candidate], fares: &Fares) {
    let version = candidates.first().map(Candidate::version);
    let adapted = version.and_then(|it| it.routing.adapt.map(|adapt| (Arc::clone(it), adapt)));
    let Some((version, adapt)) = adapted else {
        return;
    };
    let now = Instant::now().into_std();
    let lately = |target: &Target| {
        // What has no weight is nobody's peer.
        let account = *target.provider.as_bytes();
        let condition = (target.weight > 0)
            .then(|| fares.lanes.condition(account, &target.provider_model, now))
            .flatten();
        condition.map(|it| it.recently).unwrap_or_default()
    };
    let told = || version.targets.iter().map(lately).collect();
    let scales = fares.lanes.scales();
    let scales = scales.of(*version.id.as_bytes(), adapt, now, told);
    for candidate in candidates {
        let scale = scales.get(candidate.position()).copied();
        candidate.scale(scale.unwrap_or(1.0));
    }
}

/// Puts all of them in this order, whatever their weights.
pub(crate) fn by_sort(
    candidates: &mut [Candidate],
    sort: Sort,
    choosing: Choosing<'_>,
    notes: &mut Notes,
) {
    let Some(fares) = choosing.asking.fares else {
        return;
    };
    match sort {
        Sort::Price => lowest_cost(candidates, fares, choosing, notes),
        Sort::Latency => lowest_latency(candidates, fares),
        Sort::Throughput => highest_throughput(candidates, fares),
    }
}

/// Those with a weight, which stand first; all where none has one. `None` where there is nothing to choose.
fn group(candidates: &mut [Candidate]) -> Option<&mut [Candidate]> {
    let weighed = candidates.iter().filter(|it| it.target().weight > 0);
    let count = match weighed.count() {
        0 => candidates.len(),
        count => count,
    };
    candidates.get_mut(..count).filter(|it| it.len() > 1)
}

fn shuffle(group: &mut [Candidate], arrival: Option<&Arrival>) {
    if let Some(arrival) = arrival {
        fastrand::Rng::with_seed(seed(arrival)).shuffle(group);
    }
}

/// Of the first two, which were drawn, the one with less to wait for.
fn least_latency(group: &mut [Candidate], fares: &Fares, arrival: Option<&Arrival>) {
    for candidate in &mut *group {
        let condition = condition(candidate, fares);
        let lately = condition.and_then(|it| it.speed.lately).unwrap_or(UNKNOWN);
        let under_way = condition.map_or(0, |it| it.under_way);
        candidate.rank = lately.as_secs_f64() * (f64::from(under_way) + 1.0);
    }
    if arrival.is_none() {
        group.sort_by(|one, other| one.rank.total_cmp(&other.rank));
        return;
    }
    // Two are enough: if all edges went to the best one it would not be that for long.
    let is_second_better = matches!(&*group, [first, second, ..] if second.rank < first.rank);
    if is_second_better {
        group.swap(0, 1);
    }
}

fn lowest_cost(group: &mut [Candidate], fares: &Fares, choosing: Choosing<'_>, notes: &mut Notes) {
    let (input, output) = choosing.asking.tokens();
    let tokens = Tokens {
        input: input.max(1),
        output,
        ..Tokens::default()
    };
    let at_ms = choosing.asking.at_ms();
    for candidate in &mut *group {
        let model = &candidate.target().provider_model;
        let tariff = fares.tariffs.of(candidate.provider(), choosing.book, model);
        let billed = tariff.bill(&tokens, at_ms);
        let nano = cost::cost(billed.as_ref().map(|it| &it.charge)).nano();
        if nano.is_none() {
            notes.say(candidate.position(), Why::Unpriced);
        }
        candidate.rank = nano.map_or(f64::INFINITY, precise);
    }
    group.sort_by(|one, other| one.rank.total_cmp(&other.rank));
}

fn lowest_latency(group: &mut [Candidate], fares: &Fares) {
    fastest(group, fares, |condition| {
        let median = condition.speed.first_median;
        median.map_or(0.0, |it| it.as_secs_f64())
    });
}

fn highest_throughput(group: &mut [Candidate], fares: &Fares) {
    fastest(group, fares, |condition| {
        let median = condition.speed.tokens_median;
        median.map_or(f64::NEG_INFINITY, |it| -precise(it))
    });
}

/// The least first; of which nothing is known, so that it is, counts as the least.
fn fastest(group: &mut [Candidate], fares: &Fares, rank: impl Fn(&Condition) -> f64) {
    for candidate in &mut *group {
        let condition = condition(candidate, fares);
        candidate.rank = condition.map_or(f64::NEG_INFINITY, |it| rank(&it));
    }
    group.sort_by(|one, other| one.rank.total_cmp(&other.rank));
}

/// The one that the subject belongs to, save while it has a quarter more to do than the others.
fn belonging(group: &mut [Candidate], fares: &Fares, subject: u64, notes: &mut Notes) {
    let mut under_way = 0_u64;
    for candidate in &mut *group {
        let target = candidate.target();
        let place = rendezvous::digest(target.provider.as_bytes())
            ^ rendezvous::digest(target.provider_model.as_bytes());
        candidate.rank = -rendezvous::fit(subject, place, target.weight);
        under_way += u64::from(condition(candidate, fares).map_or(0, |it| it.under_way));
    }
    group.sort_by(|one, other| one.rank.total_cmp(&other.rank));
    let most = ((under_way + 1) * 5).div_ceil(4 * group.len() as u64);
    let has_room = |it: &Candidate| {
        let condition = condition(it, fares);
        condition.is_none_or(|it| u64::from(it.under_way) < most)
    };
    let Some(at) = group.iter().position(has_room).filter(|at| *at > 0) else {
        return;
    };
    for full in group.iter().take(at) {
        notes.say(full.position(), Why::Full);
    }
    if let Some(first) = group.get_mut(..=at) {
        first.rotate_right(1);
    }
}

/// Who or what a request belongs with, as far as that is said.
fn subject(choosing: Choosing<'_>) -> Option<u64> {
    let Choosing { asking, caller, .. } = choosing;
    let digest = |bytes: &[u8]| (!bytes.is_empty()).then(|| rendezvous::digest(bytes));
    match choosing.balance {
        Balance::Session => digest(asking.session()?),
        Balance::EndUser => match caller.end_user() {
            Some(said) => digest(said.as_bytes()),
            None => digest(asking.end_user()?.as_bytes()),
        },
        Balance::Prefix => digest(asking.prefix()?),
        _ => None,
    }
}

/// How a target does; `None` where nothing is known of it.
pub(crate) fn condition(candidate: &Candidate, fares: &Fares) -> Option<Condition> {
    let account = *candidate.provider().id.as_bytes();
    let now = Instant::now().into_std();
    let model = &candidate.target().provider_model;
    fares.lanes.condition(account, model, now)
}

#[expect(clippy::cast_precision_loss, reason = "it is compared, not counted")]
const fn precise(number: u64) -> f64 {
    number as f64
}
