//! A stream of events: an answer in pieces.
//!
//! The grammar, which every decoder keeps whatever its provider does and every encoder may rely on:
//!
//! ```text
//! Start? (Ping | Usage | part)* Stop(each choice)* Usage? (End | Error Usage?)
//! part = Open Delta* Close          parts of one choice have ascending indices, and do not interleave
//! ```
//!
//! A stream that its provider broke off ends in [`Event::Error`], never in [`Event::End`]. What was used may be told even
//! behind an error: it is counted, and no client hears of it.

use crate::{
    Tokens,
    neutral::{Error, Extra, Stop},
};

/// One step of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The answer begins. Once, before anything else but pings.
    Start {
        /// The provider's id for it; empty where it gives none.
        id: String,
        /// The model, as the provider calls it; empty where it does not say.
        model: String,
        /// When, in seconds since 1970, where the provider says it.
        created_seconds: Option<u64>,
    },
    /// A part begins.
    Open {
        /// Which answer of several.
        choice: u32,
        /// Which part of it.
        part: u32,
        /// What kind of part.
        kind: Kind,
    },
    /// A part goes on.
    Delta {
        /// Which answer of several.
        choice: u32,
        /// Which part of it, which is open.
        part: u32,
        /// By what.
        delta: Delta,
    },
    /// A part ends. The arguments of a tool call that had no delta are `{}`.
    Close {
        /// Which answer of several.
        choice: u32,
        /// Which part of it.
        part: u32,
    },
    /// One answer is whole.
    Stop {
        /// Which answer of several.
        choice: u32,
        /// Why.
        stop: Stop,
    },
    /// What was used so far; each replaces the one before.
    Usage(Tokens),
    /// The provider is alive and has nothing to say.
    Ping,
    /// Something that only its family understands.
    Extra(Extra),
    /// The stream failed. Nothing follows.
    Error(Error),
    /// The stream is whole. Nothing follows.
    End,
}

/// What kind of part begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Words.
    Text,
    /// Thoughts.
    Reasoning,
    /// A call of a tool.
    ToolCall {
        /// The call's id; never empty.
        id: String,
        /// The tool's name.
        name: String,
    },
    /// Words that decline.
    Refusal,
}

/// By what a part grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    /// Words, of text, reasoning or refusal.
    Text(String),
    /// Arguments of a call: a piece of JSON text.
    Arguments(String),
    /// The whole proof of the reasoning that is open. Once, as its last delta.
    Signature(String),
    /// The whole of a reasoning that only its maker can read.
    Redacted(String),
}
