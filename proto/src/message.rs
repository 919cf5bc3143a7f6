//! Messages that travel inside another, or rest in a file: to bytes and back.
//!
//! Knows nothing of what they mean. Everybody but this crate is spared the protobuf library by it.

use std::fmt;

use prost::Message;

/// The bytes are not such a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// The message as bytes.
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    message.encode_to_vec()
}

/// The message that the bytes are.
pub fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, Malformed> {
    M::decode(bytes).map_err(|_| Malformed)
}

/// A moment, from milliseconds since 1970.
pub fn timestamp(at_ms: u64) -> prost_types::Timestamp {
    // Both fit: the quotient of any u64 by a thousand is far below 2^63, and the rest below a billion.
    let seconds = i64::try_from(at_ms / 1_000).unwrap_or(i64::MAX);
    let nanos = i32::try_from(at_ms % 1_000 * 1_000_000).unwrap_or(0);
    prost_types::Timestamp { seconds, nanos }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes are not such a message")
    }
}

impl std::error::Error for Malformed {}
