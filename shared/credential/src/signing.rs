//! A private key that signs assertions: RS256, as JSON Web Tokens are signed.
//!
//! Knows how a key is written down and how a token is put together. Must never know what is claimed, nor show the key.

use aws_lc_rs::{rand::SystemRandom, signature};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde_json::Value;
use zeroize::Zeroizing;

/// A key of RSA.
pub struct SigningKey(signature::RsaKeyPair);

/// The text is no private key of RSA with 2048 bits or more, in PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoKey;

/// The key does not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CannotSign;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 as it stands in tokens: for URLs, without padding.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..=group.len() {
            let letter = bits >> (18 - 6 * at) & 63;
            text.push(
                ALPHABET
                    .get(letter as usize)
                    .map_or('A', |it| char::from(*it)),
            );
        }
    }
    text
}

// === impl SigningKey ===

impl SigningKey {
    /// Reads a key in PEM, `PRIVATE KEY` or `RSA PRIVATE KEY`.
    pub fn read(pem: &str) -> Result<Self, NoKey> {
        let pair = match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
            Ok(PrivateKeyDer::Pkcs8(der)) => {
                signature::RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
            }
            Ok(PrivateKeyDer::Pkcs1(der)) => {
                signature::RsaKeyPair::from_der(der.secret_pkcs1_der())
            }
            _ => return Err(NoKey),
        };
        pair.map(Self).map_err(|_| NoKey)
    }

    /// A token that claims this, signed by the key that the receiver knows as `key_id`.
    pub fn token(
        &self,
        key_id: Option<&str>,
        claims: &Value,
    ) -> Result<Zeroizing<String>, CannotSign> {
        let id = key_id.map(|id| format!(",\"kid\":{}", Value::from(id)));
        let head = format!(
            "{{\"alg\":\"RS256\",\"typ\":\"JWT\"{}}}",
            id.unwrap_or_default()
        );
        let mut token = Zeroizing::new(format!(
            "{}.{}",
            base64(head.as_bytes()),
            base64(claims.to_string().as_bytes())
        ));
        let mut signed = vec![0; self.0.public_modulus_len()];
        let algorithm = &signature::RSA_PKCS1_SHA256;
        let random = SystemRandom::new();
        let done = self
            .0
            .sign(algorithm, &random, token.as_bytes(), &mut signed);
        done.map_err(|_| CannotSign)?;
        token.push('.');
        token.push_str(&base64(&signed));
        Ok(token)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::LazyLock;

    use aws_lc_rs::{
        encoding::AsDer,
        rsa::{KeySize, PrivateDecryptingKey},
        signature::{KeyPair, UnparsedPublicKey},
    };

    use super::*;

    /// A key of this run, in PEM.
    pub(crate) static PEM: LazyLock<String> = LazyLock::new(|| {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let der = key.as_der().unwrap();
        let bytes: &[u8] = der.as_ref();
        let mut text = base64(bytes).replace('-', "+").replace('_', "/");
        while !text.len().is_multiple_of(4) {
            text.push('=');
        }
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    });

    #[test]
    fn bytes_are_written_as_the_standard_says() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg"),
            (b"\xfb\xff", "-_8"),
        ] {
            assert_eq!(base64(bytes), text);
        }
    }

    #[test]
    fn a_token_is_what_the_public_half_confirms() {
        let key = SigningKey::read(&PEM).unwrap();
        let claims = serde_json::json!({"iss": "a@b", "iat": 1});
        let token = key.token(Some("k1"), &claims).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let [head, body, _] = parts[..] else { panic!() };
        assert_eq!(head, base64(br#"{"alg":"RS256","typ":"JWT","kid":"k1"}"#));
        assert_eq!(body, base64(claims.to_string().as_bytes()));
        let mut signed = vec![0; 256];
        let said = format!("{head}.{body}");
        key.0
            .sign(
                &signature::RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                said.as_bytes(),
                &mut signed,
            )
            .unwrap();
        assert_eq!(
            parts[2],
            base64(&signed),
            "the signature is over head and body"
        );
        let public = UnparsedPublicKey::new(
            &signature::RSA_PKCS1_2048_8192_SHA256,
            key.0.public_key().as_ref(),
        );
        public.verify(said.as_bytes(), &signed).unwrap();
        assert!(public.verify(b"else", &signed).is_err());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "",
            "key",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ] {
            assert_eq!(SigningKey::read(text).err(), Some(NoKey));
        }
    }
}
