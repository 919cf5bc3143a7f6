//! The whole of a request, in order: caller, grant, plan, permit, entry, answer, reply.
//!
//! Each line takes what the line before has proved. Knows the stages and nothing of what a refusal looks like on
//! the wire. Policy is read once, at the top, so that one revision judges a request from start to end. It is let go
//! when all is decided: a slow body keeps an old configuration in memory for `body_timeout_ms`, and a slow provider
//! not at all.

mod told;
mod refusal;
mod entering;
mod second_look;
mod in_turn;
mod twins;

use std::{
    borrow::Cow, convert::Infallible, ops::ControlFlow, rc::Rc, sync::Arc, task::Context,
    time::Duration,
};

use counters::Counters;
use http::{HeaderValue, request::Parts};
use hyper::body::Incoming;
use lifecycle::{clock::Clock, drain::Drain};
use policy::rules::Rules;
use rustls::ClientConfig;
use shaping::Lanes;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    accept,
    admit::{self, Admit, Limits, room::Room},
    asking::Asking,
    authorize,
    call::{
        self, Call,
        answer::Answer,
        failure::{Failure, Unanswered},
        patience::Patience,
        telling,
    },
    certified,
    correspond::Correspondent,
    cuts::Cuts,
    elsewhere::Elsewhere,
    explain::{Beside, Explainer, Lens},
    fares::Fares,
    identify::{Caller, Identify},
    in_force::InForce,
    label::{Label, alive},
    opaque::{Opaque, Places},
    own::Own,
    passage::{Passage, Through},
    recall::{Recall, Source},
    record::{Entry, Record, Recorder, content::Outlet},
    relay::{self, Relay, relay},
    request::{self, Arrival, Request},
    route::{self, Plan},
    series::{Series, Watched},
    shadow::{Shadower, seats::Seats},
    signers::Signers,
    tariff::Tariffs,
    trail::{Case, Trail, What},
    transform::Transformer,
};

pub use self::refusal::Refusal;

/// One core's stages.
pub struct Pipeline {
    in_force: InForce,
    bounds: accept::Config,
    bodies: request::Bounds,
    identify: Identify,
    transformer: Transformer,
    admit: Admit,
    recorder: Recorder,
    call: Call,
    cuts: Rc<Cuts>,
    patience: Patience,
    first_byte_max: Duration,
    drain: Drain,
    clock: Clock,
    explainer: Explainer,
    own: Own,
    correspondent: Correspondent,
    shadower: Shadower,
    trail: Trail,
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
    /// Whether any go there.
    pub keeps_records: bool,
    /// Tells whether a request that vanishes was cut by us.
    pub drain: Drain,
    /// How providers are met: [`crate::call::dial::tls`], one for all cores.
    pub tls: Arc<ClientConfig>,
    /// `[inference]`.
    pub inference: accept::Config,
    /// `[upstream]`.
    pub upstream: call::Config,
    /// Who goes next where a provider takes no more; one for all cores.
    pub lanes: Arc<Lanes>,
    /// The part of `[limits]` that is about guessing.
    pub guesses: admit::Config,
    /// The keys of issuers, those of all cores, and who is asked about tokens.
    pub issuers: (Signers, Places),
    /// Whose certificates identify clients.
    pub certified: certified::Places,
    /// What is watched; the same for all cores.
    pub watched: Watched,
    /// What is done beside requests, where that comes to this core.
    pub beside: Option<Beside>,
    /// Who remembers what clients used.
    pub remembered: Option<Source>,
    /// Where goes what requests and answers say, if their project keeps that.
    pub contents: Option<Outlet>,
    /// How many copies are under way; those of all cores.
    pub copies: Seats,
    /// Where decisions go that organizations have told to the audit trail; one for all cores.
    pub trail: Trail,
}

/// What a client gets.
pub enum Reply {
    /// A body that we have written ourselves, about models or the server.
    Told(Vec<u8>),
    /// A provider's answer.
    Answer(Box<Answered>),
}

/// A provider's answer, and what we say about it.
pub struct Answered {
    /// Its head.
    pub head: relay::Head,
    /// Its body.
    pub body: Relay,
    /// What serves.
    pub label: Label,
    /// What is left of the limits.
    pub room: Room,
}

// === impl Pipeline ===

impl Pipeline {
    /// The stages of one core.
    pub fn new(of: Ingredients) -> Self {
        let patience = Patience {
            idle_max: Duration::from_millis(of.upstream.idle_timeout_ms),
            total_max: Duration::from_millis(of.upstream.total_timeout_ms),
        };
        let cuts = Cuts::new(of.in_force.clone());
        let elsewhere = Elsewhere::default();
        let tariffs = Rc::<Tariffs>::default();
        let limits = (of.counters, of.in_force.shares());
        let admit = Admit::new(limits, of.guesses, Rc::clone(&tariffs));
        let fares = Fares::new(of.lanes, Rc::clone(&tariffs), of.in_force.clone());
        let lens = Lens::new(admit.clone(), of.clock.clone());
        let in_force = of.in_force.clone();
        let (signers, places) = of.issuers;
        let issuers = (signers, Opaque::new(places));
        let state = (in_force.clone(), of.clock.clone());
        // Whoever answers operators fetches keys, too.
        let fetches = of.beside.is_some();
        let terms = (&of.upstream, &of.tls);
        let correspondent = Correspondent::new(terms, state, issuers.clone(), fetches);
        let kept = (tariffs, Rc::new(Series::new(of.watched, in_force.clone())));
        Self {
            correspondent,
            own: Own::new(Recall::new(of.remembered), lens.clone()),
            explainer: Explainer::new(in_force, lens, fares.clone(), of.beside),
            identify: Identify::new(of.in_force.clone(), of.clock.clone(), issuers)
                .with_certified(of.certified),
            transformer: Transformer::new(elsewhere.clone()),
            admit,
            recorder: Recorder::new(of.records, of.drain.clone(), Rc::clone(&cuts), kept)
                .keeping(of.keeps_records)
                .with_contents(of.contents),
            cuts,
            first_byte_max: Duration::from_millis(of.upstream.first_byte_timeout_ms),
            drain: of.drain,
            clock: of.clock,
            call: Call::new(&of.upstream, of.tls, of.in_force.clone(), fares, elsewhere),
            shadower: Shadower::new(of.copies),
            trail: of.trail,
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
        self.correspondent.sweep(cx);
    }

    /// Which answers under way are to be cut.
    pub const fn cuts(&self) -> &Rc<Cuts> {
        &self.cuts
    }

    /// Has tokens for providers renewed before they end. Never ends; a core runs it beside its requests.
    pub async fn renew(&self) -> Infallible {
        self.call.renew().await
    }

    /// Has issuers asked. Never ends; a core runs it beside its requests.
    pub async fn correspond(&self) -> Infallible {
        self.correspondent.run().await
    }

    /// Answers what operators ask of limits. Never ends; a core runs it beside its requests.
    pub async fn explain(&self) -> Infallible {
        self.explainer.run().await
    }

    /// Answers one request that is passed through, by the same stages.
    pub async fn pass(
        &self,
        arrival: &Arrival,
        parts: Parts,
        incoming: Incoming,
    ) -> Result<Through, Refusal> {
        let passage = Passage {
            in_force: &self.in_force,
            identify: &self.identify,
            admit: &self.admit,
            recorder: &self.recorder,
            call: &self.call,
            bodies: &self.bodies,
            bounds: &self.bounds,
            first_byte_max: self.first_byte_max,
            patience: &self.patience,
            drain: &self.drain,
            clock: &self.clock,
            trail: &self.trail,
        };
        Ok(passage.run(arrival, parts, incoming).await?)
    }

    /// Answers one request.
    pub async fn run(
        &self,
        arrival: &Arrival,
        parts: Parts,
        incoming: Incoming,
    ) -> Result<Reply, Refusal> {
        let rules = self.in_force.rules();
        let entering = self.enter(&rules, arrival, (parts, incoming));
        let (caller, asked, (head, incoming), case) = match entering.await? {
            ControlFlow::Continue(entered) => entered,
            ControlFlow::Break(told) => return Ok(Reply::Told(told)),
        };
        let mut request = head.with_body(asked, incoming, &self.bodies).await?;
        request.note_read(arrival);
        if !request.other_models().is_empty() {
            // Boxed: rare beside the requests that carry this future's size.
            let asked = (request, arrival);
            return Box::pin(self.first_of_models(rules, (caller, case), asked)).await;
        }
        let (plan, limits) = self.judge(&rules, (caller, case), &request, arrival)?;
        // As it came: the version that gets the copy has rules of its own.
        let fares = self.call.fares();
        let (limits, twin) =
            self.shadower
                .twin((&rules, &plan), (&request, arrival), limits, fares);
        if plan.version().recipe.is_some() {
            // Boxed: rare beside the requests that carry this future's size.
            Box::pin(self.transformer.apply(&plan, &mut request)).await?;
        }
        let limits = self.admit.bind(limits, &mut request);
        let permit = self.admit.permit(limits, &plan, arrival, (&request, None));
        let mut permit = match permit.await {
            Err(refusal) if refusal.is_of_input() && request.held().is_none() => {
                // Boxed: rare beside the requests that carry this future's size.
                let asked = (arrival, &request);
                Box::pin(self.second_look(refusal, &rules, &plan, asked)).await?
            }
            permit => permit?,
        };
        // Nothing else is asked of it, and what comes next may wait for as long as a provider likes.
        drop(rules);
        let room = permit.take_room();
        let attempts = permit.take_attempts();
        let mut entry = self.recorder.open(arrival, permit, &plan, &request);
        self.shadower.send(twin, &mut entry);
        let with = (arrival, attempts.as_deref());
        let answer = self.call.first_good(&plan, &request, with, &mut entry);
        match answer.await {
            Ok(answer) => {
                let tells_cost = request.tells_cost();
                let (answer, cost) = if tells_cost {
                    let by = Instant::from_std(arrival.started) + self.patience.total_max;
                    match telling::whole(answer, &entry, by).await {
                        Ok(told) => told,
                        Err(failure) => return Err(unanswered(failure, entry, &plan, room)),
                    }
                } else {
                    (answer, None)
                };
                let cost = (tells_cost, cost);
                Ok(self.reply((answer, entry), arrival, (&plan, room), cost))
            }
            // The entry is closed where the status is chosen, in `respond`, because its record tells that status.
            Err(failure) => Err(unanswered(failure, entry, &plan, room)),
        }
    }

    /// What is decided without waiting, told to the audit trail where that is asked for.
    fn judge(
        &self,
        rules: &Rules,
        (caller, case): (Caller, Option<Box<Case>>),
        request: &Request,
        arrival: &Arrival,
    ) -> Result<(Plan, Limits), Refusal> {
        let asking = Asking::of(request, arrival, self.call.fares());
        let model = &request.scanned().model;
        let decided = decide(rules, caller, model, asking).and_then(|(plan, limits)| {
            let weight = || self.admit.guess(request).total();
            authorize::weigh(plan.grant().caller(), weight)?;
            Ok((plan, limits))
        });
        if let Some(case) = case {
            told_of(&case, rules, model, &decided);
        }
        decided
    }

    /// What the client gets of an answer, and whether it wants to know the cost, of which this goes into a header.
    fn reply(
        &self,
        (answer, entry): (Answer, Entry),
        arrival: &Arrival,
        (plan, room): (&Plan, Room),
        (tells_cost, cost): (bool, Option<HeaderValue>),
    ) -> Reply {
        let (mut head, mut body) = relay(answer, arrival, entry, &self.patience);
        if tells_cost {
            body.tell_cost();
        }
        head.headers
            .extend(cost.map(|cost| (telling::HEADER, cost)));
        Reply::Answer(Box::new(Answered {
            head,
            body,
            label: plan.label(),
            room,
        }))
    }
}

fn unanswered(failure: Failure, entry: Entry, plan: &Plan, room: Room) -> Refusal {
    Refusal::Call(Box::new(Unanswered {
        failure,
        entry,
        label: plan.label(),
        room,
    }))
}

/// What is decided without waiting.
fn decide(
    rules: &Rules,
    caller: Caller,
    model: &str,
    asking: Asking<'_>,
) -> Result<(Plan, Limits), Refusal> {
    let plan = served(rules, caller, model, asking)?;
    let limits = limits_of(rules, &plan, asking)?;
    Ok((plan, limits))
}

/// Tells the audit trail that a request for a model was allowed, or denied. Where it is neither, nothing is told.
fn told_of<T>(case: &Case, rules: &Rules, model: &str, decided: &Result<T, Refusal>) {
    let denied = match decided {
        Ok(_) => None,
        Err(why) => match why.denial(rules, case.key()) {
            None => return,
            denied => denied,
        },
    };
    case.tell(What::model(model), denied);
}

/// The limits that count it.
fn limits_of(rules: &Rules, plan: &Plan, asking: Asking<'_>) -> Result<Limits, Refusal> {
    let caller = plan.grant().caller();
    let organization = caller.key().organization;
    let end_user = if rules.asks_end_user(organization) {
        match caller.end_user() {
            Some(said) => Cow::Owned(said.to_owned()),
            None => asking.whose()?,
        }
    } else {
        Cow::Borrowed("")
    };
    Ok(admit::limits(rules, plan, &end_user, asking.at_ms()))
}

/// Where a request for a model goes, and for a version where one is named.
fn served(rules: &Rules, caller: Caller, model: &str, asking: Asking<'_>) -> Result<Plan, Refusal> {
    let (model, sort) = authorize::suffixed(rules, caller.key(), model);
    let grant = authorize::grant(rules, caller, model)?;
    let wanted = (asking.preferences(), sort);
    authorize::prefer(rules, grant.caller().key(), wanted)?;
    let plan = route::plan(rules, grant, asking.sorted(sort))?;
    if asking
        .named
        .is_some_and(|named| named != plan.version().name)
    {
        return Err(Refusal::Version);
    }
    alive(&plan, asking.at_ms())?;
    Ok(plan)
}

#[cfg(test)]
#[path = "pipeline_test.rs"]
mod tests;
