//! Where a chain of the audit trail stood at a moment, signed; and what a witness keeps of that.
//!
//! The one place that knows the text which is signed, by whom it may be, what contradicts what, and the lines of an export. Keeps out where chains,
//! keys and witnesses rest, and every clock.

pub mod hex;
pub mod line;
pub mod key;
pub mod signed;
pub mod kept;

pub use crate::{
    kept::{Contradiction, Kept},
    key::{Endorsed, Signer},
    signed::{Checkpoint, Signed},
};
