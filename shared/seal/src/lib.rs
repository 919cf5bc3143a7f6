//! Sealing of secrets and of files at rest. The only crate that encrypts.
//!
//! Keeps out every other use of a cipher: who needs something sealed calls here, and no nonce, mode or
//! padding is chosen anywhere else. Knows nothing of what is sealed; it logs nothing, and nothing here is
//! `Debug` that holds a key.

mod key;
mod ring;

pub mod file;
pub mod journal;

pub use key::{CannotOpen, InvalidKey, KeyId, SEALING_BYTES, SealingKey};
pub use ring::{ENVELOPE_BYTES, OPENING_KEYS_MAX, Ring, TooManyKeys};
