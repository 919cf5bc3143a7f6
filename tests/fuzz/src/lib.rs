//! What must hold for any bytes at all, one entry function for each reader of what others send.
//!
//! Owns the entries, the inputs they start from and how those are changed at random. `targets/` gives the entries to a fuzzer
//! that looks for inputs by itself, and `tests/` runs the very same entries in `./test`; so neither can rot. An entry panics
//! when something does not hold.

#![expect(
    clippy::missing_panics_doc,
    reason = "everything here panics when something does not hold: that is what it is for"
)]

pub mod cuts;
pub mod grammar;
pub mod json;
pub mod framing;
pub mod meter;
pub mod pair;
pub mod request;
pub mod answer;
pub mod stream;
pub mod error;
pub mod family;
pub mod vectors;
pub mod rules;
pub mod signed;
pub mod targets;
pub mod seeds;
pub mod mutation;
