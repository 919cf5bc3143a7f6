//! Makes sure that there is room: a [`Plan`] gets its [`Permit`].
//!
//! Knows limits and counters; knows nothing of HTTP or providers. Every reservation made here is settled exactly
//! once: by whoever takes its [`Hold`], or by `Drop` for what is known then.

pub mod room;

use std::{fmt, sync::Arc};

use counters::{Counters, Demand, Reserved};
use dialect::request::Endpoint;
use policy::{
    id::{LimitId, OrganizationId},
    key::Key,
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
#[derive(Clone)]
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
        let input_tokens = request.input_tokens_estimate();
        let tokens = self.tokens(request);
        let organization = plan.grant().caller().key().organization;
        let hold = self.hold(organization, arrival.id, limits, tokens);
        self.reserve(hold, input_tokens).await
    }

    /// Reserves for what is not read before it is sent, by a guess of its tokens: in and out.
    pub async fn unread(
        &self,
        limits: Vec<Arc<Limit>>,
        key: &Key,
        arrival: &Arrival,
        (input_tokens, output_tokens): (u64, u64),
    ) -> Result<Permit, Refusal> {
        let tokens = input_tokens
            .saturating_add(output_tokens)
            .clamp(1, UNITS_MAX);
        let hold = self.hold(key.organization, arrival.id, limits, tokens);
        self.reserve(hold, input_tokens).await
    }

    /// Reserves once more for what goes on, in the limits on tokens alone: it is still one request.
    pub async fn more(
        &self,
        mut limits: Vec<Arc<Limit>>,
        key: &Key,
        now_ms: u64,
        tokens: u64,
    ) -> Result<Hold, Refusal> {
        limits.retain(|limit| limit.unit == Unit::Tokens);
        let mut random = [0; 10];
        fastrand::fill(&mut random);
        let id = uuid::Builder::from_unix_timestamp_millis(now_ms, &random).into_uuid();
        let hold = self.hold(key.organization, id, limits, tokens.clamp(1, UNITS_MAX));
        Ok(self.reserve(hold, 0).await?.hold)
    }

    /// Output tokens to reserve where nothing says how many there may be.
    pub const fn output_tokens_default(&self) -> u64 {
        self.config.output_tokens_default
    }

    fn hold(
        &self,
        organization: OrganizationId,
        id: uuid::Uuid,
        limits: Vec<Arc<Limit>>,
        tokens: u64,
    ) -> Hold {
        Hold {
            counters: self.counters.clone(),
            request: counters::Request {
                organization,
                id: id.into_bytes(),
            },
            demands: limits
                .into_iter()
                .map(|limit| demand(limit, tokens))
                .collect(),
            settled: false,
        }
    }

    async fn reserve(&self, mut hold: Hold, input_tokens: u64) -> Result<Permit, Refusal> {
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
        request
            .input_tokens_estimate()
            .saturating_add(self.output_tokens(request))
            .clamp(1, UNITS_MAX)
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

/// Every limit that counts what the plan uses: of its key, its project and its organization.
pub fn limits(rules: &Rules, plan: &Plan) -> Vec<Arc<Limit>> {
    limits_of(rules, plan.grant().caller().key())
}

/// Every limit that counts what a key uses.
pub fn limits_of(rules: &Rules, key: &Key) -> Vec<Arc<Limit>> {
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
