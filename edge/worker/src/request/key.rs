//! Where a client's key stands: in one of three headers, or, where a browser can set none, in a subprotocol's name.
//!
//! Knows headers; knows nothing of what a key looks like. Nothing here is `Debug`.

use dialect::websocket::handshake;
use http::{HeaderMap, HeaderValue, header};

/// A header that holds a key.
pub enum Key {
    /// `authorization`.
    Bearer(HeaderValue),
    /// `x-api-key` or `x-goog-api-key`.
    Plain(HeaderValue),
    /// `sec-websocket-protocol`.
    Protocol(HeaderValue),
}

// === impl Key ===

impl Key {
    /// Takes the key out of the headers.
    pub fn take(headers: &mut HeaderMap) -> Option<Self> {
        let bearer = headers.remove(header::AUTHORIZATION).map(Self::Bearer);
        let mut plain = |name: &str| headers.remove(name).map(Self::Plain);
        bearer.or_else(|| plain("x-api-key").or_else(|| plain("x-goog-api-key")))
    }

    /// Takes the key out of a handshake's headers.
    pub fn take_of_handshake(headers: &mut HeaderMap) -> Option<Self> {
        let key = Self::take(headers);
        let protocol = || headers.get(header::SEC_WEBSOCKET_PROTOCOL).cloned();
        key.or_else(|| protocol().map(Self::Protocol))
    }

    /// The key's text, without the word `Bearer`.
    pub fn text(&self) -> Option<&str> {
        let text = match self {
            Self::Bearer(value) => {
                let (scheme, text) = value.to_str().ok()?.split_once(' ')?;
                scheme
                    .eq_ignore_ascii_case("Bearer")
                    .then_some(text.trim())?
            }
            Self::Plain(value) => value.to_str().ok()?,
            Self::Protocol(value) => handshake::key_offered(value.to_str().ok()?)?,
        };
        (!text.is_empty()).then_some(text)
    }
}
