//! `OpenAI` Chat Completions: fixtures in `tests/fixtures/chat`, written by us after the API's grammar.
//!
//! Knows what means the same in this family; see `same`.

mod same;
mod fold;
mod requests;
mod streams;
mod recordings;
