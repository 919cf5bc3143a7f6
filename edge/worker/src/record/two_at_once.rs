//! An account of which two attempts are under way: what is charged for the one that does not serve.
//!
//! What was sent is charged whatever comes of it, also where the client leaves: the account looks after both when it is closed.

use std::{rc::Rc, sync::Arc};

use dialect::Tokens;
use policy::{cost, provider::Provider};

use crate::record::{
    attempt::{ABANDONED, Missed},
    beside::{Beside, Whom},
    entry::Entry,
    open::Open,
};

// === impl Entry ===

impl Entry {
    /// What whoever makes an attempt beside the next one tells of it.
    pub fn asks_beside(&mut self) -> Rc<Beside> {
        let span = self.open.as_ref().and_then(|it| it.watch.beside());
        let beside = Rc::new(Beside::within(span, self.tells_finish()));
        if let Some(open) = &mut self.open {
            open.beside = Some(Rc::clone(&beside));
        }
        beside
    }

    /// The attempt beside gave no answer. It is charged now.
    pub fn beside_failed(&mut self, missed: &Missed<'_>) {
        if let Some(open) = &mut self.open
            && let Some(beside) = open.beside.take()
        {
            open.beside_missed(&beside, missed);
        }
    }

    /// Nobody waits for the attempt beside any more, if there is one. It is charged now.
    pub fn abandons_beside(&mut self) {
        if let Some(open) = &mut self.open {
            open.abandons_beside();
        }
    }

    /// The attempt beside has answered first: nobody waits for the other one, of this provider's model, any more. That is charged now, and
    /// the one beside is the one that is under way.
    pub fn takes_beside(&mut self, (provider, provider_model): (&Arc<Provider>, &str)) {
        let Some(open) = &mut self.open else { return };
        let missed = Missed {
            provider,
            provider_model,
            code: ABANDONED,
            status: 0,
            sent: open.current.is_some(),
            refused: false,
            theirs: false,
        };
        open.watch.outrun(&open.recorder.series, &missed);
        open.charges(&missed);
        self.goes_beside();
    }

    /// The attempt beside is the one that is under way, since there is no other any more.
    pub fn goes_beside(&mut self) {
        let beside = self.open.as_mut().and_then(|it| it.beside.take());
        let (Some(beside), Some(open)) = (beside, &mut self.open) else {
            return;
        };
        let Some(whom) = beside.whom.get() else {
            return;
        };
        open.decides_beside(whom);
        let to = (&whom.provider, whom.provider_model.as_str());
        open.watch.takes(to, beside.span());
        self.reached(to.0, to.1);
        self.holds_there(beside.hold.take());
        self.seen(beside.seen.get());
    }
}

// === impl Open ===

impl Open {
    /// Nobody waits for the attempt beside any more.
    pub(super) fn abandons_beside(&mut self) {
        let Some(beside) = self.beside.take() else {
            return;
        };
        if let Some(whom) = beside.whom.get() {
            let missed = Missed {
                provider: &whom.provider,
                provider_model: &whom.provider_model,
                code: ABANDONED,
                status: 0,
                sent: beside.sent.get(),
                refused: false,
                theirs: false,
            };
            self.beside_missed(&beside, &missed);
        }
    }

    fn beside_missed(&mut self, beside: &Beside, missed: &Missed<'_>) {
        if let Some(whom) = beside.whom.get() {
            self.decides_beside(whom);
        }
        let series = &self.recorder.series;
        self.watch.missed_beside(series, missed, beside.span());
        let seen = beside.seen.get();
        let (tokens, source) = if missed.sent && (!missed.refused || seen.tokens.is_some()) {
            self.charge(seen)
        } else {
            (Tokens::default(), None)
        };
        let tariffs = &self.recorder.tariffs;
        let tariff = tariffs.of(missed.provider, self.book.as_ref(), missed.provider_model);
        let billed = tariff.bill(&tokens, self.record.at_ms);
        // Of one that was not sent, all is given back.
        if let (Some(hold), true) = (beside.hold.take(), missed.sent) {
            hold.settle(&tokens, cost::cost(billed.as_ref().map(|it| &it.charge)));
        }
        self.names(missed, (tokens, source), billed);
    }

    fn decides_beside(&mut self, whom: &Whom) {
        if let Some(decision) = &mut self.record.decision {
            decision.hedges(whom.position, whom.after);
        }
    }
}
