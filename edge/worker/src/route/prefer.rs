//! What a project demands of providers and what a client prefers among them: who is left out, and who is asked before whom.
//!
//! Knows candidates and what they cost and how they do; whether a client may prefer so was asked before. Where nothing is
//! demanded and nothing preferred, none of it is met.

use dialect::preferences::{MaxPrice, Preferences, Preferred, Sort};
use policy::guard::Guard;

use crate::route::{
    Refusal,
    balance::{Choosing, by_sort, condition},
    candidate::Candidate,
    notes::{Notes, Why},
};

/// Leaves out who may not get the data of a project; at least one is left.
pub(crate) fn hold_to_guard(
    guard: Option<&Guard>,
    candidates: &mut Vec<Candidate>,
    notes: &mut Notes,
) -> Result<(), Refusal> {
    let Some(guard) = guard else {
        return Ok(());
    };
    if guard.demanded.is_nothing() {
        return Ok(());
    }
    leave_out(candidates, notes, |it| {
        let takes = guard.demanded.takes(&it.provider().handling);
        (!takes).then_some(Why::DataPolicy)
    });
    if candidates.is_empty() {
        return Err(Refusal::DataPolicy);
    }
    Ok(())
}

/// Leaves out whom the client wants nothing of; at least one is left.
pub(crate) fn hold_to_client(
    wanted: &Preferences,
    candidates: &mut Vec<Candidate>,
    choosing: Choosing<'_>,
    notes: &mut Notes,
) -> Result<(), Refusal> {
    leave_out(candidates, notes, |it| excluded(it, wanted, choosing));
    if candidates.is_empty() {
        return Err(Refusal::Unmet);
    }
    Ok(())
}

/// Puts them in the client's order: as it sorts, those that do worse than it likes last, and those that it names first.
pub(crate) fn arrange(
    candidates: &mut [Candidate],
    (wanted, sort): (Option<&Preferences>, Option<Sort>),
    choosing: Choosing<'_>,
    notes: &mut Notes,
) {
    if let Some(sort) = sort {
        by_sort(candidates, sort, choosing, notes);
    }
    let Some(wanted) = wanted else {
        return;
    };
    if wanted.preferred != Preferred::default() {
        let slow = |it: &Candidate| is_slow(it, wanted, choosing);
        for candidate in candidates.iter().filter(|it| slow(it)) {
            notes.say(candidate.position(), Why::Slow);
        }
        candidates.sort_by_cached_key(slow);
    }
    if !wanted.order.is_empty() {
        let place = |it: &Candidate| {
            let mut named = wanted.order.iter();
            // Whom it does not name comes last.
            named
                .position(|name| *name == it.provider().name)
                .unwrap_or(usize::MAX)
        };
        candidates.sort_by_cached_key(place);
    }
}

/// Asks nobody but the best one, where the client wants that and names nobody.
pub(crate) fn hold_to_best(
    wanted: Option<&Preferences>,
    candidates: &mut Vec<Candidate>,
    notes: &mut Notes,
) {
    if wanted.is_some_and(|it| it.no_fallbacks && it.order.is_empty()) {
        for other in candidates.iter().skip(1) {
            notes.say(other.position(), Why::NoFallback);
        }
        candidates.truncate(1);
    }
}

fn leave_out(
    candidates: &mut Vec<Candidate>,
    notes: &mut Notes,
    mut why: impl FnMut(&Candidate) -> Option<Why>,
) {
    candidates.retain(|it| {
        let why = why(it);
        if let Some(why) = why {
            notes.say(it.position(), why);
        }
        why.is_none()
    });
}

/// Why the client wants nothing of this one; `None` where it does.
fn excluded(it: &Candidate, wanted: &Preferences, choosing: Choosing<'_>) -> Option<Why> {
    let (name, handling) = (&it.provider().name, &it.provider().handling);
    let quantized = || {
        wanted
            .quantizations
            .iter()
            .any(|it| it == handling.quantized())
    };
    if !wanted.only.is_empty() && !wanted.only.contains(name) {
        Some(Why::NotOnly)
    } else if wanted.ignore.contains(name) {
        Some(Why::Ignored)
    } else if wanted.no_fallbacks && !wanted.order.is_empty() && !wanted.order.contains(name) {
        Some(Why::NoFallback)
    } else if wanted.data.deny_collection && !handling.collects_nothing {
        Some(Why::DataCollection)
    } else if wanted.data.zero_retention && !handling.retains_nothing {
        Some(Why::Retention)
    } else if !wanted.quantizations.is_empty() && !quantized() {
        Some(Why::Quantization)
    } else if wanted.max_price != MaxPrice::default() {
        too_dear(it, wanted.max_price, choosing)
    } else {
        None
    }
}

/// Whether it costs more than the client wants to pay, or nobody knows.
fn too_dear(it: &Candidate, most: MaxPrice, choosing: Choosing<'_>) -> Option<Why> {
    let asking = choosing.asking;
    let model = &it.target().provider_model;
    let fares = asking.fares?;
    let tariff = fares.tariffs.of(it.provider(), choosing.book, model);
    let rates = tariff.rates(asking.tokens(), asking.at_ms());
    let rates = rates.unwrap_or_default();
    for (most, rate) in [(most.prompt, rates.input), (most.completion, rates.output)] {
        match (most, rate) {
            (Some(_), None) => return Some(Why::PriceUnknown),
            (Some(most), Some(rate)) if rate > most => return Some(Why::TooDear),
            _ => {}
        }
    }
    None
}

/// Whether it does worse than the client likes. Of whom nothing is known it is not known that he does.
fn is_slow(it: &Candidate, wanted: &Preferences, choosing: Choosing<'_>) -> bool {
    let condition = choosing.asking.fares.and_then(|fares| condition(it, fares));
    let Some(speed) = condition.map(|it| it.speed) else {
        return false;
    };
    let begins = wanted.preferred.latency_max.zip(speed.first_median);
    let comes = wanted.preferred.throughput_min.zip(speed.tokens_median);
    #[expect(clippy::cast_precision_loss, reason = "it is compared, not counted")]
    let few = comes.is_some_and(|(least, median)| (median as f64) < least);
    few || begins.is_some_and(|(most, median)| median > most)
}
