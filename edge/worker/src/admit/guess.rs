//! A guess of what a request will use, before it is sent.
//!
//! Knows numbers and units; knows nothing of how they are guessed, or of where they are counted.

use policy::limit::{UNITS_MAX, Unit};

use crate::bequest::Charged;

/// What a request will probably use.
#[derive(Debug, Clone, Copy)]
pub struct Guess {
    /// Input tokens.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Millionths of a dollar; `None` where some target has no price, and where nobody asked.
    pub micro_dollars: Option<u64>,
    /// How sure it is.
    pub surety: Surety,
    /// How many output tokens are charged at a time where it uses more, at least; zero where that is charged in the end.
    pub top_up: u64,
}

/// How sure a guess is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surety {
    /// A request may use more.
    Guessed,
    /// It is held to this.
    Most,
}

/// What is charged of an answer that goes on beyond what was reserved for it, in output tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beyond {
    /// What was reserved.
    pub output: u32,
    /// How many are charged at a time; zero where none are.
    pub step: u32,
}

// === impl Guess ===

impl Guess {
    /// Of what is not read before it is sent: so many tokens in and out. What uses nothing is sure.
    pub const fn unread(input: u64, output: u64) -> Self {
        let surety = match (input, output) {
            (0, 0) => Surety::Most,
            _ => Surety::Guessed,
        };
        Self {
            input,
            output,
            micro_dollars: None,
            surety,
            top_up: 0,
        }
    }

    /// All tokens.
    pub const fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// How much of a limit in this unit. A request that is counted in tokens or money takes at least one; zero stands for what
    /// has no price.
    pub fn of(self, unit: Unit) -> u64 {
        let amount = match unit {
            Unit::Requests | Unit::ConcurrentRequests => 1,
            Unit::Tokens => self.input.saturating_add(self.output),
            Unit::InputTokens => self.input,
            Unit::OutputTokens => self.output,
            Unit::MicroDollars => match self.micro_dollars {
                Some(micro_dollars) => micro_dollars,
                None => return 0,
            },
        };
        amount.clamp(1, UNITS_MAX)
    }

    /// What is charged for it, where limits count it.
    pub fn charged(self) -> Charged {
        Charged {
            input: self.input.min(UNITS_MAX),
            output: self.output.min(UNITS_MAX),
            micro_dollars: self.micro_dollars.map(|it| it.clamp(1, UNITS_MAX)),
        }
    }

    /// What is charged while more is generated: at least `top_up`, and a quarter of what was guessed where that is more, so that a
    /// long answer is few charges. What is held to its guess generates no more.
    pub fn beyond(&self) -> Beyond {
        if self.top_up == 0 || self.surety == Surety::Most {
            return Beyond::NOTHING;
        }
        let small = |tokens: u64| u32::try_from(tokens.min(UNITS_MAX)).unwrap_or(u32::MAX);
        Beyond {
            output: small(self.output),
            step: small(self.top_up.max(self.output / 4)),
        }
    }
}

// === impl Beyond ===

impl Beyond {
    /// Nothing is charged before the end.
    pub const NOTHING: Self = Self { output: 0, step: 0 };
}
