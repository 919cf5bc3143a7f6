//! Who may be asked after a target gave no answer, and who hears of that.
//!
//! Knows budgets and failures; asks nobody. Copies have budgets of their own, and only their records tell of them: what becomes of one
//! changes nothing for a client.

use policy::id::ProviderId;
use tokio::time::Instant;
use tracing::warn;

use crate::{
    call::{Call, failure::Failure, retries::Retries},
    record::{Entry, Missed},
    request::Arrival,
    route::{Candidate, notes::Why},
};

// === impl Call ===

impl Call {
    /// What bounds second attempts of such a request.
    pub(super) fn retries(&self, entry: &Entry) -> &Retries {
        if entry.is_copy() {
            &self.retries_of_copies
        } else {
            &self.retries
        }
    }

    /// Why a provider may not be asked in another's place, if it may not.
    pub(super) fn may_not_ask_again(
        &self,
        provider: ProviderId,
        arrival: &Arrival,
        entry: &Entry,
    ) -> Option<Why> {
        if arrival.started.elapsed() >= self.answer_max {
            return Some(Why::Late);
        }
        if self.retries(entry).allow(provider, Instant::now()) {
            return None;
        }
        metrics::counter!("sluice_retry_denied_total").increment(1);
        Some(Why::Retries)
    }

    /// Tells of a target that gave no answer, whoever wants to know.
    pub(super) fn note(
        &self,
        failure: &Failure,
        candidate: &Candidate,
        again: bool,
        entry: &mut Entry,
    ) {
        self.heed(failure, candidate, again, entry);
        entry.attempt_failed(missed(failure, candidate));
    }

    /// The same of one that was made beside another.
    pub(super) fn note_beside(&self, failure: &Failure, candidate: &Candidate, entry: &mut Entry) {
        self.heed(failure, candidate, true, entry);
        entry.beside_failed(&missed(failure, candidate));
    }

    fn heed(&self, failure: &Failure, candidate: &Candidate, again: bool, entry: &Entry) {
        let provider = candidate.provider();
        self.doubt(failure, provider);
        // One that has said what is wrong with the request is well, and so is one that was spared.
        if failure.is_the_providers() {
            // Of copies their records tell.
            if !entry.is_copy() {
                warn!(provider = %provider.name, %failure, "a provider did not answer");
                metrics::counter!("sluice_attempt_failed_total", "code" => failure.code())
                    .increment(1);
            }
            if again && failure.was_tried() {
                let retries = self.retries(entry);
                retries.failed(provider.id, Instant::now());
            }
        }
    }
}

fn missed<'a>(failure: &Failure, candidate: &'a Candidate) -> Missed<'a> {
    Missed {
        provider: candidate.provider(),
        provider_model: &candidate.target().provider_model,
        code: failure.code(),
        status: failure.status(),
        sent: failure.was_sent(),
        refused: failure.was_refused(),
        theirs: failure.is_the_providers(),
    }
}
