//! Why a program does not compile, or gave no result.
//!
//! Knows the words; decides nothing. What a program itself raised is told as it said it, cut to a bound.

use std::fmt;

use crate::{
    jq::allowance::{Spent, Stopped},
    json,
};

/// Why there is no program, or no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The program is longer than [`crate::jq::SOURCE_BYTES_MAX`].
    SourceTooLong,
    /// The program is not one that we run.
    Source {
        /// The line, from 1.
        line: usize,
        /// The character in it, from 1.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// The input is longer than [`crate::jq::INPUT_BYTES_MAX`], or has more values than a run has steps.
    InputTooLong,
    /// The input is not JSON.
    NotJson(json::Fault),
    /// The program gave no output, where one is wanted.
    NoOutput,
    /// The program gave more than one output.
    SeveralOutputs,
    /// The output is longer than [`crate::jq::OUTPUT_BYTES_MAX`].
    OutputTooLong,
    /// The program raised an error, or did what cannot be done with such a value.
    Raised(String),
    /// The program used up what one run may use.
    Spent(Spent),
    /// The interpreter failed: this is our mistake, and the program should be written another way.
    Broken,
}

/// How much of what a program raised is told, in bytes. Full: it is cut.
pub(crate) const RAISED_BYTES_MAX: usize = 512;

// === impl Fault ===

impl From<Stopped> for Fault {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Spent(spent) => Self::Spent(spent),
            Stopped::Broken => Self::Broken,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceTooLong => f.write_str("the program is too long"),
            Self::Source { line, column, what } => {
                write!(f, "line {line}, column {column}: {what}")
            }
            Self::InputTooLong => f.write_str("the input is too long for a program"),
            Self::NotJson(fault) => write!(f, "the input must be one JSON value: {fault}"),
            Self::NoOutput => f.write_str("the program gave no output: it must give exactly one"),
            Self::SeveralOutputs => {
                f.write_str("the program gave several outputs: it must give exactly one")
            }
            Self::OutputTooLong => f.write_str("the output of the program is too long"),
            Self::Raised(what) => write!(f, "the program raised an error: {what}"),
            Self::Spent(Spent::Steps) => f.write_str("the program took too many steps"),
            Self::Spent(Spent::Stack) => f.write_str("the program calls itself too deeply"),
            Self::Spent(Spent::Depth) => f.write_str("the program nests values too deeply"),
            Self::Spent(Spent::Members) => {
                f.write_str("the program makes an object of too many members")
            }
            Self::Broken => f.write_str("the program cannot be run"),
        }
    }
}

impl std::error::Error for Fault {}
