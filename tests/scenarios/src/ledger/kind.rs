//! The outcomes that a request can have, and how a client asks for each.
//!
//! Each has a key of its own, so that what is counted of it is known by its key.

use serde_json::{Value, json};

use crate::ledger::counts::Price;

/// What befalls a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Answered in one piece.
    Whole,
    /// Answered in a stream.
    Streamed,
    /// At a price that makes fractions of a nano-dollar.
    Fractions,
    /// In Anthropic's API, with a cache that is read and written, less a discount.
    Messages,
    /// In OpenAI's API, by Anthropic's model.
    Translated,
    /// In OpenAI's newer API.
    Responses,
    /// The first target fails with an error, the second answers.
    Fallback,
    /// Every target fails with an error.
    Failing,
    /// Beyond what the key may ask.
    Refused,
    /// A stream that never says what it used.
    Silent,
    /// The first target's stream breaks off before a word, the second answers.
    Broken,
    /// The client hangs up in the middle.
    HungUp,
    /// A stream that brings more than a strict limit holds it to.
    Ceiling,
    /// While connections to Redis break.
    Severed,
    /// At an edge that is killed now and then.
    Killed,
}

/// How a client asks.
#[derive(Debug, Clone)]
pub struct Question {
    /// The path.
    pub path: &'static str,
    /// The body.
    pub body: String,
}

/// What an answer is held to where its limit is strict, in tokens.
pub const CEILING: i64 = 8;

/// How many requests a key of the refused may make.
pub const REFUSED_AFTER: i64 = 3;

/// What stands in a question whose answer is never to end.
pub const NEVER: &str = "never";

/// gpt-4o, as it is published.
const GPT_4O: Price = Price {
    input: 2_500_000_000,
    cached: 1_250_000_000,
    written: 0,
    output: 10_000_000_000,
    off: 0,
};

/// claude-sonnet-4-5, as it is published, less [`OFF`].
const CLAUDE: Price = Price {
    input: 3_000_000_000,
    cached: 300_000_000,
    written: 3_750_000_000,
    output: 15_000_000_000,
    off: OFF,
};

/// A price of the organization's own.
pub const OWN: Price = Price {
    input: 1_234_567,
    cached: 1_234_567,
    written: 0,
    output: 7_654_321,
    off: 0,
};

/// What is off at Anthropic, in hundredths of a percent.
pub const OFF: i64 = 825;

// === impl Kind ===

impl Kind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Whole,
        Self::Streamed,
        Self::Fractions,
        Self::Messages,
        Self::Translated,
        Self::Responses,
        Self::Fallback,
        Self::Failing,
        Self::Refused,
        Self::Silent,
        Self::Broken,
        Self::HungUp,
        Self::Ceiling,
        Self::Severed,
        Self::Killed,
    ];

    /// All but the last two, so that what is charged in full when an edge or its way to Redis breaks touches those alone.
    pub const UNHARMED: [Self; 13] = {
        let mut kinds = [Self::Whole; 13];
        let mut at = 0;
        while at < kinds.len() {
            kinds[at] = Self::ALL[at];
            at += 1;
        }
        kinds
    };

    /// Its place in [`Self::ALL`].
    pub const fn place(self) -> usize {
        self as usize
    }

    /// What a question says of it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Streamed => "streamed",
            Self::Fractions => "fractions",
            Self::Messages => "messages",
            Self::Translated => "translated",
            Self::Responses => "responses",
            Self::Fallback => "fallback",
            Self::Failing => "failing",
            Self::Refused => "refused",
            Self::Silent => "silent",
            Self::Broken => "broken",
            Self::HungUp => "hung-up",
            Self::Ceiling => "ceiling",
            Self::Severed => "severed",
            Self::Killed => "killed",
        }
    }

    /// Why what is recorded of it differs from what the provider served; `None` where nothing may differ.
    pub const fn cause(self) -> Option<&'static str> {
        match self {
            Self::Silent => Some("provider told nothing: estimated"),
            Self::Broken => Some("first attempt broke off: its input estimated"),
            Self::HungUp => Some("client hung up: what passed, estimated"),
            Self::Ceiling => Some("ended at the ceiling: what passed, estimated"),
            Self::Killed => Some("edge killed: no record"),
            _ => None,
        }
    }

    /// The model's public name.
    pub const fn model(self) -> &'static str {
        match self {
            Self::Fractions => "odd",
            Self::Messages | Self::Translated => "claude",
            Self::Fallback | Self::Broken => "backed",
            Self::Failing => "unlucky",
            _ => "fine",
        }
    }

    /// What it costs.
    pub const fn price(self) -> Price {
        match self {
            Self::Fractions => OWN,
            Self::Messages | Self::Translated => CLAUDE,
            _ => GPT_4O,
        }
    }

    /// The status that its client may see at the `n`th question; what may be refused can have one of two.
    pub const fn is_expected(self, status: u16) -> bool {
        match self {
            Self::Failing => matches!(status, 400 | 500 | 502),
            Self::Refused => matches!(status, 200 | 429),
            _ => status == 200,
        }
    }

    fn is_streamed(self, n: usize) -> bool {
        match self {
            Self::Whole => false,
            Self::Streamed
            | Self::Translated
            | Self::Silent
            | Self::Broken
            | Self::HungUp
            | Self::Ceiling => true,
            _ => n.is_multiple_of(2),
        }
    }

    /// The `n`th question; `never` asks for an answer that does not end.
    pub fn question(self, n: usize, never: bool) -> Question {
        let streamed = never || self.is_streamed(n);
        let never = if never { NEVER } else { "" };
        // Of different lengths, because what is estimated hangs on them.
        let padding = "pad ".repeat(n % 23);
        let text = format!("kind={} n={n} {never}. {padding}", self.word());
        let most = if self == Self::Ceiling { CEILING } else { 64 };
        let messages = json!([{"role": "user", "content": text}]);
        let (path, mut body) = match self {
            Self::Messages => (
                "/v1/messages",
                json!({"max_tokens": most, "messages": messages}),
            ),
            Self::Responses => (
                "/v1/responses",
                json!({"max_output_tokens": most, "input": text}),
            ),
            _ => (
                "/v1/chat/completions",
                json!({"max_completion_tokens": most, "messages": messages}),
            ),
        };
        body["model"] = Value::from(self.model());
        body["stream"] = Value::from(streamed);
        let body = body.to_string();
        Question { path, body }
    }

    /// The kind and the number that a body asks for, and whether it never ends.
    pub fn read(body: &str) -> Option<(Self, usize, bool)> {
        let rest = body.split("kind=").nth(1)?;
        let (word, rest) = rest.split_once(" n=")?;
        let kind = Self::ALL.into_iter().find(|it| it.word() == word)?;
        let (n, rest) = rest.split_once(' ')?;
        Some((kind, n.parse().ok()?, rest.starts_with(NEVER)))
    }
}
