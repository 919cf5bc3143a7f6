//! Errors of the inference protocol: one string under `error`.
//!
//! Chooses no status.

use payload::writer::Writer;

use crate::neutral::Error;

/// The body that says an error.
pub fn encode(error: &Error) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.open().key("error").text(&error.message).close();
    writer.into_bytes()
}
