//! Asks the targets of a plan, in order, until one answers: a [`Plan`] and an [`Entry`] become an [`Answer`].
//!
//! Knows HTTP towards providers; knows nothing of clients. Moves on to the next target as long as nothing of an answer
//! has reached the client: an answer in one piece is committed by its head, a stream by the first of what is generated.

pub mod origin;
pub mod config;
pub mod dial;
pub mod line;
pub mod pool;
pub mod signature;
pub mod client;
pub mod upload;
pub mod switch;
pub mod patience;
pub mod gauge;
pub mod opening;
pub mod answer;
pub mod retries;
pub mod retry_after;
pub mod exchange;
pub mod failure;
pub mod turns;
pub mod message;
mod presenting;
pub mod account;
pub mod hearing;
pub mod telling;
mod again;
mod in_turn;
pub mod hedge;

use std::{cell::RefCell, convert::Infallible, rc::Rc, sync::Arc, task::Context, time::Duration};

use bytes::Bytes;
use dialect::neutral::Dropped;
use egress::Guard;
use futures_util::{
    FutureExt,
    future::{Either, LocalBoxFuture},
};
use http_body_util::Full;
use policy::{by_id::ById, id::ProviderId, provider::Provider};
use rustls::ClientConfig;
use tokio::time::Instant;

use crate::{
    admit::attempts::Attempts,
    elsewhere::Elsewhere,
    fares::Fares,
    in_force::{InForce, mappings::Custom},
    record::Entry,
    request::{Arrival, Request},
    route::{Candidate, Plan},
    translate::{self, Outgoing, Way},
};

pub use self::config::Config;

use self::{
    account::Account,
    answer::Answer,
    client::{Client, Terms},
    exchange::{
        Exchange,
        issuer::{Issuer, Opened},
    },
    failure::Failure,
    hearing::{Heard, Next, Times},
    message::{edit, message},
    origin::Origin,
    presenting::{To, ToPresent, present},
    retries::Retries,
    upload::Upload,
};

/// How many providers' base URLs are kept taken apart.
// Full: all are forgotten, and taken apart anew when they are needed.
const ORIGINS_MAX: usize = 4_096;

/// How long a connection may rest: less than most servers keep theirs, so that few are found closed.
const REST_MAX: Duration = Duration::from_secs(55);

/// One core's way to providers.
pub struct Call {
    client: Rc<Client>,
    exchange: Exchange,
    passing: Client<Upload>,
    first_byte_max: Duration,
    hold_max: Duration,
    idle_max: Duration,
    answer_max: Duration,
    retries: Retries,
    /// Those of copies, which take nothing from the others.
    retries_of_copies: Retries,
    fares: Fares,
    in_force: InForce,
    elsewhere: Elsewhere,
    // Borrowed for one look-up, never over an await.
    origins: RefCell<ById<ProviderId, Known>>,
}

/// A provider as it was when its base URL was taken apart.
type Known = (Arc<Provider>, Rc<Origin>);

/// When a request came, and what reserves room for its attempts, where a limit asks who serves.
pub type With<'a> = (&'a Arrival, Option<&'a Attempts>);

/// A request, what becomes of its answer, and what was left out of it.
type Prepared = (http::Request<Full<Bytes>>, Way, Dropped);

/// A request as a custom provider's program made it, and that provider's mapping.
type Made = (Outgoing, Arc<Custom>);

/// The request as a target gets it, with its credential. What the client can mend has been told before what it cannot.
fn prepared(
    (candidate, origin): (&Candidate, &Origin),
    request: &Request,
    arrival: &Arrival,
    (outgoing, custom): (Outgoing, Option<Arc<Custom>>),
    to_present: ToPresent,
) -> Result<Prepared, Failure> {
    let (mut message, way, dropped) = message(request, origin, outgoing)?;
    if request.requires_parameters() && !dropped.is_empty() {
        return Err(translate::Refusal::Parameters(dropped).into());
    }
    if let Some(recipe) = candidate.recipe() {
        edit(message.headers_mut(), recipe.headers(), request);
    }
    let whole = |body: &Full<Bytes>| body.clone().into_inner().unwrap_or_default();
    let to = To {
        provider: candidate.provider(),
        origin,
        header: custom.as_ref().and_then(|it| it.credential_header.as_ref()),
        now_seconds: arrival.at_ms / 1_000,
    };
    present(&mut message, to_present, &to, whole)?;
    Ok((message, way, dropped))
}

/// A way of its own to servers that are no providers, on the same terms.
pub fn client(config: &Config, tls: Arc<ClientConfig>) -> Client {
    let terms = terms(config, Guard::new(config.private_ranges.clone()));
    Client::new(terms, tls)
}

fn terms(config: &Config, guard: Guard) -> Terms {
    Terms {
        guard,
        connect_max: Duration::from_millis(config.connect_timeout_ms),
        rest_max: REST_MAX,
        resting_max: config.idle_connections_max,
    }
}

/// Says what this module measures.
pub fn describe() {
    metrics::describe_counter!(
        "sluice_attempt_failed_total",
        "Targets that gave no answer, by why"
    );
    metrics::describe_counter!(
        "sluice_retry_denied_total",
        "Second attempts that were not made, because too many had failed at that provider"
    );
    hedge::describe();
}

// === impl Call ===

impl Call {
    /// A way with an empty pool. `tls` may be shared by all cores. What programs make of payloads is made `elsewhere`.
    pub fn new(
        config: &Config,
        tls: Arc<ClientConfig>,
        in_force: InForce,
        fares: Fares,
        elsewhere: Elsewhere,
    ) -> Self {
        let metadata = terms(config, Guard::google_metadata());
        let metadata = Client::new(metadata, Arc::clone(&tls));
        let open = terms(config, Guard::new(config.private_ranges.clone()));
        let client = Rc::new(Client::new(open.clone(), Arc::clone(&tls)));
        let opened = Opened {
            token_folders: config.token_folders.clone(),
            metadata_origins: config.metadata_origins.clone(),
        };
        let issuer = Issuer::new(Rc::clone(&client), metadata, opened);
        Self {
            passing: Client::new(open, tls),
            client,
            exchange: Exchange::new(issuer, Duration::from_millis(config.token_timeout_ms)),
            first_byte_max: Duration::from_millis(config.first_byte_timeout_ms),
            hold_max: Duration::from_millis(config.hold_timeout_ms),
            idle_max: Duration::from_millis(config.idle_timeout_ms),
            answer_max: Duration::from_millis(config.total_timeout_ms),
            retries: Retries::default(),
            retries_of_copies: Retries::default(),
            fares,
            in_force,
            elsewhere,
            origins: RefCell::default(),
        }
    }

    /// The first answer that one of the plan's targets gives, or why the last one that was asked gave none.
    pub fn first_good<'a>(
        &'a self,
        plan: &'a Plan,
        request: &'a Request,
        with: With<'a>,
        entry: &'a mut Entry,
    ) -> impl Future<Output = Result<Answer, Failure>> + 'a {
        match self.hedging(plan, request, entry) {
            None => Either::Left(self.in_turn((plan, request), with, entry, None)),
            // Boxed: rare beside the requests that carry this future's size.
            Some(hedging) => {
                let hedged = self.hedged((plan, request), with, entry, hedging);
                Either::Right(hedged.boxed_local())
            }
        }
    }

    /// Notes that a provider did not take its token, if that is what went wrong.
    pub fn doubt(&self, failure: &Failure, provider: &Provider) {
        if matches!(failure, Failure::CredentialRefused(_)) {
            self.exchange.doubt(provider.id);
        }
    }

    /// Closes connections that have rested too long.
    pub fn sweep(&self, cx: &mut Context<'_>) {
        self.client.sweep(cx);
        self.passing.sweep(cx);
        self.exchange.sweep(cx);
    }

    /// Has tokens renewed before they end. Never ends.
    pub async fn renew(&self) -> Infallible {
        self.exchange.renew().await
    }

    /// How targets fare.
    pub const fn fares(&self) -> &Fares {
        &self.fares
    }

    /// Connections for what is passed through, which are kept apart.
    pub const fn passing(&self) -> &Client<Upload> {
        &self.passing
    }

    /// Whether this provider's credential signs all of a request. One that is exchanged for keys says so, too: it is text
    /// with colons in it, like a pair of keys.
    pub fn signs(&self, provider: &Provider) -> bool {
        let credential = self.in_force.credential(provider.id);
        credential.is_some_and(|it| client::signs(&it.secret, provider.kind))
    }

    async fn attempt<A: Account>(
        &self,
        candidate: &Candidate,
        request: &Request,
        (arrival, attempts): With<'_>,
        entry: &mut A,
    ) -> Result<Answer, Failure> {
        let provider = candidate.provider();
        let origin = self.origin(provider)?;
        // A block, so that nothing of it rides in this future while the provider is waited for.
        let (mut message, way, dropped) = {
            // What may have to be waited for comes in one box: it is rare beside the requests that carry this future.
            let (to_present, made) = match self.at_hand(provider, arrival) {
                Ok(at_hand) if provider.mapping.is_none() => (at_hand, None),
                at_hand => Box::pin(self.awaited(at_hand, candidate, request, arrival)).await?,
            };
            let to = (candidate, &*origin);
            match made {
                None => {
                    let outgoing = translate::outgoing(request, candidate, arrival)?;
                    prepared(to, request, arrival, (outgoing, None), to_present)?
                }
                Some((outgoing, custom)) => {
                    prepared(to, request, arrival, (outgoing, Some(custom)), to_present)?
                }
            }
        };
        let hold = match attempts {
            Some(attempts) => Box::pin(attempts.permit(provider.id)).await?,
            None => None,
        };
        let to = (provider, &*candidate.target().provider_model);
        entry.ready(to, message.headers_mut());
        // Where there is no line, the hold is dropped and its room given back.
        let line = self.client.line(&origin).await.map_err(Failure::from)?;
        entry.reached(provider, &candidate.target().provider_model);
        entry.holds_there(hold);
        let sent = Instant::now();
        let first_by = self.times(arrival, sent).first_by;
        let answer = self.client.send(&origin, line, message, first_by).await;
        let heard = Heard {
            answer: answer.map_err(Failure::from)?,
            way,
            dropped,
            times: self.times(arrival, sent),
        };
        let rest = match heard.next(entry) {
            Next::Passes(answer) => return Ok(answer),
            Next::Waits(rest) => rest,
        };
        rest.await
    }

    /// How long the answer to a request is waited for that was sent then.
    fn times(&self, arrival: &Arrival, sent: Instant) -> Times {
        let whole_by = Instant::from_std(arrival.started) + self.answer_max;
        Times {
            idle_max: self.idle_max,
            first_by: (sent + self.first_byte_max).min(whole_by),
            hold_until: sent + self.hold_max,
            whole_by,
            now_ms: arrival.at_ms,
        }
    }

    /// What is presented to a provider, or, where a token may have to be waited for, its coming. That is boxed: it is rare
    /// beside the requests that carry this future's size.
    fn at_hand<'a>(
        &'a self,
        provider: &'a Provider,
        arrival: &Arrival,
    ) -> Result<ToPresent, LocalBoxFuture<'a, ToPresent>> {
        let Some(credential) = self.in_force.credential(provider.id) else {
            return Ok(ToPresent::Nothing);
        };
        if !credential.is_exchanged() {
            return Ok(ToPresent::Itself(credential));
        }
        let now_seconds = arrival.at_ms / 1_000;
        let coming = async move {
            let token = self.exchange.token(provider, &credential, now_seconds);
            match token.await {
                Ok(token) => ToPresent::Token(credential, token),
                Err(why) => ToPresent::NoToken(Box::new(why)),
            }
        };
        Err(coming.boxed_local())
    }

    /// What is presented once it is there, and the request as a custom provider gets it.
    async fn awaited(
        &self,
        at_hand: Result<ToPresent, LocalBoxFuture<'_, ToPresent>>,
        candidate: &Candidate,
        request: &Request,
        arrival: &Arrival,
    ) -> Result<(ToPresent, Option<Made>), Failure> {
        let to_present = match at_hand {
            Ok(at_hand) => at_hand,
            Err(to_come) => to_come.await,
        };
        let Some(custom) = self.mapping(candidate.provider())? else {
            return Ok((to_present, None));
        };
        let model = &candidate.target().provider_model;
        let outgoing = translate::mapped(request, &custom, model, arrival, &self.elsewhere).await?;
        Ok((to_present, Some((outgoing, custom))))
    }

    /// The mapping of a custom provider; `None` for any other.
    fn mapping(&self, provider: &Arc<Provider>) -> Result<Option<Arc<Custom>>, Failure> {
        if provider.mapping.is_none() {
            return Ok(None);
        }
        let mapping = self.in_force.mapping(provider);
        mapping.ok_or(Failure::Misconfigured("mapping")).map(Some)
    }

    /// Presents the provider's credential, if there is one, once what it is exchanged for is here. `whole` gives the body
    /// where it is signed.
    pub async fn authenticate<B>(
        &self,
        message: &mut http::Request<B>,
        (provider, origin): (&Arc<Provider>, &Origin),
        arrival: &Arrival,
        whole: fn(&B) -> Bytes,
    ) -> Result<(), Failure> {
        let to_present = match self.at_hand(provider, arrival) {
            Ok(at_hand) => at_hand,
            Err(to_come) => to_come.await,
        };
        let custom = self.mapping(provider)?;
        let to = To {
            provider,
            origin,
            header: custom.as_ref().and_then(|it| it.credential_header.as_ref()),
            now_seconds: arrival.at_ms / 1_000,
        };
        present(message, to_present, &to, whole)
    }

    /// The provider's base URL, taken apart once for each revision of the provider.
    pub fn origin(&self, provider: &Arc<Provider>) -> Result<Rc<Origin>, Failure> {
        let mut origins = self.origins.borrow_mut();
        if let Some((known, origin)) = origins.get(&provider.id)
            && Arc::ptr_eq(known, provider)
        {
            return Ok(Rc::clone(origin));
        }
        let origin = Origin::parse(&provider.base_url);
        let origin = Rc::new(origin.map_err(|_| Failure::Misconfigured("base URL"))?);
        if origins.len() >= ORIGINS_MAX {
            origins.clear();
        }
        origins.insert(provider.id, (Arc::clone(provider), Rc::clone(&origin)));
        Ok(origin)
    }
}
