//! Which addresses of others may be dialled.
//!
//! One rule for all that goes out at an operator's word, on both planes. Knows addresses; knows nothing of names, of sockets and
//! of settings.

mod guard;

pub use guard::Guard;
