//! The dialect of `OpenAI`'s Responses API, which its newest clients and a few other providers speak.
//!
//! Owns its shapes: items instead of messages, and a stream that tells of every item from its first to its last
//! event. Must never know who keeps state: what refers to an earlier response goes back to the same family or is
//! refused, see `crossing`.

mod own;
pub mod usage;
mod target;
mod page;
mod frame;
mod media;
mod content;
mod item;
mod turns;
mod tool;
mod output;
mod settings;
pub mod request;
pub mod crossing;
pub mod error;
pub mod echo;
mod snapshot;
pub mod answer;
mod queue;
mod reader;
pub mod decoder;
mod teller;
mod open;
mod closing;
mod kept;
pub mod encoder;

pub use self::target::Target;
