//! Makes sure that there is room: a [`Plan`] gets its [`Permit`].
//!
//! Knows which limits concern a request and guesses what it will use; knows nothing of HTTP or providers. Every
//! reservation made here is settled exactly once, by its [`Hold`].

pub mod room;
pub mod words;
pub mod hold;
pub mod attempts;

use counters::Counters;
use dialect::{estimate, request::Endpoint};
use policy::{
    applying::{Applied, Asking},
    rules::Rules,
};
use serde::Deserialize;

use crate::{
    request::{Arrival, Request},
    route::Plan,
};

use self::{
    attempts::{AtProvider, Attempts},
    hold::{Guess, Hold, Refusal},
    room::Room,
};

/// The part of `[limits]` that is about guessing.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Output tokens to reserve for each choice when the client sets no maximum. Default 1,024.
    pub output_tokens_default: u64,
}

/// Gives permits.
pub struct Admit {
    counters: Counters,
    config: Config,
}

/// The limits that concern one request.
pub struct Limits {
    all: Vec<Applied>,
    at_providers: Box<[AtProvider]>,
}

/// Proof that room was reserved for one request.
pub struct Permit {
    hold: Hold,
    room: Room,
    input_tokens: u64,
    attempts: Option<Box<Attempts>>,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            output_tokens_default: 1_024,
        }
    }
}

// === impl Admit ===

impl Admit {
    /// Reserves in `counters`.
    pub const fn new(counters: Counters, config: Config) -> Self {
        Self { counters, config }
    }

    /// Reserves what the request will probably use, in every limit that counts it, or in none. What depends on who
    /// serves it is reserved by its [`Attempts`].
    pub async fn permit(
        &self,
        limits: Limits,
        plan: &Plan,
        arrival: &Arrival,
        request: &Request,
    ) -> Result<Permit, Refusal> {
        let embedded = request.scanned().embedded;
        let guess = Guess {
            input: estimate::request_tokens(request.body().len(), embedded),
            output: self.output_tokens(request),
        };
        let organization = plan.grant().caller().key().organization;
        let request = counters::Request {
            organization,
            id: arrival.id.into_bytes(),
        };
        let attempts = (!limits.at_providers.is_empty()).then(|| {
            let at_providers = limits.at_providers;
            Box::new(Attempts::new(
                self.counters.clone(),
                (organization, arrival.at_ms),
                at_providers,
                guess,
            ))
        });
        let mut hold = Hold::new(self.counters.clone(), request, limits.all, guess);
        let room = hold.reserve(arrival.at_ms).await?;
        Ok(Permit {
            hold,
            room,
            input_tokens: guess.input,
            attempts,
        })
    }

    /// The most output tokens that a client asked for, or a guess; none where nothing is generated.
    fn output_tokens(&self, request: &Request) -> u64 {
        if request.endpoint() == Endpoint::Embeddings || request.endpoint().counts() {
            return 0;
        }
        let scanned = request.scanned();
        let each = scanned
            .output_tokens_max
            .unwrap_or(self.config.output_tokens_default);
        each.saturating_mul(scanned.choices.max(1))
    }
}

/// Every limit that counts what the plan uses.
pub fn limits(rules: &Rules, plan: &Plan, end_user: &str, now_ms: u64) -> Limits {
    let key = plan.grant().caller().key();
    let asking = Asking {
        organization: key.organization,
        project: key.project,
        key_id: &key.key_id,
        model: plan.grant().model().id,
        end_user,
        now_ms,
    };
    let at_providers = if rules.asks_provider(key.organization) {
        attempts::at_providers(rules, plan, &asking).into()
    } else {
        Box::default()
    };
    Limits {
        all: rules.limits(&asking),
        at_providers,
    }
}

// === impl Permit ===

impl Permit {
    /// Takes what is left of the limits, for whoever shows it.
    pub fn take_room(&mut self) -> Room {
        std::mem::take(&mut self.room)
    }

    /// Takes the permit apart, for whoever settles it: the reservation and the guess of its input tokens.
    pub fn into_hold(self) -> (Hold, u64) {
        (self.hold, self.input_tokens)
    }

    /// Takes what reserves room at each provider that is tried; `None` where no limit asks.
    pub fn take_attempts(&mut self) -> Option<Box<Attempts>> {
        self.attempts.take()
    }
}
