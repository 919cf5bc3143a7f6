//! What a socket has used: what its events told, and what was counted beside them.
//!
//! Knows events and limits; knows nothing of sockets. An account that is dropped closes itself.

use dialect::{Tokens, openai::realtime::Meter, websocket::frame::Piece};
use lifecycle::clock::Clock;
use policy::cost::Cost;

use crate::{
    admit::{
        self, Admit,
        guess::Guess,
        hold::{self, Hold},
    },
    authorize::{self, UnderWay},
    identify::{Caller, Identify},
    in_force::InForce,
    record::{Carried, Entry, Outcome, UsageSource},
};

/// The account of one socket.
pub struct Account {
    entry: Option<Entry>,
    meter: Meter,
    told: Option<Tokens>,
    new: Option<Tokens>,
}

/// How the key of a socket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is still one, and may be used for this.
    Good,
    /// It is none any more.
    Over,
    /// It is held to something else now.
    Forbidden,
}

/// Whom to ask whether a socket may go on.
pub struct Ask {
    /// Who uses it.
    pub caller: Caller,
    /// For whom, where somebody says.
    pub end_user: Option<Box<str>>,
    /// What it is used for.
    pub under_way: UnderWay,
    /// Tells whether they still may.
    pub identify: Identify,
    /// Which limits there are now.
    pub in_force: InForce,
    /// Whether there is room.
    pub admit: Admit,
    /// What time it is.
    pub clock: Clock,
}

// === impl Account ===

impl Account {
    /// The account that this entry is of.
    pub fn new(entry: Entry) -> Self {
        Self {
            entry: Some(entry),
            meter: Meter::default(),
            told: None,
            new: None,
        }
    }

    /// The client gets this status.
    pub fn answered_with(&mut self, status: u16) {
        if let Some(entry) = &mut self.entry {
            entry.answered(status);
        }
    }

    /// Looks at what the client says.
    pub fn asked(&mut self, piece: &Piece<'_>) {
        self.meter.asked(piece);
    }

    /// Looks at what the provider says.
    pub fn answered(&mut self, piece: &Piece<'_>) {
        if let (true, Some(entry)) = (self.meter.is_silent(), &mut self.entry) {
            entry.first_byte();
        }
        if let Some(tokens) = self.meter.answered(piece) {
            self.told = Some(self.told.unwrap_or_default().plus(&tokens));
            self.new = Some(self.new.unwrap_or_default().plus(&tokens));
        }
    }

    /// What was told since this was asked last.
    pub const fn told(&mut self) -> Option<Tokens> {
        self.new.take()
    }

    /// What this costs.
    pub fn cost_of(&self, used: &Tokens) -> Cost {
        self.entry
            .as_ref()
            .map_or(Cost::Unknown, |entry| entry.cost_of(used))
    }

    /// Charges what was told, and holds room for more.
    pub fn charge(&mut self, used: Tokens, next: Hold) {
        if let Some(entry) = &mut self.entry {
            entry.charge(used, next);
        }
    }

    /// So many bytes have passed.
    pub fn carried(&mut self, request_bytes: u64, answer_bytes: u64) {
        if let Some(entry) = &mut self.entry {
            entry.carried(Carried {
                request_bytes,
                answer_bytes,
                input_tokens: None,
            });
        }
    }

    /// Settles and posts.
    pub fn close(mut self, outcome: Outcome) {
        self.finish(Some(outcome));
    }

    fn finish(&mut self, outcome: Option<Outcome>) {
        let Some(entry) = self.entry.take() else {
            return;
        };
        let (input, output) = self.meter.untold();
        let untold = Tokens {
            input,
            output,
            ..Tokens::default()
        };
        let counted = match self.told {
            // What was asked for and not begun is not billed by whoever tells what is.
            Some(told) if !self.meter.is_generating() => (told, UsageSource::Provider),
            Some(told) => (told.plus(&untold), UsageSource::Partial),
            None if outcome == Some(Outcome::Completed) => (untold, UsageSource::Estimated),
            None => (untold, UsageSource::Partial),
        };
        entry.close_counted(outcome, counted);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.finish(None);
    }
}

// === impl Ask ===

impl Ask {
    /// Whether the key is still one, and may still be used for this.
    pub fn standing(&self) -> Standing {
        let rules = self.in_force.rules();
        let Ok(key) = self.identify.still(&rules, &self.caller) else {
            return Standing::Over;
        };
        match authorize::remain(&rules, &key, &self.under_way) {
            Ok(()) => Standing::Good,
            Err(_) => Standing::Forbidden,
        }
    }

    /// Holds room for as much as was used last, which cost this, in the limits that there are now.
    pub async fn more(&self, used: Tokens, cost: Cost) -> Result<Hold, hold::Refusal> {
        let key = self.caller.key();
        let (model, provider) = self.under_way.serving;
        let now_ms = self.clock.now_ms();
        let whose = (&**key, model, self.end_user.as_deref());
        let rules = self.in_force.rules();
        let limits = admit::limits_going_on(&rules, whose, provider, now_ms);
        drop(rules);
        let output = used.output_total().max(self.admit.output_tokens_default());
        let guess = Guess {
            micro_dollars: hold::micro_dollars(cost),
            ..Guess::unread(used.input_total(), output)
        };
        self.admit.more(limits, key, now_ms, guess).await
    }
}
