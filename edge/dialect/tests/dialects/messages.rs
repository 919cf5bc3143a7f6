//! Anthropic Messages: fixtures in `tests/fixtures/messages`, written by us after the API's grammar.
//!
//! Knows what means the same in this family; see `same`. What a client would make of a stream is worked out by another
//! reader; see `client`.

mod fixture;
mod same;
mod fold;
mod client;
mod requests;
mod asked;
mod thinking;
mod targets;
mod answers;
mod streams;
mod written;
mod errors;
mod recordings;
