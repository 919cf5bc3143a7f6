//! Tokens for credentials that are exchanged: one for each provider and core, kept until shortly before it ends.
//!
//! Knows when a token must be renewed and who waits for it. One exchange at a time for each provider; whoever needs its
//! token waits for that one. A token that is still good serves while the issuer is away. Never shows a secret.

mod moment;
pub mod issued;
pub mod no_token;
pub mod issuer;
mod google;
mod amazon;
mod entra;

use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    rc::Rc,
    sync::Arc,
    task::Context,
    time::Duration,
};

use credential::Form;
use futures_util::{
    FutureExt, StreamExt,
    future::{LocalBoxFuture, Shared},
    stream::FuturesUnordered,
};
use policy::{by_id::ById, id::ProviderId, provider::Provider};
use tokio::{
    select,
    sync::Notify,
    time::{Instant, timeout},
};
use tracing::warn;

use crate::in_force::Credential;

use self::{
    issued::{Given, Issued},
    issuer::Issuer,
    no_token::NoToken,
};

/// How many providers' tokens are kept.
// Full: all are forgotten, and asked for anew when they are needed.
const SLOTS_MAX: usize = 4_096;

/// How long a failure stands before the issuer is asked again: at first, and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(8)];

/// How old a token must be for a provider's refusal to mean that it is no longer good.
const DOUBTED_AFTER: Duration = Duration::from_secs(30);

/// One core's tokens.
pub struct Exchange {
    issuer: Rc<Issuer>,
    time_max: Duration,
    // Borrowed for one look-up, never over an await.
    slots: RefCell<ById<ProviderId, Rc<Slot>>>,
    // Exchanges that have begun and that nobody drives yet: at most one for each slot.
    begun: RefCell<Vec<Flight>>,
    called: Notify,
}

/// An exchange that is under way, for everybody who waits for it.
type Flight = Shared<LocalBoxFuture<'static, Result<Rc<Issued>, NoToken>>>;

/// One provider's credential and what came of it.
struct Slot {
    provider: String,
    credential: Arc<Credential>,
    form: Option<Form>,
    issued: RefCell<Option<Rc<Issued>>>,
    flight: RefCell<Option<Flight>>,
    // Why there was no token, and until when nobody asks again.
    failure: RefCell<Option<(NoToken, Instant)>>,
    failures: Cell<u32>,
    doubted: Cell<bool>,
}

// === impl Exchange ===

impl Exchange {
    /// No tokens yet. An exchange may take `time_max` from first to last.
    pub fn new(issuer: Issuer, time_max: Duration) -> Self {
        Self {
            issuer: Rc::new(issuer),
            time_max,
            slots: RefCell::default(),
            begun: RefCell::default(),
            called: Notify::new(),
        }
    }

    /// A token for a provider's credential: one that is at hand, or else the one that comes next.
    pub async fn token(
        &self,
        provider: &Provider,
        credential: &Arc<Credential>,
        now_seconds: u64,
    ) -> Result<Rc<Issued>, NoToken> {
        let slot = self.slot(provider, credential);
        let now = Instant::now();
        let issued = slot.issued.borrow().clone().filter(|it| it.is_good(now));
        if let Some(issued) = &issued
            && !slot.doubted.get()
            && !issued.is_due(now)
        {
            return Ok(Rc::clone(issued));
        }
        let flight = slot.flight.borrow().clone();
        let flight = match (flight, slot.pause(now)) {
            (Some(flight), _) => flight,
            (None, Some(why)) => return issued.ok_or(why),
            (None, None) => self.begin(&slot, now_seconds),
        };
        match issued {
            Some(issued) => Ok(issued),
            None => flight.await,
        }
    }

    /// Notes that a provider refused its token: the next request has it renewed, unless it is new.
    pub fn doubt(&self, provider: ProviderId) {
        if let Some(slot) = self.slots.borrow().get(&provider)
            && let Some(issued) = &*slot.issued.borrow()
            && issued.age() >= DOUBTED_AFTER
        {
            slot.doubted.set(true);
        }
    }

    /// Drives every exchange to its end, whoever waits for it or no longer does. Never ends.
    pub async fn renew(&self) -> Infallible {
        let mut flights = FuturesUnordered::new();
        loop {
            flights.extend(self.begun.take());
            select! {
                () = self.called.notified() => {}
                Some(_) = flights.next() => {}
            }
        }
    }

    /// Closes connections to issuers that have rested too long.
    pub fn sweep(&self, cx: &mut Context<'_>) {
        self.issuer.sweep(cx);
    }

    fn slot(&self, provider: &Provider, credential: &Arc<Credential>) -> Rc<Slot> {
        let mut slots = self.slots.borrow_mut();
        if let Some(slot) = slots.get(&provider.id)
            && Arc::ptr_eq(&slot.credential, credential)
        {
            return Rc::clone(slot);
        }
        if slots.len() >= SLOTS_MAX {
            slots.clear();
        }
        let slot = Rc::new(Slot::new(provider, credential));
        slots.insert(provider.id, Rc::clone(&slot));
        slot
    }

    fn begin(&self, slot: &Rc<Slot>, now_seconds: u64) -> Flight {
        let (issuer, time_max) = (Rc::clone(&self.issuer), self.time_max);
        let asking = Rc::clone(slot);
        let flight = async move {
            let asked_at = Instant::now();
            let given = timeout(time_max, asking.ask(&issuer, now_seconds)).await;
            let given = given.unwrap_or(Err(NoToken::Slow));
            let landed = given.map(|given| Rc::new(Issued::new(given, asked_at, fastrand::f64())));
            asking.land(&landed);
            landed
        };
        let flight = flight.boxed_local().shared();
        *slot.flight.borrow_mut() = Some(flight.clone());
        self.begun.borrow_mut().push(flight.clone());
        self.called.notify_one();
        flight
    }
}

// === impl Slot ===

impl Slot {
    fn new(provider: &Provider, credential: &Arc<Credential>) -> Self {
        let text = str::from_utf8(&credential.secret).unwrap_or_default();
        let form = credential::read(provider.kind, text, &credential.exchange_origins);
        Self {
            provider: provider.name.clone(),
            credential: Arc::clone(credential),
            form: form.ok(),
            issued: RefCell::default(),
            flight: RefCell::default(),
            failure: RefCell::default(),
            failures: Cell::default(),
            doubted: Cell::default(),
        }
    }

    /// Why nobody asks the issuer now, if nobody does.
    fn pause(&self, now: Instant) -> Option<NoToken> {
        let failure = self.failure.borrow();
        let (why, until) = failure.as_ref()?;
        (now < *until).then(|| why.clone())
    }

    async fn ask(&self, issuer: &Issuer, now_seconds: u64) -> Result<Given, NoToken> {
        let presented_to = &self.credential.allowed_origin;
        match self.form.as_ref().ok_or(NoToken::Unknown)? {
            Form::GoogleAccount(account) => google::account(issuer, account, now_seconds).await,
            Form::GoogleFederated(it) => google::federated(issuer, it, now_seconds).await,
            Form::GoogleMachine(machine) => google::machine(issuer, machine, presented_to).await,
            Form::AmazonRole(role) => amazon::role(issuer, role, presented_to, now_seconds).await,
            Form::EntraApplication(it) => entra::application(issuer, it).await,
        }
    }

    fn land(&self, issued: &Result<Rc<Issued>, NoToken>) {
        *self.flight.borrow_mut() = None;
        let outcome = match issued {
            Ok(issued) => {
                *self.issued.borrow_mut() = Some(Rc::clone(issued));
                *self.failure.borrow_mut() = None;
                self.failures.set(0);
                self.doubted.set(false);
                "issued"
            }
            Err(why) => {
                let failures = self.failures.get();
                self.failures.set(failures.saturating_add(1));
                let [first, last] = PAUSES;
                let pause = first.saturating_mul(1 << failures.min(8)).min(last);
                // Not all cores and edges at once.
                let pause = pause.mul_f64(0.75 + fastrand::f64() / 2.0);
                *self.failure.borrow_mut() = Some((why.clone(), Instant::now() + pause));
                warn!(provider = %self.provider, %why, "no token was issued");
                if why.is_refusal() {
                    "refused"
                } else {
                    "failed"
                }
            }
        };
        metrics::counter!("sluice_token_exchange_total", "outcome" => outcome).increment(1);
    }
}
