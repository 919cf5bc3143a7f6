//! Signatures of requests, version 4: from a request and a secret to the headers that prove it.
//!
//! Pure: the time is given. Must never know a socket or where a secret comes from, and shows no secret to whoever
//! prints its values. Nothing that was signed may change on the way.

mod date;
mod canonical;
mod signature;

pub use self::{
    canonical::{Path, Request, encode_segment},
    date::stamp,
    signature::{Body, Credentials, Scope, sign},
};
