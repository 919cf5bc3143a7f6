//! The text of a provider's credential that is exchanged for a token: its forms, what must stand in each, and where
//! each may go; and how a request is signed with one. Kept out: I/O, clocks, and how a token is asked for.
//!
//! Both planes read it here, so that what an operator may write is what an edge can use. A form is never `Debug`, and
//! an error never repeats a value.

mod invalid;
pub mod endpoint;
pub mod signing;
pub mod sigv4;
mod fields;
pub mod google;
pub mod amazon;
pub mod entra;
mod form;

pub use self::{
    form::{Form, TEXT_BYTES_MAX, google_account, is_exchanged, read},
    invalid::Invalid,
};
