//! The account of one request, from the permit to the last byte: a [`Permit`](crate::admit::Permit) becomes an [`Entry`].
//!
//! Knows counts and outcomes; knows nothing of the wire. An entry closes itself when it is dropped, so a request
//! that vanishes is settled and recorded too, and nobody waits for either. What it is charged:
//!
//! | an attempt that was | and ends | is charged |
//! |---|---|---|
//! | not sent | anyhow | nothing: no provider got the request |
//! | [made beside](Entry::asks_beside) another | unheard, because that one answered first | its input, by our count |
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
mod shadowed;
mod finished;
pub mod content;
pub mod line;
mod trace;
mod watch;
mod recorder;
mod beside;
mod open;
mod entry;
mod two_at_once;

pub use self::{
    attempt::{ABANDONED, Attempt, Missed},
    beside::Beside,
    entry::Entry,
    finished::Record,
    open::{ATTEMPTS_MAX, TOKENS_MAX},
    outcome::{Outcome, UsageSource},
    recorder::{RECORDS_MAX, Recorder},
    shadowed::Shadowed,
    told::{Carried, Opening, Tally},
};
