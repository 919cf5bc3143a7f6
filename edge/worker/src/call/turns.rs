//! The turn that a request needs at a provider's model, and what the provider's answer says of the next ones.
//!
//! Knows which lane a target is of and what an answer means to it; knows nothing of how it is asked.

use std::time::{Duration, Instant};

use futures_util::{FutureExt, future::LocalBoxFuture};
use http::{HeaderMap, StatusCode};
use policy::{id::ProviderId, traffic::Traffic};
use shaping::{Asking, Busy, Entered, Lanes, Turn};

use crate::{
    call::{
        answer::Answer,
        failure::Failure,
        retry_after::{retry_after_ms, used_up},
    },
    identify::Caller,
    record::Entry,
    request::Request,
    route::{Candidate, Plan},
};

/// The statuses by which providers say that they are overloaded.
const OVERLOADED: [u16; 3] = [429, 503, 529];

/// How much a request needs a target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Whether it waits for a turn there.
    pub(crate) waits: bool,
    /// Whether there is another that it may ask.
    pub(crate) has_others: bool,
}

/// What of a request decides over its turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    traffic: Traffic,
    tenant: [u8; 16],
    tokens: u64,
    patience: Patience,
}

/// A turn at a target now, or what comes of waiting for one.
pub(crate) fn ask<'a>(
    lanes: &Lanes,
    (plan, candidate): (&Plan, &Candidate),
    request: &Request,
    patience: Patience,
) -> Result<Turn, LocalBoxFuture<'a, Result<Turn, Busy>>> {
    let caller = plan.grant().caller();
    let wanted = Wanted {
        traffic: traffic(caller.traffic(), request),
        patience,
        ..Wanted::by(caller, tokens(request))
    };
    let model = &candidate.target().provider_model;
    enter(lanes, (candidate.provider().id, model), wanted)
}

/// A turn for what is passed through to this provider's model, once it is there; a model that is not named has a lane of its own.
pub(crate) async fn unread(
    lanes: &Lanes,
    to: (ProviderId, &str),
    wanted: Wanted,
    entry: &mut Entry,
) -> Result<Turn, Failure> {
    match enter(lanes, to, wanted) {
        Ok(turn) => Ok(turn),
        Err(to_come) => awaited(to_come, entry).await,
    }
}

/// A turn now, or what comes of waiting for one. That is boxed: it is rare beside the requests that carry this
/// future's size. Where a request does not wait it hears at once.
fn enter<'a>(
    lanes: &Lanes,
    (provider, model): (ProviderId, &str),
    wanted: Wanted,
) -> Result<Turn, LocalBoxFuture<'a, Result<Turn, Busy>>> {
    let now = tokio::time::Instant::now().into_std();
    let lane = lanes.lane(*provider.as_bytes(), model, now);
    let asking = Asking {
        traffic: wanted.traffic,
        tenant: wanted.tenant,
        cost: wanted.tokens,
        until: if wanted.patience.waits {
            now + lanes.wait_max()
        } else {
            now
        },
        has_others: wanted.patience.has_others,
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

/// What was passed through in this turn was answered so, to a request that came at `now_ms`, milliseconds since 1970.
pub(crate) fn passed(
    turn: &Turn,
    (status, headers): (StatusCode, &HeaderMap),
    (wanted, now_ms): (Wanted, u64),
) {
    if OVERLOADED.contains(&status.as_u16()) {
        let wait = retry_after_ms(headers, now_ms);
        let wait = wait.map(Duration::from_millis);
        turn.overloaded(wait);
        if let Some(wait) = wait.filter(|_| status.as_u16() == 429) {
            turn.used_up(wait);
        }
    } else if status.is_server_error() {
        turn.failed();
    } else {
        turn.taken();
    }
    if let Some(wait) = used_up(headers, wanted.tokens) {
        turn.used_up(wait);
    }
}

/// The same, of which this came; if nothing did, that is told to the lane.
pub(crate) fn heard<T>(turn: &Turn, came: Result<T, Failure>) -> Result<T, Failure> {
    came.inspect_err(|failure| failed(turn, failure))
}

/// What was sent in this turn, if it was, has failed.
pub(crate) fn failed(turn: &Turn, failure: &Failure) {
    if let Some(wait) = failure.overload() {
        turn.overloaded(wait);
    }
    if let Some(wait) = failure.used_up() {
        turn.used_up(wait);
    }
    if failure.is_unwell() {
        turn.failed();
    }
}

// === impl Wanted ===

impl Wanted {
    /// A turn for what this caller asks, of about so many tokens.
    pub(crate) fn by(caller: &Caller, tokens: u64) -> Self {
        Self {
            traffic: caller.traffic(),
            tenant: *caller.key().project.as_bytes(),
            tokens,
            patience: Patience {
                waits: true,
                has_others: false,
            },
        }
    }

    /// The same, where others may be asked in this one's place: then it does not wait.
    pub(crate) const fn with_others(self, has_others: bool) -> Self {
        let waits = !has_others;
        Self {
            patience: Patience { waits, has_others },
            ..self
        }
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
