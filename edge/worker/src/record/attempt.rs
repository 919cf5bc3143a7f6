//! An attempt that gave no answer, as a record names it and as it is told.
//!
//! Knows words for what went wrong; knows nothing of why.

use std::sync::Arc;

use dialect::Tokens;
use policy::{id::ProviderId, provider::Provider};

/// Nobody waits for it any more: another one beside it has answered, or the client is gone.
pub const ABANDONED: &str = "abandoned";

/// One attempt that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Who was asked.
    pub provider: ProviderId,
    /// The provider's name for the model.
    pub provider_model: String,
    /// Why there was no answer: a code of `docs/errors.md`, `upstream_error` where the provider said why, or [`ABANDONED`].
    pub code: &'static str,
    /// The provider's status; zero where it gave none.
    pub status: u16,
    /// What it was charged; part of the record's counts.
    pub tokens: Tokens,
}

/// An attempt that gave no answer, as whoever made it tells it.
#[derive(Clone, Copy)]
pub struct Missed<'a> {
    /// Who was asked.
    pub provider: &'a Arc<Provider>,
    /// The provider's name for the model; empty where none was named.
    pub provider_model: &'a str,
    /// See [`Attempt::code`].
    pub code: &'static str,
    /// See [`Attempt::status`].
    pub status: u16,
    /// Whether the provider may have begun to work on it.
    pub sent: bool,
    /// Whether the provider answered with an error, and bills nothing unless it says so.
    pub refused: bool,
    /// Whether something is wrong with the provider, or with what we know of it.
    pub theirs: bool,
}
