//! An account while it is open: what is known so far, and what that is charged and billed.
//!
//! Knows counts, holds and prices; knows nothing of when it is closed, which the entry around it sees to.

use std::{mem, rc::Rc, sync::Arc};

use dialect::Tokens;
use lifecycle::drain::Phase;
use policy::{
    cost::{self, Cost},
    id::ProviderId,
    price_book::PriceBook,
};
use tokio::sync::mpsc;

use crate::{
    admit::{Permit, guess::Beyond, hold::Hold},
    record::{
        attempt::{Attempt, Missed},
        beside::Beside,
        content::Held,
        finished::Record,
        outcome::{Outcome, UsageSource},
        recorder::Recorder,
        told::{Tally, micros},
        watch::Watch,
    },
    request::Arrival,
    route::Plan,
    tariff::{Billed, Tariff},
};

/// The most tokens of one kind that a request is believed to have used: far beyond any context, and what a limit can
/// count. A provider that claims more is believed this much, because a record with an absurd count would be refused
/// and its request be free.
pub const TOKENS_MAX: u64 = policy::limit::UNITS_MAX;

/// How many failed attempts a record names.
// Full: the next ones are charged and not named.
pub const ATTEMPTS_MAX: usize = 16;

/// What is known of one request so far.
pub(super) struct Open {
    pub(super) record: Record,
    pub(super) hold: Hold,
    /// The room at the provider that was reached, where a limit asks for it.
    pub(super) hold_there: Option<Box<Hold>>,
    pub(super) place: Option<mpsc::OwnedPermit<Record>>,
    pub(super) arrival: Arrival,
    pub(super) input_tokens: u64,
    /// What limits were charged before the end, in tokens and in nano-dollars.
    pub(super) charged: Tokens,
    pub(super) charged_nano: u64,
    /// What is known of the attempt that is under way, if one is.
    pub(super) current: Option<Tally>,
    /// One that is made beside it, or may be.
    pub(super) beside: Option<Rc<Beside>>,
    /// Whom the attempt before reached.
    pub(super) before: (Option<ProviderId>, String),
    /// The organization's own prices, if it has any.
    pub(super) book: Option<Arc<PriceBook>>,
    /// The prices of the target that was reached.
    pub(super) tariff: Option<Tariff>,
    /// What the attempts before were charged, and where the counts come from.
    pub(super) spent: Tokens,
    pub(super) spent_source: Option<UsageSource>,
    /// What of that was settled already, with the limits of models that were asked before: tokens and nano-dollars.
    pub(super) settled: (Tokens, u64),
    pub(super) watch: Watch,
    /// What it and its answer say, where its project keeps that.
    pub(super) content: Option<Box<Held>>,
    pub(super) recorder: Recorder,
}

// === impl Open ===

impl Open {
    pub(super) fn attempt_failed(&mut self, missed: &Missed<'_>) {
        self.watch.missed(&self.recorder.series, missed);
        self.charges(missed);
    }

    /// Charges the attempt that is under way and gives no answer.
    pub(super) fn charges(&mut self, missed: &Missed<'_>) {
        let current = self.current.take();
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
        let billed = tariff.and_then(|it| it.bill(&tokens, self.record.at_ms));
        self.names(missed, (tokens, source), billed);
    }

    /// Adds an attempt that gave no answer to the account.
    pub(super) fn names(
        &mut self,
        missed: &Missed<'_>,
        (tokens, source): (Tokens, Option<UsageSource>),
        billed: Option<Billed>,
    ) {
        if let Some(billed) = billed {
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

    /// What the model that was asked before has used is settled with its limits, or all is given back; this one's hold from here on.
    pub(super) fn turn_to(&mut self, permit: Permit, plan: &Plan) {
        let (mut hold, input_tokens, end_user) = permit.into_hold();
        let over = hold.take_over().into_vec();
        let before = mem::replace(&mut self.hold, hold).of_attempt();
        let rest = self.spent.less(&self.settled.0);
        if rest.total() > 0 {
            let cost = self.cost(None);
            before.settle(&rest, cost.less(self.settled.1));
            self.settled = (self.spent, cost.nano().unwrap_or(self.settled.1));
        } else {
            drop(before);
        }
        let model = plan.grant().model();
        let record = &mut self.record;
        let news = over
            .into_iter()
            .filter(|it| !record.over_limits.contains(it));
        let news: Vec<_> = news.collect();
        record.over_limits.extend(news);
        record.end_user = end_user.or(record.end_user.take());
        (record.model, record.version) = (model.id, plan.version().id);
        record.rollout = plan.rollout();
        self.book = plan.price_book().cloned();
        self.input_tokens = input_tokens;
        self.watch
            .turn_to(&self.recorder.series, (model.id, &model.name));
    }

    pub(super) fn finish(
        mut self,
        outcome: Option<Outcome>,
        usage: impl FnOnce(&mut Self, Outcome) -> (Tokens, UsageSource),
    ) {
        let outcome = outcome.unwrap_or_else(|| match self.recorder.drain.phase() {
            Phase::Over => Outcome::Cut,
            // A copy has no client that could leave.
            _ if self.record.is_copy() => Outcome::Cut,
            _ => Outcome::ClientGone,
        });
        self.abandons_beside();
        let (tokens, usage_source) = usage(&mut self, outcome);
        self.record.cost = self.cost(self.record.served.as_ref());
        let rest = tokens.less(&self.charged);
        if let Some(hold) = self.hold_there.take() {
            let served = self.record.served.as_ref().map(|it| &it.charge);
            let cost = cost::cost(served).less(self.charged_nano);
            hold.settle(&rest.less(&self.spent), cost);
        }
        let (settled, settled_nano) = self.settled;
        let cost = self.record.cost.less(self.charged_nano);
        self.hold
            .settle(&rest.less(&settled), cost.less(settled_nano));
        self.record.outcome = outcome;
        self.record.tokens = tokens;
        self.record.usage_source = usage_source;
        self.record.duration_us = micros(self.arrival.started.elapsed());
        let of = &self.recorder;
        self.watch.finished(&of.measures, &of.series, &self.record);
        if let Some(held) = self.content.take() {
            held.post(&self.record);
        }
        if let Some(place) = self.place.filter(|_| self.recorder.keeps) {
            place.send(self.record);
        }
    }

    /// What is charged beyond what was reserved while the answer comes, where a limit counts what is generated.
    pub(super) fn beyond(&self) -> Option<Beyond> {
        let there = self.hold_there.as_deref().map(Hold::beyond);
        let mut all = [Some(self.hold.beyond()), there].into_iter().flatten();
        all.find(|beyond| beyond.step > 0)
    }

    /// So much has passed: charges the limits for it, and for the next step beyond it, as if the answer ended there. Gives how much
    /// may pass, by our own count, until more is to be charged.
    pub(super) fn top_up(&mut self, tally: Tally) -> Option<u64> {
        let step = u64::from(self.beyond()?.step);
        let guessed = Tokens {
            input: self.input_tokens,
            ..Tokens::default()
        };
        // Many say early what went in, and only in the end what came out.
        let said = tally.tokens.unwrap_or(guessed);
        let mut tokens = said.map(|count| count.min(TOKENS_MAX));
        let passed = tally.output_tokens.max(tokens.output_total());
        let more = passed.saturating_add(step) - tokens.output_total();
        tokens.output = tokens.output.saturating_add(more);
        let tariff = self.tariff.as_ref();
        let billed = tariff.and_then(|it| it.bill(&tokens, self.record.at_ms));
        if let Some(hold) = &self.hold_there {
            hold.top_up(&tokens, self.cost_of(&tokens));
        }
        let cost = self.cost(billed.as_ref());
        let (settled, settled_nano) = self.settled;
        let tokens = self.spent.plus(&tokens).less(&settled);
        self.hold.top_up(&tokens, cost.less(settled_nano));
        Some(tally.output_tokens.saturating_add(step))
    }

    /// What all attempts are charged, and where the counts come from: the least that is true of any of them.
    pub(super) fn usage(&mut self, outcome: Outcome, tally: Tally) -> (Tokens, UsageSource) {
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
    pub(super) fn bill(&mut self, tokens: &Tokens) {
        let tariff = self.tariff.take();
        self.record.served = tariff.and_then(|it| it.bill(tokens, self.record.at_ms));
    }

    /// What the attempt that served cost, in nano-dollars; `None` where it has no price, or used nothing.
    pub(super) fn served_nano(&self) -> Option<u64> {
        let served = self.record.served.as_ref()?;
        cost::cost([&served.charge]).nano()
    }

    /// What these tokens cost of the provider that was reached.
    pub(super) fn cost_of(&self, tokens: &Tokens) -> Cost {
        let billed = self
            .tariff
            .as_ref()
            .and_then(|it| it.bill(tokens, self.record.at_ms));
        cost::cost(billed.as_ref().map(|it| &it.charge))
    }

    /// What all attempts that were billed cost, and this one that served.
    pub(super) fn cost(&self, served: Option<&Billed>) -> Cost {
        let missed = self.record.missed.iter().map(|(_, billed)| billed);
        let billed = missed.chain(served);
        cost::cost(billed.map(|it| &it.charge))
    }

    /// What one attempt is charged. Missing usage is never free: what was sent is charged by our own count.
    pub(super) fn charge(&self, tally: Tally) -> (Tokens, Option<UsageSource>) {
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
    pub(super) fn believed(&self, said: Tokens) -> Tokens {
        let tokens = said.map(|count| count.min(TOKENS_MAX));
        if tokens != said {
            self.recorder.measures.implausible();
        }
        tokens
    }
}
