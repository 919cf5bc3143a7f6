//! The lines of an export of the trail, one JSON object each, as `sluice audit verify` reads them.
//!
//! The one place that writes them, for whoever keeps the trail elsewhere. What stands in a line is its caller's.

use serde_json::json;

use crate::hex;

/// A key that signs, the key that answers for it, and that key's signature. Keys stand before every chain, in their order.
pub fn key(public: &[u8], by: &[u8], signature: &[u8]) -> String {
    let [public, by, signature] = [public, by, signature].map(hex::write);
    json!({ "key": public, "by": by, "signature": signature }).to_string()
}

/// An entry of a chain: its place from 1, the hash over the one before it and its text, and that text.
pub fn entry(chain: &str, sequence: u64, hash: &[u8], text: &str) -> String {
    let hash = hex::write(hash);
    json!({ "chain": chain, "sequence": sequence, "hash": hash, "entry": text }).to_string()
}

/// A checkpoint, which stands behind the entry that it signs: its text, the key that signed, and the signature.
pub fn checkpoint(chain: &str, said: &str, key: &[u8], signature: &[u8]) -> String {
    let [key, signature] = [key, signature].map(hex::write);
    json!({ "chain": chain, "checkpoint": said, "key": key, "signature": signature }).to_string()
}
