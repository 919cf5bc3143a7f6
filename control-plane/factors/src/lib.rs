//! What a person proves themselves by: a password, and a code that changes.
//!
//! Keeps out of everything else how a password is kept and how a code is computed. Knows no person, no clock and no store: who
//! calls says whose it is, what the time is, and which code was taken before. Nothing here is `Debug` that holds a secret.

mod password;
mod codes;

pub use codes::{Codes, NoSecret, SECRET_BYTES, draw};
pub use password::{BYTES_MAX, CHARACTERS_MIN, Cannot, Passwords, Weak, check};
