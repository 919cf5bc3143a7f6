//! Provider wire formats. Bytes in, bytes out. No I/O.
//!
//! Owns what a provider's request, answer, stream and error look like on the wire, and what may be changed in
//! them. Must never know sockets, policy or time. What it is not asked to change, it gives back byte for byte.

mod tokens;
mod calls;
mod finish;
pub mod base64;
pub mod estimate;
pub mod sse;
pub mod events;
pub mod neutral;
pub mod inference;
mod place;
mod field;
mod without;
pub mod cost;
pub mod preferences;
pub mod websocket;
pub mod request;
pub mod custom;
pub mod end_user;
pub mod effects;
pub mod openai;
pub mod chat;
pub mod responses;
pub mod messages;
pub mod gemini;
pub mod cohere;
pub mod aws;
pub mod converse;
pub mod crossing;
pub mod listing;

pub use finish::Finish;
pub use tokens::{Tier, Tokens};
