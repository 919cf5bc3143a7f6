//! The dialect of `OpenAI`'s Chat Completions, and of everything that is compatible with it, to and from the neutral form.
//!
//! Owns its shapes, both ways, and how providers differ in them. Must never touch the way on which bytes pass as they
//! came: that is `openai`. Lossless within the family but for what means the same: a string is one text part; null,
//! empty words and an empty list are as good as absent; arguments of `""` are `{}`; `functions` are `tools`;
//! `"type":"text"` is no form; the number of a call is its place; thoughts stand before words, and words before calls.

mod own;
pub mod target;
pub mod client;
mod draft;
mod stop;
pub mod usage;
mod cache;
mod media;
mod tool_id;
mod thoughts;
mod call;
mod part;
mod effort;
mod form;
mod sampling;
mod tools;
mod turns;
pub mod request;
pub mod crossing;
mod message;
pub mod answer;
mod fault;
pub mod error;
mod completeness;
pub mod decoder;
pub mod encoder;
