//! Makes sure that there is room: a [`Plan`] gets its [`Permit`].
//!
//! Knows which limits concern a request and guesses what it will use; knows nothing of HTTP or providers. Every
//! reservation made here is settled exactly once, by its [`Hold`].

pub mod room;
pub mod words;
pub mod learned;
pub mod division;
pub mod giving;
pub mod guess;
pub mod counted;
pub mod hold;
pub mod attempts;
mod concern;

use std::{rc::Rc, sync::Arc, time::Duration};

use counters::Counters;
use dialect::{Tokens, request::Endpoint};
use lifecycle::clock::Clock;
use policy::{
    applying::Applied,
    cost::Cost,
    id::{OrganizationId, ProviderId},
    key::Key,
    price_book::PriceBook,
    provider::Provider,
};
use serde::Deserialize;
use shaping::Lanes;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    bequest::{Bequest, Facts},
    feed::dial::Dialer,
    hints::Teller,
    in_force::{InForce, shares::Shares},
    orphans::{Orphaned, Orphans},
    recount::Recounter,
    request::{Arrival, Held, Request, endpoint},
    route::Plan,
    tariff::{self, Tariffs},
};

pub use self::concern::{Limits, limits, limits_going_on, limits_named, limits_unread};

use self::{
    attempts::Attempts,
    giving::Giver,
    guess::{Guess, Surety},
    hold::{Hold, Refusal},
    learned::{Learned, Lesson},
    room::Room,
};

/// Nobody is to be asked.
const NOBODY: ProviderId = ProviderId::from_bytes([0; 16]);

/// The part of `[limits]` that is about guessing.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Output tokens to reserve for each choice when the client sets no maximum. Default 1,024.
    pub output_tokens_default: u64,
    /// Output tokens to charge at a time, at least, while an answer goes on beyond what was reserved; 0 charges them in the end.
    /// Default 256.
    pub top_up_tokens: u64,
}

/// Gives permits.
#[derive(Clone)]
pub struct Admit {
    counters: Counters,
    shares: Arc<Shares>,
    config: Config,
    tariffs: Rc<Tariffs>,
    learned: Rc<Learned>,
}

/// Proof that room was reserved for one request.
pub struct Permit {
    hold: Hold,
    room: Room,
    input_tokens: u64,
    attempts: Option<Box<Attempts>>,
    end_user: Option<Box<str>>,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            output_tokens_default: 1_024,
            top_up_tokens: 256,
        }
    }
}

// === impl Admit ===

impl Admit {
    /// Reserves in `counters`, of limits that regions hold together what `shares` say; asks `tariffs` what a request will cost.
    pub fn new(
        (counters, shares): (Counters, Arc<Shares>),
        config: Config,
        tariffs: Rc<Tariffs>,
    ) -> Self {
        Self {
            learned: Rc::new(Learned::new(config.output_tokens_default)),
            counters,
            shares,
            config,
            tariffs,
        }
    }

    /// Reserves what the request will probably use, in every limit that counts it, or in none. What depends on who
    /// serves it is reserved by its [`Attempts`]. Where its input was [`counted`], that is taken for the guess of it.
    pub fn permit(
        &self,
        limits: Limits,
        plan: &Plan,
        arrival: &Arrival,
        (request, counted): (&Request, Option<u64>),
    ) -> impl Future<Output = Result<Permit, Refusal>> + use<> {
        let mut guess = self.guess(request);
        guess.input = counted.unwrap_or(guess.input);
        let lesson = if limits.count_output() {
            self.learned(plan, request, &mut guess)
        } else {
            None
        };
        if limits.count_money() {
            let candidates = plan.candidates().iter();
            let targets = candidates.map(|it| (it.provider(), &*it.target().provider_model));
            guess = self.priced(guess, targets, plan.price_book(), arrival.at_ms);
        }
        let caller = plan.grant().caller();
        let first = plan.candidates().first();
        let facts = Facts {
            key: caller.key(),
            previous_secret: caller.by_previous_secret(),
            model: plan.grant().model().id,
            version: plan.version().id,
            provider: first.map_or(NOBODY, |it| it.provider().id),
            endpoint: endpoint::path(request.endpoint()),
            streamed: request.scanned().stream,
            revision: plan.revision(),
        };
        self.reserve(limits, &facts, arrival, (guess, lesson))
    }

    /// Reserves for what is not read before it is sent, by a guess of its tokens.
    pub fn unread(
        &self,
        limits: Limits,
        facts: &Facts<'_>,
        arrival: &Arrival,
        guess: Guess,
    ) -> impl Future<Output = Result<Permit, Refusal>> + use<> {
        self.reserve(limits, facts, arrival, (guess, None))
    }

    /// Reserves once more for what goes on, in limits on tokens and money alone: it is still one request.
    pub async fn more(
        &self,
        limits: Vec<Applied>,
        key: &Key,
        now_ms: u64,
        guess: Guess,
    ) -> Result<Hold, Refusal> {
        let request = counters::Request {
            organization: key.organization,
            id: another_id(now_ms).into_bytes(),
        };
        let of = (self.counters.clone(), &self.shares);
        let mut hold = Hold::new(of, request, limits, guess);
        hold.reserve(now_ms).await?;
        Ok(hold)
    }

    /// Holds a request to what will be reserved for it, where one of its limits is strict. Takes the limits and gives them back,
    /// because the future of a request would keep what it lends.
    pub fn bind(&self, limits: Limits, request: &mut Request) -> Limits {
        if limits.are_strict() {
            request.bind(self.config.output_tokens_default);
        }
        limits
    }

    /// What is left of these limits, in order, where that is told, and who says so. Takes nothing.
    pub async fn look(
        &self,
        organization: OrganizationId,
        limits: &[Applied],
    ) -> (Vec<Option<i64>>, counters::Mode) {
        self.counters.look(organization, limits).await
    }

    /// What has records made of requests whose edge is gone, by whoever takes them here.
    pub fn orphans(&self, outlet: mpsc::Sender<Orphaned>) -> Orphans {
        Orphans::new(self.counters.clone(), outlet)
    }

    /// What tells other edges of targets, by way of the Redis that keeps these counters.
    pub fn teller(&self, state: (Arc<Lanes>, InForce), edge: String) -> Teller {
        Teller::new(self.counters.clone(), state, edge)
    }

    /// What gives back parts of quotas to other regions.
    pub fn giver(&self, in_force: InForce, clock: Clock) -> Giver {
        Giver::new(
            (self.counters.clone(), Arc::clone(&self.shares)),
            in_force,
            clock,
        )
    }

    /// What reads back from the ledger what these counters have forgotten.
    pub fn recounter(&self, dialer: Dialer, every: Duration) -> Recounter {
        Recounter::new(self.counters.clone(), dialer, every)
    }

    /// This region's share of a limit that regions hold together, in millionths, which is put in the place of its amount; `None`
    /// where each region holds it by itself.
    pub fn share(&self, applied: &mut Applied, now_ms: u64) -> Option<u32> {
        let part = self.shares.part(applied, now_ms)?;
        let Some(count) = part.count else {
            return Some(0);
        };
        applied.count = count;
        applied.given = part.given;
        Some(part.millionths)
    }

    /// Output tokens to reserve where nothing says how many there may be.
    pub const fn output_tokens_default(&self) -> u64 {
        self.config.output_tokens_default
    }

    /// Puts together what is asked before it waits, so that the future of a request carries no more than the question.
    fn reserve(
        &self,
        limits: Limits,
        facts: &Facts<'_>,
        arrival: &Arrival,
        (guess, lesson): (Guess, Option<Lesson>),
    ) -> impl Future<Output = Result<Permit, Refusal>> + use<> {
        let organization = facts.key.organization;
        let request = counters::Request {
            organization,
            id: arrival.id.into_bytes(),
        };
        // One record is made of a request, and so one of its reservations leaves what is needed for it.
        let levels = limits.all.iter().any(|it| !it.count.is_slots());
        let left = || Box::new(Bequest::of(arrival, facts, guess.charged()));
        let attempts = (!limits.at_providers.is_empty()).then(|| {
            let at_providers = limits.at_providers;
            Box::new(
                Attempts::new(
                    (self.counters.clone(), Arc::clone(&self.shares)),
                    (organization, arrival.at_ms),
                    at_providers,
                    guess,
                )
                .leaving((!levels).then(left)),
            )
        });
        let of = (self.counters.clone(), &self.shares);
        let hold = Hold::new(of, request, limits.all, guess).leaving(levels.then(left));
        let mut hold = hold.teaching(lesson);
        let (now_ms, input_tokens) = (arrival.at_ms, guess.input);
        let end_user = limits.end_user;
        async move {
            let room = hold.reserve(now_ms).await?;
            Ok(Permit {
                hold,
                room,
                input_tokens,
                attempts,
                end_user,
            })
        }
    }

    /// What the request will probably use.
    pub fn guess(&self, request: &Request) -> Guess {
        let guessed = Guess {
            input: request.input_tokens_estimate(),
            output: self.output_tokens(request),
            micro_dollars: None,
            surety: Surety::Guessed,
            top_up: self.config.top_up_tokens,
        };
        match request.held() {
            Some(Held::To(ceiling)) => Guess {
                input: request.input_tokens_most(),
                output: ceiling.all,
                surety: Surety::Most,
                ..guessed
            },
            Some(Held::Unbounded) | None => guessed,
        }
    }

    /// Guesses the output of a request that says nothing of it by what those before it had, and tells who learns from this one.
    fn learned(&self, plan: &Plan, request: &Request, guess: &mut Guess) -> Option<Lesson> {
        let scanned = request.scanned();
        let says = scanned.output_tokens_max.is_some() || request.held().is_some();
        if says || guess.output == 0 {
            return None;
        }
        let (key, model) = (plan.grant().caller().key(), plan.grant().model().id);
        let choices = scanned.choices.max(1);
        let (each, lesson) = self.learned.guess(&key.key_id, model, choices);
        guess.output = each.saturating_mul(choices);
        Some(lesson)
    }

    /// The guess with what it costs at the dearest of these targets, at the usual tier: as uncached input, and of a request that is
    /// held to it as the dearest kind of input.
    pub fn priced<'a>(
        &self,
        guess: Guess,
        targets: impl IntoIterator<Item = (&'a Arc<Provider>, &'a str)>,
        book: Option<&Arc<PriceBook>>,
        at_ms: u64,
    ) -> Guess {
        let input = guess.input;
        let rest = Tokens {
            output: guess.output,
            ..Tokens::default()
        };
        let uncached = Tokens { input, ..rest };
        let kept = Tokens {
            cache_write: input,
            ..rest
        };
        let kept_long = Tokens {
            cache_write_hour: input,
            ..rest
        };
        let all = [uncached, kept, kept_long];
        let kinds = match guess.surety {
            Surety::Guessed => &all[..1],
            Surety::Most => &all,
        };
        let nano = tariff::dearest(&self.tariffs, targets, book, (kinds, at_ms));
        let cost = nano.map_or(Cost::Unknown, Cost::Known);
        Guess {
            micro_dollars: hold::micro_dollars(cost),
            ..guess
        }
    }

    /// The most output tokens that a client asked for, or a guess; none where nothing is generated.
    fn output_tokens(&self, request: &Request) -> u64 {
        let endpoint = request.endpoint();
        if matches!(endpoint, Endpoint::Embeddings | Endpoint::Infer) || endpoint.counts() {
            return 0;
        }
        let scanned = request.scanned();
        let each = scanned
            .output_tokens_max
            .unwrap_or(self.config.output_tokens_default);
        each.saturating_mul(scanned.choices.max(1))
    }
}

/// An id by which counters tell one more reservation of a request from those before it.
pub fn another_id(now_ms: u64) -> Uuid {
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    uuid::Builder::from_unix_timestamp_millis(now_ms, &random).into_uuid()
}

// === impl Permit ===

impl Permit {
    /// Takes what is left of the limits, for whoever shows it.
    pub fn take_room(&mut self) -> Room {
        std::mem::take(&mut self.room)
    }

    /// Takes the permit apart, for whoever settles it: the reservation, the guess of its input tokens, and for whom the
    /// client asked, as far as a limit wanted to know.
    pub fn into_hold(self) -> (Hold, u64, Option<Box<str>>) {
        (self.hold, self.input_tokens, self.end_user)
    }

    /// Takes what reserves room at each provider that is tried; `None` where no limit asks.
    pub fn take_attempts(&mut self) -> Option<Box<Attempts>> {
        self.attempts.take()
    }
}
