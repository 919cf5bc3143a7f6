//! Which addresses of others may be dialled, when as plaintext, and whose certificates are believed there.
//!
//! One rule for all that goes out at an operator's word, on both planes. Knows addresses and authorities; knows nothing of names, of
//! sockets and of settings.

mod guard;
mod trust;
mod way;

pub use guard::Guard;
pub use trust::{trust, trust_pem};
pub use way::{Unfit, Way, is_here, way};
