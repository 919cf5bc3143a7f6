//! A reservation, from the asking to the settling: what is demanded of which limits, and what was used in the end.
//!
//! Knows counters; knows nothing of HTTP or providers. A hold is settled exactly once: by whoever takes it, or by `Drop`
//! for what is known then.

use std::{fmt, sync::Arc};

use counters::{Counters, Demand, Reserved, Seats};
use dialect::Tokens;
use policy::{
    applying::Applied,
    cost::Cost,
    id::{CounterId, LimitId},
    limit::{Limit, Mode, UNITS_MAX, Unit},
    money,
};

use crate::{
    admit::{
        division::Division,
        guess::{Beyond, Guess, Surety},
        learned::Lesson,
        room::{self, Room},
        words::Words,
    },
    bequest::Bequest,
    in_force::shares::Shares,
};

/// A reservation that somebody must settle.
pub struct Hold {
    counters: Counters,
    request: counters::Request,
    demands: Vec<Demand>,
    /// The slots of what limits requests that are under way.
    seats: Seats,
    /// Boxed, because it rides in the future of every request.
    rare: Option<Box<Rare>>,
    /// Whether it is for one attempt only, so that a request that is not sent is none.
    of_attempt: bool,
    settled: bool,
    /// What it leaves when this edge is gone. Boxed as above.
    bequest: Option<Box<Bequest>>,
    beyond: Beyond,
}

/// What few requests meet.
#[derive(Default)]
struct Rare {
    /// This region's shares, where one of the limits is held by regions together.
    division: Option<Division>,
    /// The limits that warn or only watch and had no room.
    over: Box<[LimitId]>,
    /// Who learns from what was generated, where it was guessed.
    lesson: Option<Lesson>,
}

/// A limit is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The limit for which it takes longest.
    pub limit: Arc<Limit>,
    /// Whether it is used up, or nobody can tell and it admits nothing then.
    pub why: Why,
    /// When it is worth asking again, in milliseconds; `None` for never.
    pub retry_after_ms: Option<u64>,
    /// What is left of all of them.
    pub room: Room,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The limit is used up.
    UsedUp,
    /// The shared counts cannot be asked.
    Unknown,
    /// It counts money, and nobody knows what the request costs.
    Unpriced,
    /// It is strict, and the request cannot be held to what is reserved for it.
    Unbounded,
    /// It is divided between other regions.
    Elsewhere,
}

/// What stands for an amount that nobody can bound.
const UNBOUNDED: u64 = u64::MAX;

const OVER: &str = "sluice_limits_over_total";

/// When to ask again where nobody can tell, in milliseconds: the counts are looked for about every second.
const UNKNOWN_RETRY_MS: u64 = 1_000;

/// Says what this module measures.
pub fn describe() {
    metrics::describe_counter!(
        OVER,
        "Requests that did not fit a limit which only warns (soft) or watches (shadow)"
    );
}

// === impl Hold ===

impl Hold {
    /// Of nothing yet.
    pub fn new(
        (counters, shares): (Counters, &Arc<Shares>),
        request: counters::Request,
        mut limits: Vec<Applied>,
        guess: Guess,
    ) -> Self {
        if limits.iter().any(|it| it.count.is_slots()) {
            // What is counted otherwise stands in front.
            limits.sort_by_key(|it| it.count.is_slots());
        }
        let grows = limits.iter().any(|it| counts_output(it.limit.unit));
        let divides = limits.iter().any(|it| it.limit.is_shared());
        let demand = |applied: Applied| Demand {
            amount: match guess.surety {
                Surety::Guessed if is_strict(&applied.limit) => UNBOUNDED,
                _ => guess.of(applied.limit.unit),
            },
            applied,
        };
        Self {
            counters,
            request,
            demands: limits.into_iter().map(demand).collect(),
            seats: Seats::default(),
            rare: divides.then(|| {
                Box::new(Rare {
                    division: Some(Division::new(Arc::clone(shares))),
                    ..Rare::default()
                })
            }),
            of_attempt: false,
            settled: false,
            bequest: None,
            beyond: if grows {
                guess.beyond()
            } else {
                Beyond::NOTHING
            },
        }
    }

    /// The same, from which is learned what a request generates.
    pub fn teaching(mut self, lesson: Option<Lesson>) -> Self {
        if lesson.is_some() {
            self.rare.get_or_insert_default().lesson = lesson;
        }
        self
    }

    /// The same, which leaves this when this edge is gone.
    pub fn leaving(mut self, bequest: Option<Box<Bequest>>) -> Self {
        self.bequest = bequest;
        self
    }

    /// The same for one attempt of a request: what is not sent is given back whole.
    pub const fn of_attempt(mut self) -> Self {
        self.of_attempt = true;
        self
    }

    /// Reserves, in all of the limits or in none.
    ///
    /// A client may leave while this waits. The hold is dropped then and settles, which does nothing to a request that
    /// was never admitted.
    pub async fn reserve(&mut self, now_ms: u64) -> Result<Room, Refusal> {
        if self.demands.is_empty() {
            return Ok(Room::default());
        }
        self.insist_on_bounds()?;
        self.insist_on_prices()?;
        self.divide(now_ms)?;
        let (reserved, seats) = self
            .counters
            .admit(&self.request, &self.demands, self.left())
            .await;
        self.seats = seats;
        self.note_asked(&reserved);
        match reserved {
            Reserved::Granted {
                remaining, over, ..
            } => {
                if !over.is_empty() {
                    self.note(&over);
                }
                Ok(Room::of(&self.demands, (&remaining, &over), now_ms))
            }
            Reserved::Unknown { place } => self.unknown(place),
            // Whoever asks a keeper answers for it.
            Reserved::Lacking { .. } => self.unknown(0),
            Reserved::Denied {
                tightest,
                retry_after_ms,
                remaining,
                ..
            } => {
                // Nothing is written on denial, so there is nothing to settle.
                self.settled = true;
                let room = Room::of(&self.demands, (&remaining, &[]), now_ms);
                let tightest = self.demands.get(tightest).or(self.demands.first());
                let Some(tightest) = tightest else {
                    return Ok(room);
                };
                let limit = Arc::clone(&tightest.applied.limit);
                Err(Refusal {
                    retry_after_ms: (!room::is_for_ever(&limit)).then_some(retry_after_ms),
                    limit,
                    why: Why::UsedUp,
                    room,
                })
            }
        }
    }

    fn left(&self) -> &[u8] {
        self.bequest.as_deref().map_or(&[][..], Bequest::bytes)
    }

    /// What can use more than is reserved for it is refused by a strict limit.
    fn insist_on_bounds(&mut self) -> Result<(), Refusal> {
        let unbounded = self.demands.iter().find(|it| it.amount == UNBOUNDED);
        let Some(demand) = unbounded else {
            return Ok(());
        };
        let limit = Arc::clone(&demand.applied.limit);
        Err(self.refused(limit, Why::Unbounded))
    }

    /// What has no price is refused by a limit that counts money, and asks for the least of one that only warns or watches.
    fn insist_on_prices(&mut self) -> Result<(), Refusal> {
        for demand in self.demands.iter_mut().filter(|it| it.amount == 0) {
            if demand.applied.limit.terms.mode.refuses() {
                let limit = Arc::clone(&demand.applied.limit);
                return Err(self.refused(limit, Why::Unpriced));
            }
            demand.amount = 1;
        }
        Ok(())
    }

    /// Nobody can tell how much is left of this demand's limit; nothing is held.
    fn unknown(&mut self, place: usize) -> Result<Room, Refusal> {
        self.settled = true;
        let Some(demand) = self.demands.get(place) else {
            return Ok(Room::default());
        };
        let limit = Arc::clone(&demand.applied.limit);
        Err(Refusal {
            retry_after_ms: Some(UNKNOWN_RETRY_MS),
            ..self.refused(limit, Why::Unknown)
        })
    }

    /// Nobody is asked for room: this limit refuses what no waiting would change, and so nothing is held and nothing to settle.
    fn refused(&mut self, limit: Arc<Limit>, why: Why) -> Refusal {
        self.settled = true;
        Refusal {
            limit,
            why,
            retry_after_ms: None,
            room: Room::default(),
        }
    }

    /// Takes of limits that regions hold together this region's share: the one place where a share is used.
    fn divide(&mut self, now_ms: u64) -> Result<(), Refusal> {
        let rare = self.rare.as_mut();
        let Some(division) = rare.and_then(|rare| rare.division.as_mut()) else {
            return Ok(());
        };
        let Some(limit) = division.divide(&mut self.demands, now_ms) else {
            return Ok(());
        };
        Err(self.refused(limit, Why::Elsewhere))
    }

    fn note_asked(&self, reserved: &Reserved) {
        let rare = self.rare.as_ref();
        let Some(division) = rare.and_then(|rare| rare.division.as_ref()) else {
            return;
        };
        match reserved {
            Reserved::Granted {
                remaining, over, ..
            } => division.note(&self.demands, remaining, (false, over)),
            Reserved::Denied { remaining, .. } => {
                division.note(&self.demands, remaining, (true, &[]));
            }
            Reserved::Unknown { .. } | Reserved::Lacking { .. } => {}
        }
    }

    /// Notes which limits had no room, for the record and for the operator.
    fn note(&mut self, over: &[usize]) {
        let limits = over.iter().filter_map(|place| self.demands.get(*place));
        let limits = limits.map(|demand| {
            let limit = &demand.applied.limit;
            metrics::counter!(OVER, "mode" => limit.terms.mode.word()).increment(1);
            limit.id
        });
        let over = limits.collect();
        self.rare.get_or_insert_default().over = over;
    }

    /// Takes which limits that warn or only watch had no room.
    pub fn take_over(&mut self) -> Box<[LimitId]> {
        let rare = self.rare.as_mut();
        rare.map_or_else(Box::default, |rare| std::mem::take(&mut rare.over))
    }

    /// Applies what was really used: one request, these tokens, and what they cost. Of a cost that nobody knows what was
    /// reserved stays charged.
    pub fn settle(mut self, tokens: &Tokens, cost: Cost) {
        let lesson = self.rare.as_mut().and_then(|it| it.lesson.take());
        if let (Some(lesson), 1..) = (lesson, tokens.output_total()) {
            lesson.learn(tokens.output_total());
        }
        self.apply(1, tokens, cost);
    }

    /// What is charged beyond what was reserved, while the answer still comes.
    pub const fn beyond(&self) -> Beyond {
        self.beyond
    }

    /// The answer goes on, and this is what it is to be charged by now: charges what is more than was reserved and charged before.
    /// Never waits, and never refuses: where there is no room it is a debt.
    pub fn top_up(&self, tokens: &Tokens, cost: Cost) {
        if self.beyond.step > 0 && !self.settled {
            let wanted = self.actuals(1, tokens, cost);
            let raised = self.bequest.as_deref();
            let raised = raised.map(|it| it.raised(tokens, micro_dollars(cost)));
            let raised = raised.as_ref().map_or(&[][..], Bequest::bytes);
            self.counters.top_up(&self.request, &wanted, raised);
        }
    }

    /// Takes the slots of a hold that goes on as this one.
    pub fn take_seats_of(&mut self, before: &mut Self) {
        self.seats.join(std::mem::take(&mut before.seats));
    }

    fn apply(&mut self, requests: u64, tokens: &Tokens, cost: Cost) {
        // The slots are free before anything else is said of the request.
        drop(std::mem::take(&mut self.seats));
        if std::mem::replace(&mut self.settled, true) || self.demands.is_empty() {
            return;
        }
        let actuals = self.actuals(requests, tokens, cost);
        self.counters.settle(&self.request, &actuals);
    }

    /// What this is in the unit of each demand. Of a cost that nobody knows it is what was reserved.
    fn actuals(&self, requests: u64, tokens: &Tokens, cost: Cost) -> Vec<(CounterId, u64)> {
        let actual = |demand: &Demand| match demand.applied.limit.unit {
            Unit::Requests | Unit::ConcurrentRequests => requests,
            Unit::Tokens => tokens.total().min(UNITS_MAX),
            Unit::InputTokens => tokens.input_total().min(UNITS_MAX),
            Unit::OutputTokens => tokens.output_total().min(UNITS_MAX),
            Unit::MicroDollars => micro_dollars(cost).map_or(demand.amount, |it| it.min(UNITS_MAX)),
        };
        let demands = self.demands.iter();
        demands
            .map(|demand| (demand.applied.counter, actual(demand)))
            .collect()
    }

    /// Nothing was sent: gives everything back but the request itself, which was asked.
    fn give_back(&mut self) {
        self.apply(
            u64::from(!self.of_attempt),
            &Tokens::default(),
            Cost::Known(0),
        );
    }
}

/// Whether a limit in this unit counts what is generated.
pub const fn counts_output(unit: Unit) -> bool {
    matches!(unit, Unit::Tokens | Unit::OutputTokens | Unit::MicroDollars)
}

/// Whether a limit holds requests to what was reserved for them: only where they can use more or less.
pub fn is_strict(limit: &Limit) -> bool {
    let varies = !matches!(limit.unit, Unit::Requests | Unit::ConcurrentRequests);
    limit.terms.mode == Mode::Strict && varies
}

/// A cost as limits count it; `None` where nobody knows it.
pub fn micro_dollars(cost: Cost) -> Option<u64> {
    cost.nano().map(money::micro_up)
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Whoever sends something to a provider opens an entry, which settles for itself. Here nothing was sent.
        self.give_back();
    }
}

// === impl Refusal ===

impl Refusal {
    /// Its name in records and metrics: the code that a client gets.
    pub fn code(&self) -> &'static str {
        match self.why {
            Why::UsedUp if self.is_of_slots() => "concurrency_limit_exceeded",
            Why::UsedUp if self.is_of_money() => "budget_exceeded",
            Why::UsedUp => "rate_limit_exceeded",
            Why::Unknown => "limit_unknown",
            Why::Unpriced => "price_unknown",
            Why::Unbounded => "output_unbounded",
            Why::Elsewhere => "limit_elsewhere",
        }
    }

    /// Whether too many requests are under way, rather than too much used.
    pub fn is_of_slots(&self) -> bool {
        self.limit.unit == Unit::ConcurrentRequests
    }

    /// Whether less of what was asked for might have found room: of a limit that counts input, and does not hold to it what it admits.
    pub fn is_of_input(&self) -> bool {
        let counts = matches!(
            self.limit.unit,
            Unit::Tokens | Unit::InputTokens | Unit::MicroDollars
        );
        counts && self.why == Why::UsedUp && !is_strict(&self.limit)
    }

    /// Whether it is money that is used up.
    pub fn is_of_money(&self) -> bool {
        self.limit.unit == Unit::MicroDollars
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.why == Why::Unpriced {
            return write!(
                f,
                "what the request costs is not known, because its model or its path has no price here, and {} counts money; \
                 an operator may give it a price, zero too",
                Words(&self.limit)
            );
        }
        if self.why == Why::Unbounded {
            return write!(
                f,
                "{} is strict, and how much this request may generate cannot be told to its provider: say it in the request \
                 where its endpoint has a member for it, or ask at another endpoint",
                Words(&self.limit)
            );
        }
        if self.why == Why::Unknown {
            return write!(
                f,
                "what is left of {} is not known now, and it admits nothing then",
                Words(&self.limit)
            );
        }
        if self.why == Why::Elsewhere {
            return write!(
                f,
                "{} is held by other regions together, and this one has no share of it; ask in one of them",
                Words(&self.limit)
            );
        }
        write!(f, "{} is used up", Words(&self.limit))?;
        match self.retry_after_ms {
            Some(wait_ms) => write!(f, "; try again in {wait_ms} ms"),
            None => f.write_str(" and does not start again"),
        }
    }
}

impl std::error::Error for Refusal {}
