//! Errors, as a body and as a frame that ends a stream.
//!
//! The name of an error stands in a header, beside its body; where it is not at hand, the status and the message tell
//! as much as they can.

use payload::writer::Writer;

use crate::{
    aws::exception,
    neutral::{Error, Family},
};

/// Reads the body of an error.
pub fn decode(status: u16, body: &[u8]) -> Error {
    exception::error(None, Some(status), body)
}

/// Reads the body of an error whose name, the header `x-amzn-errortype`, is at hand.
pub fn decode_named(name: &str, status: u16, body: &[u8]) -> Error {
    exception::error(Some(name), Some(status), body)
}

/// A body. It holds the name, too, because no header is set here.
pub fn encode(error: &Error) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.open().key("message").text(&error.message);
    for extra in &error.extra {
        if extra.family == Family::Converse {
            writer.key(&extra.name).raw(extra.value.as_str());
        }
    }
    writer.key("__type").text(&exception::name(error)).close();
    writer.into_bytes()
}

/// A frame that ends a stream.
pub fn event(error: &Error) -> Vec<u8> {
    exception::frame(error)
}
