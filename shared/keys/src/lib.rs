//! The text of an API key: mint, parse, check, tag. No I/O.
//!
//! Keeps out everything that knows whose a key is or what it may do: no protobuf, SQL, HTTP, clock or log
//! can be reached from here, so the one crate that handles the text has nowhere to leak it to. What it
//! compares, it compares in constant time; what it holds of a secret, it zeroizes.

mod family;
mod digits;
mod tag;
mod mint;
mod present;
mod foreign;

pub use family::{Family, prefix};
pub use foreign::{FOREIGN_BITS_MIN, FOREIGN_BYTES, Foreign, entropy_bits, foreign};
pub use mint::{Minted, mint, renew};
pub use present::{Malformed, Presented, parse};
pub use tag::tag;
