//! What a signed token claims: read, verified, and mapped to what Sluice knows; and conditions in the same language over what is
//! known of a request. Kept out: I/O, clocks, HTTP, and where
//! keys come from.
//!
//! Both planes read it here, so that an expression which an operator may write is one that an edge can evaluate. No token
//! is `Debug`, and an error never repeats what a token holds.

pub mod base64;
pub mod document;
pub mod algorithm;
pub mod key_set;
pub mod token;
pub mod check;
pub mod expression;
pub mod condition;
pub mod mapping;
