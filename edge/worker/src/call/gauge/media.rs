//! What the head of an answer says of its body.
//!
//! Knows headers; knows nothing of what a body says.

use http::{HeaderMap, header};

/// Whether an answer that can be read is a stream of events, and whether it is JSON.
pub fn kind(headers: &HeaderMap) -> (bool, bool) {
    let encoded = headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let json = kind.eq_ignore_ascii_case("application/json");
    let events = kind.eq_ignore_ascii_case("text/event-stream");
    (events && !encoded, json && !encoded)
}
