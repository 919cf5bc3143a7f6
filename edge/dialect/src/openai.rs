//! The dialect of `OpenAI`'s API, which most providers and clients speak: chat completions, completions, embeddings.
//!
//! Owns its shapes and what providers made of them. Must never know which provider stands behind it: what one of
//! them does differently is read wherever it comes from.

pub mod usage;
pub mod answer;
mod delta;
pub mod stream;
pub mod error;
pub mod realtime;
pub mod embedding;
