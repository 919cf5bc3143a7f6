//! What every registry's answer is read with: statuses, names in a query, and the digest of a version.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::{client::Answer, unsaid::Unsaid};

/// The longest name of a version, in bytes.
// Full: it is none of such a registry.
const VERSION_BYTES_MAX: usize = 256;

/// The answer's document, where its status says that it is one. `missing` is what is not there.
pub(crate) fn document<T: serde::de::DeserializeOwned>(
    answer: &Answer,
    missing: impl FnOnce(u16) -> Option<String>,
) -> Result<T, Unsaid> {
    match answer.status {
        200 => serde_json::from_slice(&answer.body).map_err(|_| Unsaid::Strange),
        401 => Err(Unsaid::Unauthenticated),
        403 => Err(Unsaid::Denied),
        status => Err(missing(status).map_or(Unsaid::Status(status), Unsaid::Unknown)),
    }
}

/// What a registry calls a version, where that can be kept and shown.
pub(crate) fn version(text: String) -> Result<String, Unsaid> {
    let fits = (1..=VERSION_BYTES_MAX).contains(&text.len());
    let fits = fits && !text.chars().any(char::is_control);
    fits.then_some(text).ok_or(Unsaid::Strange)
}

/// The text as a value of a query.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The digest of a version of which these are the parts that never change: each stands behind its length.
pub(crate) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
