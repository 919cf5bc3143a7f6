//! The dialect of `OpenAI`'s Chat Completions, and of all that speak it, to and from the neutral form.
//!
//! Owns its shapes, both ways, and what compatible providers made of them. Must never know which provider stands
//! behind it: quirks are told by [`Target`]. Lossless within the family but for what means the same: a string is one
//! text part; null and a flag that is off by default are as good as absent; `reasoning` is `reasoning_content`;
//! functions are tools, `function_call` is `tool_calls`; `safety_identifier` alone is `user`.

mod extras;
mod target;
pub mod usage;
mod stop;
pub mod error;
mod mark;
mod media;
mod part;
mod thoughts;
mod call;
mod message;
pub mod request;
pub mod answer;
pub mod decoder;
pub mod encoder;

pub use target::{OutputMax, ReasoningBack, Target};
