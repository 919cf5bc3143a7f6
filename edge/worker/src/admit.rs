//! Makes sure that there is room: a [`Plan`] gets its [`Permit`].
//!
//! Knows which limits concern a request and guesses what it will use; knows nothing of HTTP or providers. Every
//! reservation made here is settled exactly once, by its [`Hold`].

pub mod room;
pub mod words;
pub mod learned;
pub mod division;
pub mod guess;
pub mod hold;
pub mod attempts;

use std::{rc::Rc, sync::Arc, time::Duration};

use counters::Counters;
use dialect::{Tokens, request::Endpoint};
use policy::{
    applying::{Applied, Asking},
    cost::Cost,
    id::{ModelId, OrganizationId, ProviderId},
    key::Key,
    limit::Unit,
    price_book::PriceBook,
    provider::Provider,
    rules::Rules,
};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    feed::dial::Dialer,
    in_force::shares::Shares,
    recount::Recounter,
    request::{Arrival, Held, Request},
    route::Plan,
    tariff::{self, Tariffs},
};

use self::{
    attempts::{AtProvider, Attempts},
    guess::{Guess, Surety},
    hold::{Hold, Refusal},
    learned::{Learned, Lesson},
    room::Room,
};

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

/// The limits that concern one request.
pub struct Limits {
    all: Vec<Applied>,
    at_providers: Box<[AtProvider]>,
    /// For whom the client asks, where a limit wants to know.
    end_user: Option<Box<str>>,
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
    /// serves it is reserved by its [`Attempts`].
    pub fn permit(
        &self,
        limits: Limits,
        plan: &Plan,
        arrival: &Arrival,
        request: &Request,
    ) -> impl Future<Output = Result<Permit, Refusal>> + use<> {
        let mut guess = self.guess(request);
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
        let key = plan.grant().caller().key();
        self.reserve(limits, key, arrival, (guess, lesson))
    }

    /// Reserves for what is not read before it is sent, by a guess of its tokens.
    pub fn unread(
        &self,
        limits: Limits,
        key: &Key,
        arrival: &Arrival,
        guess: Guess,
    ) -> impl Future<Output = Result<Permit, Refusal>> + use<> {
        self.reserve(limits, key, arrival, (guess, None))
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
        key: &Key,
        arrival: &Arrival,
        (guess, lesson): (Guess, Option<Lesson>),
    ) -> impl Future<Output = Result<Permit, Refusal>> + use<> {
        let request = counters::Request {
            organization: key.organization,
            id: arrival.id.into_bytes(),
        };
        let attempts = (!limits.at_providers.is_empty()).then(|| {
            let at_providers = limits.at_providers;
            Box::new(Attempts::new(
                (self.counters.clone(), Arc::clone(&self.shares)),
                (key.organization, arrival.at_ms),
                at_providers,
                guess,
            ))
        });
        let of = (self.counters.clone(), &self.shares);
        let mut hold = Hold::new(of, request, limits.all, guess).teaching(lesson);
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

/// Every limit that counts what the plan uses.
pub fn limits(rules: &Rules, plan: &Plan, end_user: &str, now_ms: u64) -> Limits {
    let key = plan.grant().caller().key();
    let whose = (&**key, plan.grant().model().id, end_user);
    let candidates = plan.candidates().iter();
    limits_named(rules, whose, candidates.map(|it| it.provider().id), now_ms)
}

/// Every limit that counts what a key uses of a model for an end user, where one of these providers serves it. Requests ask
/// here, and so does whoever explains limits.
pub fn limits_named(
    rules: &Rules,
    (key, model, end_user): (&Key, ModelId, &str),
    providers: impl Iterator<Item = ProviderId>,
    now_ms: u64,
) -> Limits {
    let asking = Asking {
        end_user: Some(end_user),
        ..asking(key, Some(model), now_ms)
    };
    limits_of(rules, &asking, providers)
}

/// Every limit that counts what a key uses where one of these providers is asked for what is not read. It names no end
/// user, save by a token, and mostly no model; limits that ask for what it does not name do not concern it.
pub fn limits_unread(
    rules: &Rules,
    (key, model, end_user): (&Key, Option<ModelId>, Option<&str>),
    providers: impl Iterator<Item = ProviderId>,
    now_ms: u64,
) -> Limits {
    let asking = Asking {
        end_user,
        ..asking(key, model, now_ms)
    };
    limits_of(rules, &asking, providers)
}

/// Those on tokens and money of what is not read and goes on at this provider.
pub fn limits_going_on(
    rules: &Rules,
    (key, model, end_user): (&Key, Option<ModelId>, Option<&str>),
    provider: ProviderId,
    now_ms: u64,
) -> Vec<Applied> {
    let asking = Asking {
        end_user,
        ..asking(key, model, now_ms)
    };
    let mut limits = rules.limits(&asking);
    if rules.asks_provider(key.organization) {
        limits.extend(rules.limits_at(&asking, provider));
    }
    // It is one request still, and has its slots.
    let goes_on = |unit| !matches!(unit, Unit::Requests | Unit::ConcurrentRequests);
    limits.retain(|applied| goes_on(applied.limit.unit));
    limits
}

fn asking(key: &Key, model: Option<ModelId>, now_ms: u64) -> Asking<'_> {
    Asking {
        organization: key.organization,
        project: key.project,
        key_id: &key.key_id,
        model,
        end_user: None,
        now_ms,
    }
}

fn limits_of(
    rules: &Rules,
    asking: &Asking<'_>,
    providers: impl Iterator<Item = ProviderId>,
) -> Limits {
    let at_providers = if rules.asks_provider(asking.organization) {
        attempts::at_providers(rules, providers, asking).into()
    } else {
        Box::default()
    };
    Limits {
        all: rules.limits(asking),
        at_providers,
        end_user: asking.end_user.filter(|it| !it.is_empty()).map(Into::into),
    }
}

// === impl Limits ===

impl Limits {
    /// Whether one of them counts money, so that a price is to be looked up.
    pub fn count_money(&self) -> bool {
        self.each()
            .any(|(_, applied)| applied.limit.unit == Unit::MicroDollars)
    }

    /// Whether one of them counts what is generated.
    fn count_output(&self) -> bool {
        self.each()
            .any(|(_, applied)| hold::counts_output(applied.limit.unit))
    }

    /// Whether one of them holds requests to what was reserved.
    pub fn are_strict(&self) -> bool {
        self.each()
            .any(|(_, applied)| hold::is_strict(&applied.limit))
    }

    /// All of them; those that ask who serves with each provider that may.
    pub fn each(&self) -> impl Iterator<Item = (Option<ProviderId>, &Applied)> {
        let whoever = self.all.iter().map(|applied| (None, applied));
        let there = self.at_providers.iter().flat_map(AtProvider::each);
        whoever.chain(there.map(|(provider, applied)| (Some(provider), applied)))
    }
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
