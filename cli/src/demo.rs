//! The demo provider: speaks OpenAI's API on loopback and says back what it hears.
//!
//! Judges requests as strictly as the real one, so that what works here works there. Knows nothing of the
//! gateway before it.

pub mod refusal;
pub mod rule;
pub mod model;
pub mod generation;
pub mod chat;
pub mod completion;
pub mod embedding;
pub mod serve;
