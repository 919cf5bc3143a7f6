//! The dialects against the neutral form, family by family: what is read is written again, and a stream says what the
//! whole answer says.
//!
//! Knows no pair of families but in `crossings`. Fixtures are our own; recordings are read from the folder that
//! `SLUICE_RECORDINGS` names.

#![cfg(test)]

mod chat;
mod responses;
mod messages;
mod gemini;
mod cohere;
mod openai_embeddings;
mod aws;
mod converse;
mod crossings;
mod proofs;
