//! The contract between the planes and with operators. The only crate that knows protobuf.
//!
//! Owns the generated messages and clients, and the walls where messages become nouns of `policy`.
//! Generated code is never re-exported by another crate.

pub mod admin;
pub mod sync;
pub mod usage;
pub mod message;
pub mod report;
pub mod malformed;
mod limit;
mod deprecation;
mod alias;
mod shadow;
mod price;
mod key_object;
mod issuer;
mod routing;
pub mod object;
pub mod recipe;
pub mod unknown;

/// The compiled descriptors of every file of the contract, for reflection and for `unknown`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
