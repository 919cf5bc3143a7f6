//! The tag: what an edge holds in place of a secret, or of its hash.
//!
//! Knows the two hashes and nothing of a key's text. A tag without its pepper tells nothing about the
//! secret, and one computed for a key id fits no other.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// HMAC-SHA-256 under the pepper, over the key id and then the SHA-256 of the secret.
///
/// The hash is always 32 bytes and stands last, so no two pairs give one message.
pub fn tag(pepper: &[u8; 32], key_id: &str, secret_sha256: &[u8; 32]) -> [u8; 32] {
    // HMAC pads a short key with zeros to the block; doing so here leaves no length to be wrong.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(pepper);
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    mac.update(key_id.as_bytes());
    mac.update(secret_sha256);
    mac.finalize().into_bytes().into()
}

/// SHA-256 over the characters of a secret.
pub(crate) fn secret_sha256(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_the_hmac_that_another_library_computes() {
        let (pepper, hash) = ([7; 32], [9; 32]);
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &pepper);
        let message = [b"0123456789ab".as_slice(), &hash].concat();
        let expected = aws_lc_rs::hmac::sign(&key, &message);
        assert_eq!(tag(&pepper, "0123456789ab", &hash), expected.as_ref());
    }

    #[test]
    fn each_input_changes_the_tag() {
        let tag_of = |pepper, id, hash| tag(&[pepper; 32], id, &[hash; 32]);
        assert_eq!(tag_of(1, "one", 1), tag_of(1, "one", 1));
        assert_ne!(tag_of(1, "one", 1), tag_of(2, "one", 1));
        assert_ne!(tag_of(1, "one", 1), tag_of(1, "two", 1));
        assert_ne!(tag_of(1, "one", 1), tag_of(1, "one", 2));
    }
}
