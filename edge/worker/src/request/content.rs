//! What a body says of itself in its headers.
//!
//! Knows two headers; knows nothing of bodies.

use http::{HeaderMap, header};

use crate::request::refusal::Refusal;

/// Refuses what is not JSON by its own word, or compressed. `binary` says that something else than JSON stands in the
/// body too.
pub fn check(headers: &HeaderMap, binary: bool) -> Result<(), Refusal> {
    let encoded = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Err(Refusal::Encoded);
    }
    if binary {
        return Ok(());
    }
    // A client that says nothing is believed to send JSON; the scan finds out.
    let Some(kind) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let kind = kind
        .as_bytes()
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    let kind = kind.trim_ascii();
    let json = kind.eq_ignore_ascii_case(b"application/json")
        || kind.len() > 5 && kind[kind.len() - 5..].eq_ignore_ascii_case(b"+json");
    if json { Ok(()) } else { Err(Refusal::NotJson) }
}
