//! What a provider answered, once the client is committed to it.
//!
//! Knows where the body comes from; knows nothing of how it was asked for.

use bytes::Bytes;
use dialect::neutral::Dropped;
use http::{HeaderMap, StatusCode};

use crate::{
    call::{
        client::{self, Body},
        gauge::Gauge,
        opening::Opening,
        upload::Upload,
    },
    record::Tally,
};

/// What a provider answered.
pub struct Answer {
    /// Its status: 2xx, or whatever the answer to something that is passed through has.
    pub status: StatusCode,
    /// Its headers, as they came; the media type is that of what the client gets.
    pub headers: HeaderMap,
    /// What the client gets.
    pub content: Content,
    /// What of the request was left out on the way.
    pub dropped: Dropped,
}

// === impl Answer ===

impl Answer {
    /// What answers a handshake that was refused: all of it, of which nothing was used.
    pub fn of_handshake(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self {
            status,
            headers,
            content: Content::Whole(body, Tally::default()),
            dropped: Dropped::default(),
        }
    }
}

/// Whether a status is that of an answer and not of an error. What is passed through may have any; its client may have
/// asked whether something was changed.
pub fn is_good(status: StatusCode) -> bool {
    status.is_success() || status.as_u16() == 304
}

/// What a client gets of an answer.
pub enum Content {
    /// A body of which nothing has been read, and what reads it.
    Coming(Body, Gauge),
    /// A stream that has begun.
    Begun(Box<Opening>),
    /// A translated body, and what was used.
    Whole(Bytes, Tally),
    /// The answer to what is passed through, and what reads it beside.
    Passed(client::Body<Upload>, Gauge),
}
