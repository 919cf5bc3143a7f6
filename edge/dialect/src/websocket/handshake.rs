//! What the two sides of a handshake prove to each other, and which subprotocols they speak.
//!
//! Knows texts; knows nothing of headers or of what a subprotocol means, save that one kind of them is a key.

use sha1::{Digest, Sha1};

use crate::base64;

/// What every server adds to a client's key.
const MARK: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How browsers, which cannot set headers, hand a key to `OpenAI`: as the name of a subprotocol.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// Subprotocols that say whose account is to be billed, which is not the client's to choose.
const ACCOUNT_PROTOCOLS: [&str; 2] = ["openai-organization.", "openai-project."];

/// The most subprotocols that are looked at. Full: the others are not offered.
const PROTOCOLS_MAX: usize = 32;

/// What a server answers to this key.
pub fn accept(key: &str) -> String {
    // A server shows with it that it has understood a request for a WebSocket. It must never be used for more.
    base64::encode(&Sha1::digest(format!("{key}{MARK}")))
}

/// A key for a handshake of ours.
pub fn key(random: [u8; 16]) -> String {
    base64::encode(&random)
}

/// Whether a client's key is one: 16 bytes in base64.
pub fn is_key(text: &str) -> bool {
    base64::decode(text).is_some_and(|bytes| bytes.len() == 16)
}

/// The API key among the offered subprotocols, which stand with commas between them.
pub fn key_offered(offered: &str) -> Option<&str> {
    protocols(offered).find_map(|name| name.strip_prefix(KEY_PROTOCOL))
}

/// The offered subprotocols that may go on, which are neither a key nor an account.
pub fn offered(offered: &str) -> Vec<&str> {
    protocols(offered)
        .filter(|name| {
            let ours = ACCOUNT_PROTOCOLS.iter().chain([&KEY_PROTOCOL]);
            !ours.into_iter().any(|prefix| name.starts_with(prefix))
        })
        .collect()
}

fn protocols(offered: &str) -> impl Iterator<Item = &str> {
    let names = offered.split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).take(PROTOCOLS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_holds() {
        assert_eq!(
            accept("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert!(is_key("dGhlIHNhbXBsZSBub25jZQ==") && is_key(&key([7; 16])));
        for text in ["", "dGhlIHNhbXBsZQ==", "not base64 not base64 no"] {
            assert!(!is_key(text), "{text}");
        }
    }

    #[test]
    fn a_key_is_found_among_the_subprotocols_and_goes_no_further() {
        let text = "realtime, openai-insecure-api-key.slc_live_x ,openai-project.p,openai-beta.realtime-v1";
        assert_eq!(key_offered(text), Some("slc_live_x"));
        assert_eq!(offered(text), ["realtime", "openai-beta.realtime-v1"]);
        assert_eq!((key_offered(""), offered(" , ").len()), (None, 0));
    }
}
