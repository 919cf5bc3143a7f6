//! The entry of one request: it is told what happens, and closes itself when it is dropped.
//!
//! Knows when an account opens and ends; what it is charged is reckoned in the open account.

use std::{mem, sync::Arc, time::Duration};

use dialect::Tokens;
use http::HeaderMap;
use policy::{cost::Cost, id::ShadowId, provider::Provider};
use shaping::Turn;

use crate::{
    admit::{Permit, hold::Hold},
    cuts::Heard,
    record::{
        attempt::Missed,
        finished::Record,
        open::{ATTEMPTS_MAX, Open},
        outcome::{Outcome, UsageSource},
        recorder::Recorder,
        shadowed::Shadowed,
        told::{Carried, Opening, Tally, micros},
        watch::Watch,
    },
    request::{Arrival, Request, endpoint, tags::Tags},
    route::{Plan, decision::Decision, notes::Why},
};

/// The open account of one request.
pub struct Entry {
    pub(super) open: Option<Box<Open>>,
    // Held for as long as the provider works on it.
    turn: Option<Turn>,
}

// === impl Recorder ===

impl Recorder {
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
            decision: Some(plan.decision()),
            route: plan.told(),
        };
        let keeping = plan.grant().caller().keeping();
        let mut entry = self.open_unread(arrival, permit, opening);
        if let (true, Some(open), Some(shelf)) = (keeping.is_any(), &mut entry.open, &self.shelf) {
            open.content = shelf.hold(keeping, request.body());
        }
        entry
    }

    /// Opens the account of a request that was not read.
    pub fn open_unread(&self, arrival: &Arrival, permit: Permit, mut known: Opening<'_>) -> Entry {
        let place = self.queue.clone().try_reserve_owned().ok();
        if place.is_none() && self.keeps {
            self.measures.lost();
        }
        if let Some(pins) = known.caller.pinned() {
            known.tags = Tags::pinned(known.tags.as_deref(), &pins);
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
            beside: None,
            before: (None, String::new()),
            book: known.book,
            tariff: None,
            spent: Tokens::default(),
            spent_source: None,
            settled: (Tokens::default(), 0),
            watch,
            content: None,
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

    /// The turn of the target at this place of the plan has come, 0 the first.
    pub fn reaches(&mut self, place: usize) {
        if let Some(decision) = self.decision() {
            decision.reaches(place);
        }
    }

    /// The turn of the target at this place of the version has come, and it is passed over.
    pub fn passes_over(&mut self, position: usize, why: Why) {
        if let Some(decision) = self.decision() {
            decision.passes_over(position, why);
        }
    }

    fn decision(&mut self) -> Option<&mut Decision> {
        self.open.as_mut()?.record.decision.as_mut()
    }

    /// It waited so long for a turn at a provider.
    pub fn waited(&mut self, long: Duration) {
        if let Some(open) = &mut self.open {
            open.record.queue_us = open.record.queue_us.saturating_add(micros(long));
            open.watch.waited(long);
        }
    }

    /// It could be sent to this provider now, if there were a connection. Its headers tell of the trace, if there is one.
    pub fn ready(&mut self, to: (&Arc<Provider>, &str), headers: &mut HeaderMap) {
        if let Some(open) = &mut self.open {
            let since = open.arrival.started.elapsed();
            if let Some(ours) = open.watch.ready(&open.recorder.measures, since) {
                open.record.overhead_us = micros(ours).max(1);
            }
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
            open.attempt_failed(&missed);
        }
    }

    /// Another model is asked, since this one gave no answer: what was held for it is settled, and what comes is charged to this
    /// permit. It stays one request with one record.
    pub fn turn_to(&mut self, permit: Permit, plan: &Plan) {
        self.turn = None;
        if let Some(open) = &mut self.open {
            open.turn_to(permit, plan);
        }
    }

    /// Whether a provider was reached.
    pub fn has_reached(&self) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|it| it.record.provider.is_some())
    }

    /// Whether so many attempts have failed as a record names: then no other model is asked, so that what a record can bill holds all.
    pub fn is_full(&self) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|it| it.record.attempts.len() >= ATTEMPTS_MAX)
    }

    /// Whether an attempt that failed was charged.
    pub fn has_spent(&self) -> bool {
        self.open.as_ref().is_some_and(|it| it.spent.total() > 0)
    }

    /// Whether somebody asks why its answer ended: a rollout that assigned its version, or a shadow.
    pub fn tells_finish(&self) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|it| it.record.rollout.is_some() || it.record.shadow.is_some())
    }

    /// A copy of it is asked for this shadow.
    pub fn is_copied_by(&mut self, shadow: ShadowId) {
        if let Some(open) = &mut self.open {
            open.record.shadow = Some(Shadowed {
                shadow,
                copy_of: None,
            });
        }
    }

    /// It is a copy: whoever watches the edge hears nothing of it from here on.
    pub fn becomes_copy(&mut self, of: Shadowed) {
        if let Some(open) = &mut self.open {
            open.record.shadow = Some(of);
            open.watch.look_away();
        }
    }

    /// Whether it is a copy.
    pub fn is_copy(&self) -> bool {
        self.open.as_ref().is_some_and(|it| it.record.is_copy())
    }

    /// Nobody was asked, and there is nothing to tell.
    pub fn forget(mut self) {
        self.open = None;
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

    /// This much of an answer goes to the client.
    pub fn passes(&mut self, bytes: &[u8]) {
        let open = self.open.as_mut();
        if let Some(held) = open.and_then(|it| it.content.as_mut()) {
            held.passes(bytes);
        }
    }

    /// The first byte of an answer's body is here.
    pub fn first_byte(&mut self) {
        if let Some(open) = &mut self.open {
            let waited = open.arrival.started.elapsed();
            open.record.first_byte_us = micros(waited);
            if !open.record.is_copy() {
                open.recorder.measures.first_byte(waited);
            }
        }
    }

    /// How many output tokens the answer may have, by our own count, before more than was reserved is to be charged; none where
    /// a failed attempt was charged already, and [`u64::MAX`] where no limit counts them.
    pub fn reserved_output(&self) -> u64 {
        let beyond = self.open.as_ref().and_then(|open| open.beyond());
        match beyond {
            Some(_) if self.has_spent() => 0,
            Some(beyond) => u64::from(beyond.output),
            None => u64::MAX,
        }
    }

    /// So much of the answer has passed, which is more than limits were charged for: charges it and the next part. Gives how many
    /// output tokens there may be before more is to be charged. Never waits.
    pub fn top_up(&mut self, tally: Tally) -> u64 {
        let open = self.open.as_mut();
        open.and_then(|open| open.top_up(tally)).unwrap_or(u64::MAX)
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
            let turn = self.turn.as_ref().filter(|_| !open.record.is_copy());
            // Of an end that nobody saw nothing is told.
            let turn = turn.filter(|_| outcome.is_some());
            open.finish(outcome, |open, outcome| {
                let used = open.usage(outcome, tally);
                if let Some(turn) = turn {
                    tally.tell(turn, outcome, open.served_nano());
                }
                used
            });
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.finish(None, Tally::default());
    }
}
