//! The blocks of a message: what each of them is as a part, and how a part is written as one.
//!
//! Owns the mark of a prompt cache, which is a block of its own behind what it marks, and the wrapping of redacted
//! thoughts.

mod redacted;
mod read;
mod write;

pub(crate) use self::{
    read::read,
    redacted::{unwrap, wrap},
    write::{Piece, Place, Scribe},
};
