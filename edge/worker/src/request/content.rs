//! Whether a body is JSON, by its own word.
//!
//! Knows headers; the body itself is scanned later.

use http::{HeaderMap, header};

/// Why a body is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is compressed.
    Encoded,
    /// It is not JSON.
    NotJson,
}

/// Looks at what the headers say of a body; `binary` says that something else than JSON stands in the body too.
pub(crate) fn check(headers: &HeaderMap, binary: bool) -> Result<(), Unfit> {
    let encoded = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Err(Unfit::Encoded);
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
    if json { Ok(()) } else { Err(Unfit::NotJson) }
}
