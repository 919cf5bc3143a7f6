//! The conversation: `messages`.
//!
//! Owns who speaks in which role, and that results of tools are messages of their own here. Must never put anything
//! between the calls of a message and their results.

mod pending;
mod read;
mod assistant;
mod write;

pub(crate) use self::{read::read, write::write};
