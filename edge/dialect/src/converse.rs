//! The dialect of Bedrock Converse and `ConverseStream`, which Bedrock puts in front of every maker's models.
//!
//! Owns its shapes, and what its models take and refuse. Must never know how a request is signed or sent. Model and
//! streaming stand in the path of a request, and its answers have no id: both are given from outside.

pub mod target;
pub mod names;
mod extras;
mod media;
mod mark;
mod block;
mod stop;
pub mod usage;
mod tools;
mod thinking;
mod fields;
pub mod request;
pub mod answer;
pub mod error;
pub mod decoder;
pub mod encoder;
