//! What both planes know of a payload: its text, its family of dialects, and how a rule changes it. No I/O.
//!
//! Owns JSON that is read and written without a tree, programs in jq with bounds, and the rules of a version. Must
//! never know what an API means by a member, nor sockets, policy or time.

pub mod scalar;
mod word;
pub mod sought;
pub mod json;
pub mod cursor;
pub mod object;
pub mod counts;
pub mod writer;
pub mod value;
pub mod family;
pub mod jq;
pub mod transform;
