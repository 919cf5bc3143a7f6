//! The whole of a request, in order: caller, grant, plan, permit, entry, answer, reply.
//!
//! Each line takes what the line before has proved. Knows the stages and nothing of what a refusal looks like on
//! the wire. Policy is read once, at the top, so that one revision judges a request from start to end. It is let go
//! when all is decided: a slow body keeps an old configuration in memory for `body_timeout_ms`, and a slow provider
//! not at all.

use std::{sync::Arc, task::Context, time::Duration};

use counters::Counters;
use http::request::Parts;
use hyper::body::Incoming;
use lifecycle::{clock::Clock, drain::Drain};
use policy::{limit::Limit, rules::Rules};
use rustls::ClientConfig;
use tokio::sync::mpsc;

use crate::{
    accept,
    admit::{self, Admit, room::Room},
    authorize,
    call::{self, Call, failure::Failure},
    identify::{self, Caller, Identify},
    in_force::InForce,
    record::{Entry, Record, Recorder},
    relay::{self, Relay, patience::Patience, relay},
    request::{self, Arrival, Head, endpoint::Endpoint},
    route::{self, Plan},
};

/// One core's stages.
pub struct Pipeline {
    in_force: InForce,
    bounds: accept::Config,
    bodies: request::Bounds,
    identify: Identify,
    admit: Admit,
    recorder: Recorder,
    call: Call,
    patience: Patience,
}

/// What a pipeline is made of; may be sent to the thread of its core, where a pipeline then stays.
pub struct Ingredients {
    /// The policy that requests are judged by.
    pub in_force: InForce,
    /// What time it is.
    pub clock: Clock,
    /// This core's counters.
    pub counters: Counters,
    /// Where records go; one queue for all cores, of [`crate::record::RECORDS_MAX`].
    pub records: mpsc::Sender<Record>,
    /// Tells whether a request that vanishes was cut by us.
    pub drain: Drain,
    /// How providers are met: [`crate::call::dial::tls`], one for all cores.
    pub tls: Arc<ClientConfig>,
    /// `[inference]`.
    pub inference: accept::Config,
    /// `[upstream]`.
    pub upstream: call::Config,
    /// The part of `[limits]` that is about guessing.
    pub guesses: admit::Config,
}

/// What a client gets.
pub enum Reply {
    /// A body that we have written ourselves, about models.
    Models(Vec<u8>),
    /// A provider's answer.
    Answer(Box<Answered>),
}

/// A provider's answer, and what we say about it.
pub struct Answered {
    /// Its head.
    pub head: relay::Head,
    /// Its body.
    pub body: Relay,
    /// `model@version`.
    pub label: String,
    /// What is left of the limits.
    pub room: Room,
}

/// Why a client gets no answer: one variant for each stage.
pub enum Refusal {
    /// The request is not one we can judge.
    Request(request::Refusal),
    /// Nobody was identified.
    Identify(identify::Refusal),
    /// The caller may not.
    Authorize(authorize::Refusal),
    /// There is nowhere to go.
    Route(route::Refusal),
    /// There is no room.
    Admit(admit::Refusal),
    /// No provider answered. The entry waits to hear which status that becomes.
    Call(Failure, Entry),
}

// === impl Pipeline ===

impl Pipeline {
    /// The stages of one core.
    pub fn new(of: Ingredients) -> Self {
        let patience = Patience {
            idle_max: Duration::from_millis(of.upstream.idle_timeout_ms),
            total_max: Duration::from_millis(of.upstream.total_timeout_ms),
        };
        Self {
            identify: Identify::new(of.in_force.clone(), of.clock),
            admit: Admit::new(of.counters, of.guesses),
            recorder: Recorder::new(of.records, of.drain),
            call: Call::new(&of.upstream, of.tls, of.in_force.clone()),
            in_force: of.in_force,
            bodies: request::Bounds::new(&of.inference),
            bounds: of.inference,
            patience,
        }
    }

    /// The bounds on connections and requests.
    pub const fn bounds(&self) -> &accept::Config {
        &self.bounds
    }

    /// Closes connections to providers that have rested too long.
    pub fn sweep(&self, cx: &mut Context<'_>) {
        self.call.sweep(cx);
    }

    /// Answers one request.
    pub async fn run(
        &self,
        arrival: &Arrival,
        parts: Parts,
        incoming: Incoming,
    ) -> Result<Reply, Refusal> {
        let rules = self.in_force.rules();
        let head = Head::read(parts, arrival.peer, &self.bounds.trusted_proxies)?;
        let caller = self.identify.caller(&rules, &head)?;
        authorize::enter(&caller, &head)?;
        let asked = match head.endpoint() {
            Endpoint::Inference(asked) => asked.clone(),
            Endpoint::Models => return Ok(Reply::Models(list_models(&rules, &caller))),
            Endpoint::Model(name) => return Ok(Reply::Models(one_model(&rules, caller, name)?)),
        };
        let request = head.with_body(asked, incoming, &self.bodies).await?;
        let (plan, limits) = decide(&rules, caller, &request.scanned().model)?;
        authorize::weigh(plan.grant(), || self.admit.tokens(&request))?;
        // Nothing else is asked of it, and what comes next may wait for as long as a provider likes.
        drop(rules);
        let permit = self.admit.permit(limits, &plan, arrival, &request).await?;
        let room = *permit.room();
        let mut entry = self.recorder.open(arrival, permit, &plan, &request);
        let answer = self.call.first_good(&plan, &request, arrival, &mut entry);
        match answer.await {
            Ok(answer) => {
                let (head, body) = relay(answer, arrival, entry, &self.patience);
                let label = plan.into_label();
                Ok(Reply::Answer(Box::new(Answered {
                    head,
                    body,
                    label,
                    room,
                })))
            }
            // The entry is closed where the status is chosen, in `respond`, because its record tells that status.
            Err(failure) => Err(Refusal::Call(failure, entry)),
        }
    }
}

/// What is decided without waiting.
fn decide(rules: &Rules, caller: Caller, model: &str) -> Result<(Plan, Vec<Arc<Limit>>), Refusal> {
    let grant = authorize::grant(rules, caller, model)?;
    let plan = route::plan(rules, grant)?;
    let limits = admit::limits(rules, &plan);
    Ok((plan, limits))
}

fn list_models(rules: &Rules, caller: &Caller) -> Vec<u8> {
    let models = authorize::models(rules, caller);
    let owner = owner(rules, caller);
    let facts = models
        .iter()
        .map(|model| (model.name.as_str(), model.created_seconds, owner));
    dialect::openai::models::list(facts)
}

fn one_model(rules: &Rules, caller: Caller, name: &str) -> Result<Vec<u8>, Refusal> {
    let grant = authorize::grant(rules, caller, name)?;
    let model = grant.model();
    Ok(dialect::openai::models::one(
        &model.name,
        model.created_seconds,
        owner(rules, grant.caller()),
    ))
}

fn owner<'a>(rules: &'a Rules, caller: &Caller) -> &'a str {
    rules
        .organization(caller.key().organization)
        .map_or("", |it| it.name.as_str())
}

// === impl Refusal ===

impl From<request::Refusal> for Refusal {
    fn from(refusal: request::Refusal) -> Self {
        Self::Request(refusal)
    }
}

impl From<identify::Refusal> for Refusal {
    fn from(refusal: identify::Refusal) -> Self {
        Self::Identify(refusal)
    }
}

impl From<authorize::Refusal> for Refusal {
    fn from(refusal: authorize::Refusal) -> Self {
        Self::Authorize(refusal)
    }
}

impl From<route::Refusal> for Refusal {
    fn from(refusal: route::Refusal) -> Self {
        Self::Route(refusal)
    }
}

impl From<admit::Refusal> for Refusal {
    fn from(refusal: admit::Refusal) -> Self {
        Self::Admit(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<'a, F: Future>(
        _: fn(&'a Pipeline, &'a Arrival, Parts, Incoming) -> F,
    ) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_future_of_a_request_stays_small() {
        // Every request in flight carries one. What makes it larger must be worth it, or be boxed.
        let bytes = size_of_future(Pipeline::run);
        assert!(bytes <= 3_024, "{bytes} bytes");
    }
}
