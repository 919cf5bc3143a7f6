//! The account of one request, from the permit to the last byte: a [`Permit`] becomes an [`Entry`].
//!
//! Knows counts and outcomes; knows nothing of the wire. An entry closes itself when it is dropped, so a request
//! that vanishes is settled and recorded too, and nobody waits for either. What it is charged:
//!
//! | an attempt that was | and ends | is charged |
//! |---|---|---|
//! | not sent | anyhow | nothing: no provider got the request |
//! | [reached](Entry::reached) | without an answer | its input, by our count |
//! | refused: an error was the answer | anyhow | what the provider says, otherwise nothing |
//! | answered | with the provider's counts | those, each up to [`TOKENS_MAX`] |
//! | answered | without them, whole or cut short | its input and what has passed of the output, by our count |
//!
//! A request that went from target to target is charged the sum of its attempts.

pub mod measures;
mod outcome;
mod attempt;
mod told;
mod finished;
pub mod line;
mod trace;
mod watch;

use std::{mem, rc::Rc, sync::Arc, time::Duration};

use dialect::Tokens;
use http::HeaderMap;
use lifecycle::drain::{Drain, Phase};
use policy::{
    cost::{self, Cost},
    id::ProviderId,
    price_book::PriceBook,
    provider::Provider,
};
use shaping::Turn;
use tokio::sync::mpsc;

use crate::{
    admit::{Permit, hold::Hold},
    cuts::{Cuts, Heard},
    request::{Arrival, Request, endpoint},
    route::Plan,
    series::Series,
    tariff::{Billed, Tariff, Tariffs},
};

pub use self::{
    attempt::{Attempt, Missed},
    finished::Record,
    outcome::{Outcome, UsageSource},
    told::{Carried, Opening, Tally},
};
use self::{measures::Measures, told::micros, watch::Watch};

/// How many records may wait to be reported.
// Full: the record is lost and counted as lost; the limits are settled all the same.
pub const RECORDS_MAX: usize = 65_536;

/// The most tokens of one kind that a request is believed to have used: far beyond any context, and what a limit can
/// count. A provider that claims more is believed this much, because a record with an absurd count would be refused
/// and its request be free.
pub const TOKENS_MAX: u64 = policy::limit::UNITS_MAX;

/// How many failed attempts a record names.
// Full: the next ones are charged and not named.
pub const ATTEMPTS_MAX: usize = 16;

/// Opens entries. One for each core.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Record>,
    drain: Drain,
    cuts: Rc<Cuts>,
    measures: Rc<Measures>,
    tariffs: Rc<Tariffs>,
    series: Rc<Series>,
}

/// The open account of one request.
pub struct Entry {
    open: Option<Box<Open>>,
    // Held for as long as the provider works on it.
    turn: Option<Turn>,
}

struct Open {
    record: Record,
    hold: Hold,
    /// The room at the provider that was reached, where a limit asks for it.
    hold_there: Option<Box<Hold>>,
    place: Option<mpsc::OwnedPermit<Record>>,
    arrival: Arrival,
    input_tokens: u64,
    /// What limits were charged before the end, in tokens and in nano-dollars.
    charged: Tokens,
    charged_nano: u64,
    /// What is known of the attempt that is under way, if one is.
    current: Option<Tally>,
    /// Whom the attempt before reached.
    before: (Option<ProviderId>, String),
    /// The organization's own prices, if it has any.
    book: Option<Arc<PriceBook>>,
    /// The prices of the target that was reached.
    tariff: Option<Tariff>,
    /// What the attempts before were charged, and where the counts come from.
    spent: Tokens,
    spent_source: Option<UsageSource>,
    watch: Watch,
    recorder: Recorder,
}

// === impl Recorder ===

impl Recorder {
    /// Posts to `queue`. Asks `drain` whether a request that vanishes was cut by us, `cuts` which is to be, and `tariffs`
    /// what it costs; counts in `series`.
    pub fn new(
        queue: mpsc::Sender<Record>,
        drain: Drain,
        cuts: Rc<Cuts>,
        (tariffs, series): (Rc<Tariffs>, Rc<Series>),
    ) -> Self {
        Self {
            queue,
            drain,
            cuts,
            measures: Rc::new(Measures::register()),
            tariffs,
            series,
        }
    }

    /// Opens the account of a request. Takes its place in the queue now, so that closing cannot find it full.
    pub fn open(&self, arrival: &Arrival, permit: Permit, plan: &Plan, request: &Request) -> Entry {
        let opening = Opening {
            caller: plan.grant().caller(),
            model: plan.grant().model().id,
            model_name: &plan.grant().model().name,
            read_after: Some(request.read_after()),
            version: plan.version().id,
            rollout: plan.rollout(),
            endpoint: endpoint::path(request.endpoint()),
            streamed: request.scanned().stream,
            revision: plan.revision(),
            book: plan.price_book().cloned(),
            tags: request.tags().cloned().map(Box::new),
            decision: plan.told(),
        };
        self.open_unread(arrival, permit, opening)
    }

    /// Opens the account of a request that was not read.
    pub fn open_unread(&self, arrival: &Arrival, permit: Permit, mut known: Opening<'_>) -> Entry {
        let place = self.queue.clone().try_reserve_owned().ok();
        if place.is_none() {
            self.measures.lost();
        }
        let mut record = Record::begun(arrival, &mut known);
        let (mut hold, input_tokens, end_user) = permit.into_hold();
        (record.over_limits, record.end_user) = (hold.take_over().into_vec(), end_user);
        let watch = Watch::new(&self.series, (arrival, &record), &known);
        let (arrival, recorder) = (*arrival, self.clone());
        let open = Open {
            record,
            hold,
            hold_there: None,
            place,
            arrival,
            input_tokens,
            charged: Tokens::default(),
            charged_nano: 0,
            current: None,
            before: (None, String::new()),
            book: known.book,
            tariff: None,
            spent: Tokens::default(),
            spent_source: None,
            watch,
            recorder,
        };
        // Boxed, because it rides in the future of every request.
        Entry {
            open: Some(Box::new(open)),
            turn: None,
        }
    }
}

// === impl Entry ===

impl Entry {
    /// The request is about to be sent to this provider, under its name for the model, which is empty where none is named;
    /// from now on it may cost.
    pub fn reached(&mut self, provider: &Arc<Provider>, provider_model: &str) {
        if let Some(open) = &mut self.open {
            let of = &open.recorder;
            open.watch.reached(&of.series, (provider, provider_model));
            open.tariff = Some(of.tariffs.of(provider, open.book.as_ref(), provider_model));
            let record = &mut open.record;
            let provider = record.provider.replace(provider.id);
            let model = provider_model.to_owned();
            open.before = (provider, mem::replace(&mut record.provider_model, model));
            open.current = Some(Tally::default());
        }
    }

    /// It waited so long for a turn at a provider.
    pub fn waited(&mut self, long: Duration) {
        if let Some(open) = &mut self.open {
            open.watch.waited(long);
        }
    }

    /// It could be sent to this provider now, if there were a connection. Its headers tell of the trace, if there is one.
    pub fn ready(&mut self, to: (&Arc<Provider>, &str), headers: &mut HeaderMap) {
        if let Some(open) = &mut self.open {
            let since = open.arrival.started.elapsed();
            open.watch.ready(&open.recorder.measures, since);
            open.watch.attempt(to, headers);
        }
    }

    /// Takes the room at the provider that is about to be reached, to settle it with the rest.
    pub fn holds_there(&mut self, hold: Option<Box<Hold>>) {
        if let (Some(open), Some(mut hold)) = (&mut self.open, hold) {
            open.record.over_limits.extend(hold.take_over());
            open.hold_there = Some(hold);
        }
    }

    /// The provider works on it in this turn, which is over with the account.
    pub fn goes_on(&mut self, turn: Turn) {
        self.turn = Some(turn);
    }

    /// What has been seen of the attempt that is under way. Counts if nobody says more.
    pub fn seen(&mut self, tally: Tally) {
        if let Some(current) = self.open.as_mut().and_then(|open| open.current.as_mut()) {
            *current = tally;
        }
    }

    /// This much has passed.
    pub fn carried(&mut self, carried: Carried) {
        if let Some(open) = &mut self.open {
            open.record.request_bytes = carried.request_bytes;
            open.record.answer_bytes = carried.answer_bytes;
            open.input_tokens = carried.input_tokens.unwrap_or(open.input_tokens);
        }
    }

    /// So much was used so far, and there is room for more: charges it, and holds `next` from now on, at the provider too.
    /// It is one request still, and keeps its slots.
    pub fn charge(&mut self, used: Tokens, mut next: Hold) {
        if let Some(open) = &mut self.open {
            let tokens = open.believed(used);
            let cost = open.cost_of(&tokens);
            open.charged = open.charged.plus(&tokens);
            open.charged_nano += cost.nano().unwrap_or(0);
            if let Some(mut hold) = open.hold_there.take() {
                next.take_seats_of(&mut hold);
                hold.settle(&tokens, cost);
            }
            next.take_seats_of(&mut open.hold);
            mem::replace(&mut open.hold, next).settle(&tokens, cost);
        }
    }

    /// What these tokens alone cost of the provider that was reached.
    pub fn cost_of(&self, used: &Tokens) -> Cost {
        self.open
            .as_deref()
            .map_or(Cost::Unknown, |open| open.cost_of(used))
    }

    /// What it costs if the attempt that is under way is the last one and has used this.
    pub fn cost_with(&self, tally: Tally) -> Cost {
        let billed = |open: &Open| {
            let (tokens, _) = open.charge(tally);
            let tariff = open.tariff.as_ref();
            let served = tariff.and_then(|it| it.bill(&tokens, open.record.at_ms));
            open.cost(served.as_ref())
        };
        self.open.as_deref().map_or(Cost::Unknown, billed)
    }

    /// The attempt gave no answer. It is charged now, whatever comes next.
    pub fn attempt_failed(&mut self, missed: Missed<'_>) {
        if let Some(open) = &mut self.open {
            open.attempt_failed(missed);
        }
    }

    /// Whether an attempt that failed was charged.
    pub fn has_spent(&self) -> bool {
        self.open.as_ref().is_some_and(|it| it.spent.total() > 0)
    }

    /// Whether a rollout assigned its version, and asks how it ended.
    pub fn is_of_rollout(&self) -> bool {
        (self.open.as_ref()).is_some_and(|it| it.record.rollout.is_some())
    }

    /// The client gets this status.
    pub fn answered(&mut self, status: u16) {
        if let Some(open) = &mut self.open {
            open.record.status = status;
        }
    }

    /// No provider has answered, and the client gets this status. Closes the entry.
    pub fn failed(mut self, status: u16, outcome: Outcome) {
        self.answered(status);
        self.finish(Some(outcome), Tally::default());
    }

    /// Whether what still comes is to be cut, because its key was revoked so. Asks again only when there is news.
    pub fn is_cut(&self, heard: &mut Heard) -> bool {
        self.open.as_ref().is_some_and(|open| {
            let cuts = &open.recorder.cuts;
            cuts.is_news(heard, &open.record.key_id)
        })
    }

    /// The first byte of an answer's body is here.
    pub fn first_byte(&mut self) {
        if let Some(open) = &mut self.open {
            let waited = open.arrival.started.elapsed();
            open.record.first_byte_us = micros(waited);
            open.recorder.measures.first_byte(waited);
        }
    }

    /// Settles and posts.
    pub fn close(mut self, outcome: Outcome, tally: Tally) {
        self.finish(Some(outcome), tally);
    }

    /// Settles and posts a request whose end nobody saw: the client is gone, or we have cut it.
    pub fn abandon(mut self, tally: Tally) {
        self.finish(None, tally);
    }

    /// Settles and posts what was counted elsewhere; `outcome` is `None` where nobody saw the end.
    pub fn close_counted(mut self, outcome: Option<Outcome>, counted: (Tokens, UsageSource)) {
        if let Some(open) = self.open.take() {
            open.finish(outcome, |open, _| {
                let tokens = open.believed(counted.0);
                open.bill(&tokens);
                (tokens, counted.1)
            });
        }
    }

    fn finish(&mut self, outcome: Option<Outcome>, tally: Tally) {
        if let Some(open) = self.open.take() {
            if let (Some(outcome), Some(turn)) = (outcome, &self.turn) {
                tally.tell(turn, outcome);
            }
            open.finish(outcome, |open, outcome| open.usage(outcome, tally));
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.finish(None, Tally::default());
    }
}

// === impl Open ===

impl Open {
    fn attempt_failed(&mut self, missed: Missed<'_>) {
        let current = self.current.take();
        self.watch.missed(&self.recorder.series, &missed);
        if current.is_some() && !missed.sent {
            (self.record.provider, self.record.provider_model) = mem::take(&mut self.before);
        }
        let (tokens, source) = match current.filter(|_| missed.sent) {
            Some(tally) if !missed.refused || tally.tokens.is_some() => self.charge(tally),
            _ => (Tokens::default(), None),
        };
        // Of one that was not sent, all is given back.
        if let (Some(hold), true) = (self.hold_there.take(), missed.sent) {
            hold.settle(&tokens, self.cost_of(&tokens));
        }
        let tariff = self.tariff.take();
        if let Some(billed) = tariff.and_then(|it| it.bill(&tokens, self.record.at_ms)) {
            let model = missed.provider_model.to_owned();
            self.record.missed.push((model, billed));
        }
        self.spent = self.spent.plus(&tokens);
        self.spent_source = self.spent_source.max(source);
        if self.record.attempts.len() < ATTEMPTS_MAX {
            self.record.attempts.push(Attempt {
                provider: missed.provider.id,
                provider_model: missed.provider_model.to_owned(),
                code: missed.code,
                status: missed.status,
                tokens,
            });
        }
    }

    fn finish(
        mut self,
        outcome: Option<Outcome>,
        usage: impl FnOnce(&mut Self, Outcome) -> (Tokens, UsageSource),
    ) {
        let outcome = outcome.unwrap_or_else(|| match self.recorder.drain.phase() {
            Phase::Over => Outcome::Cut,
            _ => Outcome::ClientGone,
        });
        let (tokens, usage_source) = usage(&mut self, outcome);
        self.record.cost = self.cost(self.record.served.as_ref());
        let rest = tokens.less(&self.charged);
        if let Some(hold) = self.hold_there.take() {
            let served = self.record.served.as_ref().map(|it| &it.charge);
            let cost = cost::cost(served).less(self.charged_nano);
            hold.settle(&rest.less(&self.spent), cost);
        }
        self.hold
            .settle(&rest, self.record.cost.less(self.charged_nano));
        self.record.outcome = outcome;
        self.record.tokens = tokens;
        self.record.usage_source = usage_source;
        self.record.duration_us = micros(self.arrival.started.elapsed());
        let of = &self.recorder;
        self.watch.finished(&of.measures, &of.series, &self.record);
        if let Some(place) = self.place {
            place.send(self.record);
        }
    }

    /// What all attempts are charged, and where the counts come from: the least that is true of any of them.
    fn usage(&mut self, outcome: Outcome, tally: Tally) -> (Tokens, UsageSource) {
        self.record.finish = tally.finish;
        let (mut tokens, mut source) = (Tokens::default(), None);
        if let Some(seen) = self.current.take() {
            (tokens, source) = self.charge(Tally {
                tokens: tally.tokens.or(seen.tokens),
                output_tokens: tally.output_tokens.max(seen.output_tokens),
                ..tally
            });
            self.bill(&tokens);
        }
        let usage_source = match source.max(self.spent_source) {
            Some(UsageSource::Provider) => UsageSource::Provider,
            _ if outcome == Outcome::Completed => UsageSource::Estimated,
            _ => UsageSource::Partial,
        };
        let tokens = self.spent.plus(&tokens);
        (tokens.map(|count| count.min(TOKENS_MAX)), usage_source)
    }

    /// Bills what the attempt that is under way used.
    fn bill(&mut self, tokens: &Tokens) {
        let tariff = self.tariff.take();
        self.record.served = tariff.and_then(|it| it.bill(tokens, self.record.at_ms));
    }

    /// What these tokens cost of the provider that was reached.
    fn cost_of(&self, tokens: &Tokens) -> Cost {
        let tariff = self.tariff.as_ref();
        let billed = tariff.and_then(|it| it.bill(tokens, self.record.at_ms));
        cost::cost(billed.as_ref().map(|it| &it.charge))
    }

    /// What all attempts that were billed cost, and this one that served.
    fn cost(&self, served: Option<&Billed>) -> Cost {
        let missed = self.record.missed.iter().map(|(_, billed)| billed);
        let billed = missed.chain(served);
        cost::cost(billed.map(|it| &it.charge))
    }

    /// What one attempt is charged. Missing usage is never free: what was sent is charged by our own count.
    fn charge(&self, tally: Tally) -> (Tokens, Option<UsageSource>) {
        if let Some(tokens) = tally.tokens {
            return (self.believed(tokens), Some(UsageSource::Provider));
        }
        let tokens = Tokens {
            input: self.input_tokens,
            output: tally.output_tokens,
            ..Tokens::default()
        };
        (tokens, Some(UsageSource::Estimated))
    }

    /// What a provider says, each count cut to [`TOKENS_MAX`].
    fn believed(&self, said: Tokens) -> Tokens {
        let tokens = said.map(|count| count.min(TOKENS_MAX));
        if tokens != said {
            self.recorder.measures.implausible();
        }
        tokens
    }
}
