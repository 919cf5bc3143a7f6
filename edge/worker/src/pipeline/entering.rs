//! Who asks a model what, before the body is read; or what can be told at once.
//!
//! Knows the head of a request and who sent it. Whoever is denied here stands in the audit trail without a model, save where the path
//! names one.

use std::{net::IpAddr, ops::ControlFlow, sync::Arc};

use dialect::inference::server;
use futures_util::{
    FutureExt,
    future::{Either, LocalBoxFuture, Ready, ready},
};
use http::request::Parts;
use hyper::body::Incoming;
use policy::{key::Key, rules::Rules};

use crate::{
    asking::Asking,
    authorize,
    identify::{self, Caller},
    label::alive,
    pipeline::{
        Pipeline, Refusal, served,
        told::{about_server, list_models, one_model},
    },
    request::{
        self, Arrival, Head, Keep, address,
        endpoint::{self, Asked, Endpoint},
    },
    trail::{Case, What},
};

/// A body that can be told at once, or who asks a model what, with what comes of the body, and the case of it.
pub(super) type Entered =
    ControlFlow<Vec<u8>, (Caller, Asked, (Head, Incoming), Option<Box<Case>>)>;

/// Who enters: at once, or when the keys of a token's issuer have come. That is boxed: it is rare beside the requests that
/// carry this future's size.
pub(super) type Entering<'a> =
    Either<Ready<Result<Entered, Refusal>>, LocalBoxFuture<'a, Result<Entered, Refusal>>>;

// === impl Pipeline ===

impl Pipeline {
    /// Who asks a model what; or what can be told at once. Apart, so that no request carries its head to its end.
    pub(super) fn enter<'a>(
        &'a self,
        rules: &Arc<Rules>,
        arrival: &Arrival,
        (parts, incoming): (Parts, Incoming),
    ) -> Entering<'a> {
        let client = address::client(arrival.peer, &parts.headers, &self.bounds.trusted_proxies);
        let keep = Keep {
            whose: rules.any_asks_whose(),
            spare: rules.copies_headers(),
        };
        let head = match Head::read(parts, keep) {
            Ok(head) => head,
            Err(refusal) => return Either::Left(ready(Err(refusal.into()))),
        };
        if *head.endpoint() == Endpoint::TokenIssuers {
            let told = self.in_force.issuers().told(&self.bounds.public_url);
            let told = told.ok_or(request::Refusal::UnknownPath);
            let told = told.map(ControlFlow::Break).map_err(Refusal::from);
            return Either::Left(ready(told));
        }
        if matches!(head.endpoint(), Endpoint::Own(_)) {
            let body = (incoming, &self.bodies);
            let rules = Arc::clone(rules);
            let told = self.own.tell(&self.identify, rules, (head, client), body);
            let told = told.map(|told| told.map(ControlFlow::Break).map_err(Refusal::from));
            return Either::Right(told.boxed_local());
        }
        let from = (*arrival, client);
        let why = match self.identify.caller(rules, head.proof()) {
            Err(why) if why.may_turn() => why,
            caller => {
                let entered = self.admitted(rules, caller, from, (head, incoming));
                return Either::Left(ready(entered));
            }
        };
        let rules = Arc::clone(rules);
        let coming = async move {
            let refreshed = self.identify.awaited(why, head.proof().text).await;
            let again = || self.identify.caller(&rules, head.proof());
            let caller = if refreshed { again() } else { Err(why) };
            self.admitted(&rules, caller, from, (head, incoming))
        };
        Either::Right(coming.boxed_local())
    }

    /// What a caller enters for, or what it can be told at once.
    fn admitted(
        &self,
        rules: &Rules,
        caller: Result<Caller, identify::Refusal>,
        (arrival, client): (Arrival, Option<IpAddr>),
        (head, incoming): (Head, Incoming),
    ) -> Result<Entered, Refusal> {
        let Endpoint::Inference(asked) = head.endpoint() else {
            let told = at_once(rules, (caller?, client, arrival.at_ms), head.endpoint());
            return told.map(ControlFlow::Break);
        };
        let case = |key: &Arc<Key>| {
            let endpoint = endpoint::path(asked.inference);
            self.trail.case(rules, key, (&arrival, client), endpoint)
        };
        let caller = match caller {
            Ok(caller) => caller,
            Err(why) => {
                let key = self.identify.in_vain(why, head.proof().text);
                let case = key.and_then(|key| case(&key));
                return Err(denied(case, rules, asked, why.into()));
            }
        };
        let case = case(caller.key());
        match authorize::enter(caller.key(), client, head.endpoint().word()) {
            Ok(()) => {
                let asked = asked.clone();
                Ok(ControlFlow::Continue((
                    caller,
                    asked,
                    (head, incoming),
                    case,
                )))
            }
            Err(why) => Err(denied(case, rules, asked, why.into())),
        }
    }
}

/// What is told at once.
fn at_once(
    rules: &Rules,
    (caller, client, now_ms): (Caller, Option<IpAddr>, u64),
    endpoint: &Endpoint,
) -> Result<Vec<u8>, Refusal> {
    authorize::enter(caller.key(), client, endpoint.word())?;
    Ok(match endpoint {
        Endpoint::Models(listed) => list_models((rules, now_ms), &caller, listed),
        Endpoint::Model(model) => one_model((rules, now_ms), caller, model)?,
        Endpoint::Server(what) => about_server(*what),
        // They were told before, or are no matter of this.
        Endpoint::TokenIssuers | Endpoint::Own(_) | Endpoint::Inference(_) => {
            return Err(request::Refusal::UnknownPath.into());
        }
        Endpoint::Ready { model, version } => {
            let plan = served(rules, caller, model, Asking::named(version.as_deref()))?;
            alive(&plan, now_ms)?;
            server::model_ready(model)
        }
    })
}

/// Tells the audit trail of somebody who is denied before the body is read.
fn denied(case: Option<Box<Case>>, rules: &Rules, asked: &Asked, why: Refusal) -> Refusal {
    if let Some(case) = case
        && let Some(word) = why.denial(rules, case.key())
    {
        let what = asked.model.as_deref().map_or(What::Unread, What::model);
        case.tell(what, Some(word));
    }
    why
}
