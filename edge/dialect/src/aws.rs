//! What Amazon's services share: how they frame streams, how they report errors.
//!
//! Owns nothing of any model's dialect. Must never know a clock or a socket: times and bytes are given.

pub mod event_stream;
pub mod exception;
pub mod invoke;
