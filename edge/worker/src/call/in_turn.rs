//! One target after another, until one answers or none is left that may be asked.
//!
//! Knows budgets, turns and failures; how one is asked is the call's. Its future rides in that of every request.

use crate::{
    call::{Call, With, answer::Answer, failure::Failure, turns},
    record::Entry,
    request::Request,
    route::Plan,
};

/// What came of the targets that were asked before the others are asked in turn.
#[derive(Default)]
pub(super) struct Before {
    /// Their places, the lowest bit for the first; versions have no more targets than there are bits.
    pub(super) asked: u32,
    /// Whether a provider was asked.
    pub(super) tried: bool,
    /// Why the one that speaks for them gave no answer.
    pub(super) last: Option<Failure>,
}

// === impl Call ===

impl Call {
    /// The first answer of the targets that were not asked `before`, or why the last one that was asked gave none.
    pub(super) async fn in_turn(
        &self,
        (plan, request): (&Plan, &Request),
        (arrival, attempts): With<'_>,
        entry: &mut Entry,
        before: Option<Box<Before>>,
    ) -> Result<Answer, Failure> {
        let Before {
            asked,
            mut tried,
            mut last,
        } = before.map(|it| *it).unwrap_or_default();
        // Of another model, perhaps.
        tried |= entry.has_reached();
        // No more than a place rides in this future.
        for (place, candidate) in plan.candidates().iter().enumerate() {
            if place < 32 && asked & (1 << place) != 0 {
                continue;
            }
            let provider = candidate.provider().id;
            entry.reaches(place);
            if !tried {
                self.retries(entry).first(provider);
            } else if let Some(why) = self.may_not_ask_again(provider, arrival, entry) {
                entry.passes_over(candidate.position(), why);
                continue;
            }
            // A copy is not worth a wait, or a trial of what is set aside.
            let is_copy = entry.is_copy();
            let has_others = is_copy || place + 1 < plan.candidates().len();
            // One waits only where there is nowhere else to go, or nowhere better.
            let waits = !is_copy && (!has_others || place + 1 == plan.well());
            let patience = turns::Patience { waits, has_others };
            let turn = match turns::ask(&self.fares.lanes, (plan, candidate), request, patience) {
                Ok(turn) => Ok(turn),
                Err(to_come) => turns::awaited(to_come, entry).await,
            };
            let failure = match turn {
                Ok(turn) => {
                    let attempt = self.attempt(candidate, request, (arrival, attempts), entry);
                    match attempt.await {
                        Ok(answer) => {
                            if tried {
                                self.retries(entry).succeeded(provider);
                            }
                            turns::taken(&turn, &answer, request);
                            entry.goes_on(turn);
                            return Ok(answer);
                        }
                        Err(failure) => {
                            if !entry.is_copy() {
                                turns::failed(&turn, &failure);
                            }
                            failure
                        }
                    }
                }
                Err(failure) => failure,
            };
            self.note(&failure, candidate, tried, entry);
            tried |= failure.was_tried();
            // What was reserved is for one answer: a second may not be had on top of what the first has cost.
            let spent = request.held().is_some() && entry.has_spent();
            let over = spent || !failure.moves_on(&plan.version().routing);
            // Who was asked speaks before who was not.
            if failure.was_sent() || last.as_ref().is_none_or(|last| !last.was_sent()) {
                last = Some(failure);
            }
            if over {
                break;
            }
        }
        Err(last.unwrap_or(Failure::Misconfigured("target")))
    }
}
