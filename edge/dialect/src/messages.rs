//! The dialect of Anthropic's Messages API, as it is spoken by Anthropic, on Bedrock (`InvokeModel`) and on Vertex.
//!
//! Owns its shapes, both ways, and what its models refuse. Must never know which account or region stands behind it.
//! Lossless within the family but for what means the same: a string is one text part; null, `false` of a flag that
//! is off by default and a count of 0 are as good as absent; turns of one role in a row are one message; empty
//! words are nothing; system turns that come first are `system`.

pub mod version;
mod extras;
mod mark;
mod media;
mod part;
pub mod usage;
mod stop;
pub mod target;
pub mod structured;
mod draft;
mod thinking;
pub mod request;
pub mod count;
pub mod hosted;
pub mod answer;
pub mod error;
pub mod decoder;
pub mod encoder;
