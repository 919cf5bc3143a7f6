//! What the scenarios have in common: a provider that answers as OpenAI does, and the SDKs.
//!
//! The scenarios themselves stand in `tests/scenarios`, one file for each promise. Each drives real binaries
//! over real stores.

#![expect(
    clippy::missing_panics_doc,
    reason = "everything here panics when a part does not answer: that is how a test fails"
)]

pub mod openai;
pub mod dialects;
pub mod realtime;
pub mod richer;
pub mod sdk;
pub mod exposition;
pub mod tokens;
pub mod oidc;
pub mod forge;
pub mod ledger;
pub mod alerts;

/// How many times longer than usual the tests run whose promise is a number: 1, unless
/// `SLUICE_TEST_SCALE` says more, as the full forms of `just prove` do.
pub fn scale() -> usize {
    std::env::var("SLUICE_TEST_SCALE")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
}
