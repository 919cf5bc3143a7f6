//! Counts text as the models of a family do, where their maker has published how.
//!
//! Knows text and names of models; knows no request, no limit and no wire.

mod family;
mod counter;

pub use self::{
    counter::{Counter, TEXT_BYTES_MAX},
    family::Family,
};
