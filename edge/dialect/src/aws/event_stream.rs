//! Frames of `application/vnd.amazon.eventstream`: headers and a payload between two checksums.
//!
//! Owns the frame's form and its bounds. Must never know what a payload means.

mod frame;
mod decoder;
mod encoder;

pub use self::{
    decoder::Decoder,
    encoder::write,
    frame::{FRAME_BYTES_MAX, Fault, Frame, HEADERS_BYTES_MAX, Value},
};
