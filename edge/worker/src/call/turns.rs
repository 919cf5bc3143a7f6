//! The turn that a request needs at a provider's model, and what the provider's answer says of the next ones.
//!
//! Knows which lane a target is of and what an answer means to it; knows nothing of how it is asked.

use std::time::Instant;

use futures_util::{FutureExt, future::LocalBoxFuture};
use policy::traffic::Traffic;
use shaping::{Asking, Busy, Entered, Lanes, Turn};

use crate::{
    call::{answer::Answer, failure::Failure, retry_after::used_up},
    record::Entry,
    request::Request,
    route::{Candidate, Plan},
};

/// How much a request needs a target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Whether it waits for a turn there.
    pub(crate) waits: bool,
    /// Whether there is another that it may ask.
    pub(crate) has_others: bool,
}

/// A turn at a target now, or what comes of waiting for one. That is boxed: it is rare beside the requests that carry this
/// future's size. Where a request does not wait it hears at once.
pub(crate) fn ask<'a>(
    lanes: &Lanes,
    (plan, candidate): (&Plan, &Candidate),
    request: &Request,
    patience: Patience,
) -> Result<Turn, LocalBoxFuture<'a, Result<Turn, Busy>>> {
    let now = tokio::time::Instant::now().into_std();
    let caller = plan.grant().caller();
    let provider = *candidate.provider().id.as_bytes();
    let lane = lanes.lane(provider, &candidate.target().provider_model, now);
    let asking = Asking {
        traffic: traffic(caller.traffic(), request),
        tenant: *caller.key().project.as_bytes(),
        cost: tokens(request),
        until: if patience.waits {
            now + lanes.wait_max()
        } else {
            now
        },
        has_others: patience.has_others,
    };
    match lane.enter(asking, now) {
        Entered::Turn(turn) => Ok(turn),
        Entered::Waits(waiting) => Err(waiting.turn().boxed_local()),
        Entered::Busy(busy) => Err(async move { Err(busy) }.boxed_local()),
    }
}

/// The turn that is waited for, once it has come; its wait is told to the account.
pub(crate) async fn awaited(
    to_come: LocalBoxFuture<'_, Result<Turn, Busy>>,
    entry: &mut Entry,
) -> Result<Turn, Failure> {
    let since = Instant::now();
    let turn = to_come.await;
    entry.waited(since.elapsed());
    turn.map_err(Failure::from)
}

/// What was sent in this turn was answered.
pub(crate) fn taken(turn: &Turn, answer: &Answer, request: &Request) {
    turn.taken();
    if let Some(wait) = used_up(&answer.headers, tokens(request)) {
        turn.used_up(wait);
    }
}

/// What was sent in this turn, if it was, has failed.
pub(crate) fn failed(turn: &Turn, failure: &Failure) {
    if let Some(wait) = failure.overload() {
        turn.overloaded(wait);
    }
    if failure.is_unwell() {
        turn.failed();
    }
}

/// Its project's, or a lower class if the client asks for one.
fn traffic(projects: Traffic, request: &Request) -> Traffic {
    Traffic {
        class: request
            .class()
            .map_or(projects.class, |asked| projects.class.lower(asked)),
        ..projects
    }
}

/// How large a request is beside others, in tokens.
fn tokens(request: &Request) -> u64 {
    let output = request.scanned().output_tokens_max.unwrap_or(0);
    request.input_tokens_estimate().saturating_add(output)
}
