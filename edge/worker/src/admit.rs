//! Makes sure that there is room: a [`Plan`] gets its [`Permit`].
//!
//! Knows limits and counters; knows nothing of HTTP or providers. Every reservation made here is settled exactly
//! once: by whoever takes its [`Hold`], or by `Drop` for what is known then.

pub mod room;

use std::{fmt, sync::Arc};

use counters::{Counters, Demand, Reserved};
use dialect::{estimate, request::Endpoint};
use policy::{
    id::LimitId,
    limit::{Limit, Scope, UNITS_MAX, Unit},
    rules::Rules,
};
use serde::Deserialize;

use crate::{
    request::{Arrival, Request},
    route::Plan,
};

use self::room::Room;

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

/// Proof that room was reserved for one request.
pub struct Permit {
    hold: Hold,
    room: Room,
    input_tokens: u64,
}

/// A reservation that somebody must settle.
pub struct Hold {
    counters: Counters,
    request: counters::Request,
    demands: Vec<Demand>,
    settled: bool,
}

/// A limit is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the limit counts.
    pub unit: Unit,
    /// When it is worth asking again, in milliseconds.
    pub retry_after_ms: u64,
    /// What is left of all of them.
    pub room: Room,
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

    /// Reserves what the request will probably use, in every limit that counts it, or in none.
    pub async fn permit(
        &self,
        limits: Vec<Arc<Limit>>,
        plan: &Plan,
        arrival: &Arrival,
        request: &Request,
    ) -> Result<Permit, Refusal> {
        let input_tokens = input_tokens(request);
        let tokens = self.tokens(request);
        let mut hold = Hold {
            counters: self.counters.clone(),
            request: counters::Request {
                organization: plan.grant().caller().key().organization,
                id: arrival.id.into_bytes(),
            },
            demands: limits
                .into_iter()
                .map(|limit| demand(limit, tokens))
                .collect(),
            settled: false,
        };
        if hold.demands.is_empty() {
            return Ok(Permit {
                hold,
                room: Room::default(),
                input_tokens,
            });
        }
        // A client may leave while this waits. The hold is dropped then and settles, which does nothing to a
        // request that was never admitted.
        match self.counters.reserve(&hold.request, &hold.demands).await {
            Reserved::Granted { remaining, .. } => {
                let room = Room::of(&hold.demands, &remaining);
                Ok(Permit {
                    hold,
                    room,
                    input_tokens,
                })
            }
            Reserved::Denied {
                tightest,
                retry_after_ms,
                remaining,
            } => {
                // Nothing is written on denial, so there is nothing to settle.
                hold.settled = true;
                let unit = hold
                    .demands
                    .get(tightest)
                    .map_or(Unit::Requests, |it| it.limit.unit);
                let room = Room::of(&hold.demands, &remaining);
                Err(Refusal {
                    unit,
                    retry_after_ms,
                    room,
                })
            }
        }
    }

    /// How many tokens the request will probably use.
    pub fn tokens(&self, request: &Request) -> u64 {
        input_tokens(request)
            .saturating_add(self.output_tokens(request))
            .clamp(1, UNITS_MAX)
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

fn input_tokens(request: &Request) -> u64 {
    estimate::request_tokens(request.body().len(), request.scanned().embedded)
}

/// Every limit that counts what the plan uses: of its key, its project and its organization.
pub fn limits(rules: &Rules, plan: &Plan) -> Vec<Arc<Limit>> {
    let key = plan.grant().caller().key();
    let scopes = [
        Scope::Key(key.key_id.clone()),
        Scope::Project(key.project),
        Scope::Organization(key.organization),
    ];
    scopes
        .iter()
        .flat_map(|scope| rules.limits(scope))
        .map(Arc::clone)
        .collect()
}

fn demand(limit: Arc<Limit>, tokens: u64) -> Demand {
    let amount = match limit.unit {
        Unit::Requests => 1,
        Unit::Tokens => tokens,
    };
    Demand { limit, amount }
}

// === impl Permit ===

impl Permit {
    /// What is left of the limits.
    pub const fn room(&self) -> &Room {
        &self.room
    }

    /// Takes the permit apart, for whoever settles it: the reservation and the guess of its input tokens.
    pub fn into_hold(self) -> (Hold, u64) {
        (self.hold, self.input_tokens)
    }
}

// === impl Hold ===

impl Hold {
    /// Applies what was really used: one request, and this many tokens.
    pub fn settle(mut self, tokens: u64) {
        self.apply(tokens);
    }

    fn apply(&mut self, tokens: u64) {
        if std::mem::replace(&mut self.settled, true) || self.demands.is_empty() {
            return;
        }
        let actual = |demand: &Demand| match demand.limit.unit {
            Unit::Requests => 1,
            Unit::Tokens => tokens.min(UNITS_MAX),
        };
        let actuals: Vec<(LimitId, u64)> = self
            .demands
            .iter()
            .map(|demand| (demand.limit.id, actual(demand)))
            .collect();
        self.counters.settle(&self.request, &actuals);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Whoever sends something to a provider opens an entry, which settles for itself. Here nothing was sent.
        self.apply(0);
    }
}

// === impl Refusal ===

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Requests => "requests",
            Unit::Tokens => "tokens",
        };
        write!(
            f,
            "a limit on {unit} is used up; try again in {} ms",
            self.retry_after_ms
        )
    }
}

impl std::error::Error for Refusal {}
