//! In whose words an error is told: those of a family of chat, of the Open Inference Protocol, or our own.

use dialect::{crossing, custom, inference, neutral::Error};

use crate::request::endpoint::Manner;

/// The body that says an error.
pub fn error(manner: Manner, error: &Error) -> Vec<u8> {
    match manner {
        Manner::Family(family) => crossing::error_body(family, error),
        Manner::Inference => inference::error::encode(error),
        Manner::Custom => custom::encode(error),
    }
}
