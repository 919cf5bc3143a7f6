//! The dialect of Gemini: `generateContent`, its stream, `countTokens` and embeddings, on AI Studio and on Vertex.
//!
//! Owns its shapes, both ways. Must never know which account or region stands behind it. Member names in snake case
//! are read as Google reads them, and written in camel case.
//!
//! What Google reads alike comes back alike and not always the same: null and a missing member, `thought: false`,
//! an empty `generationConfig`, `index: 0`, a content without a role and one of the user, `args` of `{}` and none,
//! base64 in either alphabet, one object where an array of one may stand, tools in one element or in several,
//! thoughts in one part or in several of which the last is signed, and empty texts beside others.

mod member;
mod own;
mod schema;
pub(crate) mod created;
pub mod target;
mod media;
mod result;
mod call;
mod part;
mod signature;
mod tools;
mod thinking;
mod config;
mod content;
mod turns;
pub mod request;
pub mod usage;
mod stop;
mod candidate;
pub mod answer;
pub mod error;
mod incoming;
mod plain;
mod progress;
pub mod decoder;
mod chunk;
pub mod encoder;
pub mod count;
pub mod embedding;

/// Whether an extra of a stream is a part of its answer.
pub(crate) fn is_part_in_stream(name: &str) -> bool {
    part::candidate_of(name).is_some()
}

pub use self::target::{Budgets, Hosting, Target, Thinking};
