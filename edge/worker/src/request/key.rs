//! Where a client's key stands: in one of three headers, or, where a browser can set none, in a subprotocol's name; and what it
//! proves itself by besides, a certificate of its connection.
//!
//! Knows headers; knows nothing of what a key looks like. Nothing here is `Debug`.

use std::sync::Arc;

use dialect::websocket::handshake;
use http::{HeaderMap, HeaderValue, header, request::Parts};
use tls::client::Client;

/// A header that holds a key.
enum Key {
    /// `authorization`.
    Bearer(HeaderValue),
    /// `x-api-key` or `x-goog-api-key`.
    Plain(HeaderValue),
    /// `sec-websocket-protocol`.
    Protocol(HeaderValue),
}

/// What a client proves itself by.
#[derive(Clone, Copy, Default)]
pub struct Proof<'a> {
    /// The text of a key or a token.
    pub text: Option<&'a str>,
    /// Whether there is a header for one that says anything, be it a text or none.
    pub says_key: bool,
    /// Who is at the other end of the connection, if that has shown a certificate.
    pub client: Option<&'a Arc<Client>>,
}

/// What of that is held until it is known whose it is.
pub struct Credentials {
    key: Option<Key>,
    client: Option<Arc<Client>>,
}

// === impl Credentials ===

impl Credentials {
    /// Takes them out of a head.
    pub fn take(parts: &mut Parts) -> Self {
        Self {
            key: Key::take(&mut parts.headers),
            client: parts.extensions.remove(),
        }
    }

    /// Takes them out of a handshake's head.
    pub fn take_of_handshake(parts: &mut Parts) -> Self {
        Self {
            key: Key::take_of_handshake(&mut parts.headers),
            client: parts.extensions.remove(),
        }
    }

    /// All of it, to be proved.
    pub fn proof(&self) -> Proof<'_> {
        let key = self.key.as_ref();
        Proof {
            text: key.and_then(Key::text),
            says_key: key.is_some_and(Key::is_said),
            client: self.client.as_ref(),
        }
    }

    /// Forgets the key's text.
    pub fn forget_key(&mut self) {
        self.key = None;
    }
}

// === impl Proof ===

impl<'a> Proof<'a> {
    /// The text of a key, and nothing else.
    pub fn key(text: &'a str) -> Self {
        Self {
            text: Some(text),
            says_key: true,
            client: None,
        }
    }
}

// === impl Key ===

impl Key {
    /// Takes the key out of the headers.
    fn take(headers: &mut HeaderMap) -> Option<Self> {
        let said = |it: &Self| it.is_said();
        let bearer = headers.remove(header::AUTHORIZATION).map(Self::Bearer);
        let mut plain = |name: &str| headers.remove(name).map(Self::Plain).filter(said);
        let bearer = bearer.filter(said);
        bearer.or_else(|| plain("x-api-key").or_else(|| plain("x-goog-api-key")))
    }

    /// Takes the key out of a handshake's headers.
    fn take_of_handshake(headers: &mut HeaderMap) -> Option<Self> {
        let key = Self::take(headers);
        let protocol = || headers.get(header::SEC_WEBSOCKET_PROTOCOL).cloned();
        key.or_else(|| protocol().map(Self::Protocol))
    }

    /// Its text, without the word `Bearer`.
    fn text(&self) -> Option<&str> {
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

    /// Whether anything is said where a key would be. SDKs that have none may send the header all the same.
    fn is_said(&self) -> bool {
        let Ok(text) = (match self {
            Self::Bearer(value) | Self::Plain(value) => value.to_str(),
            // Mostly something else than a key stands there.
            Self::Protocol(_) => return self.text().is_some(),
        }) else {
            return true;
        };
        let text = text.trim();
        let bare = matches!(self, Self::Bearer(_)) && text.eq_ignore_ascii_case("Bearer");
        !text.is_empty() && !bare
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_no_key_and_what_says_anything_is_one() {
        let of = |all: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in all {
                headers.insert(*name, HeaderValue::from_str(value).unwrap());
            }
            let key = Key::take(&mut headers);
            let credentials = Credentials { key, client: None };
            let proof = credentials.proof();
            (proof.says_key, proof.text.map(str::to_owned))
        };
        for nothing in ["", "Bearer", "bearer ", "  "] {
            assert_eq!(
                of(&[("authorization", nothing)]),
                (false, None),
                "{nothing:?}"
            );
        }
        assert_eq!(of(&[("authorization", "Basic eDp5")]), (true, None));
        let text = Some("k".to_owned());
        assert_eq!(of(&[("authorization", "Bearer k")]), (true, text.clone()));
        let both = [("authorization", ""), ("x-api-key", "k")];
        assert_eq!(of(&both), (true, text));
    }
}
