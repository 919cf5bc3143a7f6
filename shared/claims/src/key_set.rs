//! The public keys of an issuer, as it publishes them (RFC 7517).
//!
//! What cannot check a signature here is passed over: other kinds of keys, keys for encryption, keys too short to trust.
//! Knows nothing of where the document comes from.

use policy::issuer::Algorithm;
use serde_json::{Map, Value};

use crate::{
    algorithm::PublicKey,
    base64,
    document::{self, NoDocument},
};

/// The longest document, in bytes.
// Full: it is none.
pub const BYTES_MAX: usize = 256 << 10;

/// The most keys that are kept.
// Full: the document is none; issuers have a handful.
pub const KEYS_MAX: usize = 64;

/// The longest id of a key, in bytes.
// Full: the key is passed over.
pub const KEY_ID_BYTES_MAX: usize = 256;

/// The shortest and longest modulus of RSA, in bits.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// The keys that can check a token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    public: PublicKey,
}

// === impl KeySet ===

impl KeySet {
    /// Reads a document.
    pub fn read(bytes: &[u8]) -> Result<Self, NoDocument> {
        if bytes.len() > BYTES_MAX {
            return Err(NoDocument);
        }
        let document = document::read(bytes)?;
        let Some(Value::Array(listed)) = document.get("keys") else {
            return Err(NoDocument);
        };
        if listed.len() > KEYS_MAX {
            return Err(NoDocument);
        }
        let keys = listed.iter().filter_map(|it| key(it.as_object()?));
        Ok(Self(keys.collect()))
    }

    /// The key with this id that checks this algorithm; without an id, the only one that does.
    pub fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&PublicKey> {
        let mut fitting = self.0.iter().filter(|it| {
            it.public.fits(algorithm)
                && it.algorithm.is_none_or(|own| own == algorithm)
                && (id.is_none() || it.id.as_deref() == id)
        });
        let found = fitting.next()?;
        // Two keys of one name, or of none, leave it open which of them is meant.
        fitting.next().is_none().then_some(&found.public)
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn key(given: &Map<String, Value>) -> Option<Key> {
    let text = |name: &str| given.get(name).and_then(Value::as_str);
    let signs = given.get("use").is_none_or(|it| it == "sig");
    let verifies = given.get("key_ops").is_none_or(|it| {
        it.as_array()
            .is_some_and(|all| all.iter().any(|it| it == "verify"))
    });
    if !signs || !verifies {
        return None;
    }
    let id = match given.get("kid") {
        None => None,
        Some(id) => Some(
            id.as_str()
                .filter(|it| it.len() <= KEY_ID_BYTES_MAX)?
                .to_owned(),
        ),
    };
    let algorithm = match given.get("alg") {
        None => None,
        Some(name) => Some(Algorithm::named(name.as_str()?)?),
    };
    let bytes = |name: &str| base64::decode(text(name)?);
    let public = match (text("kty")?, text("crv")) {
        ("RSA", _) => rsa(&bytes("n")?, &bytes("e")?)?,
        ("EC", Some("P-256")) => PublicKey::P256(point(&bytes("x")?, &bytes("y")?, 32)?),
        ("EC", Some("P-384")) => PublicKey::P384(point(&bytes("x")?, &bytes("y")?, 48)?),
        ("OKP", Some("Ed25519")) => {
            PublicKey::Ed25519(Some(bytes("x")?).filter(|it| it.len() == 32)?)
        }
        _ => return None,
    };
    Some(Key {
        id,
        algorithm,
        public,
    })
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<PublicKey> {
    let bare =
        |bytes: &[u8]| -> Vec<u8> { bytes.iter().copied().skip_while(|it| *it == 0).collect() };
    let (modulus, exponent) = (bare(modulus), bare(exponent));
    let zeros = usize::try_from(modulus.first()?.leading_zeros()).ok()?;
    let fits = MODULUS_BITS.contains(&(modulus.len() * 8 - zeros));
    // Large exponents cost whoever checks, and small ones have been a weakness.
    let usual = exponent.len() <= 4 && exponent.last()? & 1 == 1 && exponent.as_slice() != [1];
    (fits && usual).then_some(PublicKey::Rsa { modulus, exponent })
}

fn point(x: &[u8], y: &[u8], bytes: usize) -> Option<Vec<u8>> {
    (x.len() == bytes && y.len() == bytes).then(|| [&[4], x, y].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rsa_key(id: &str, bits: usize, more: &str) -> String {
        // Letters that stand for ones: a modulus of so many bits.
        let modulus = "_".repeat(bits / 6) + &"w".repeat(usize::from(!bits.is_multiple_of(6)));
        format!(r#"{{"kty":"RSA","kid":"{id}","n":"{modulus}","e":"AQAB"{more}}}"#)
    }

    fn set(keys: &[String]) -> KeySet {
        KeySet::read(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes()).unwrap()
    }

    #[test]
    fn what_cannot_be_trusted_to_check_is_passed_over() {
        let fits = rsa_key("good", 2_048, "");
        let found = set(&[
            fits,
            rsa_key("short", 1_024, ""),
            rsa_key("encrypts", 2_048, r#","use":"enc""#),
            rsa_key("signs", 2_048, r#","key_ops":["sign"]"#),
            rsa_key("secret", 2_048, r#","alg":"HS256""#),
            r#"{"kty":"oct","kid":"oct","k":"AAAA"}"#.to_owned(),
            r#"{"kty":"EC","crv":"secp256k1","kid":"k1","x":"AA","y":"AA"}"#.to_owned(),
            r#"{"kty":"EC","crv":"P-256","kid":"point","x":"AAAA","y":"AAAA"}"#.to_owned(),
            "7".to_owned(),
        ]);
        assert_eq!(found.len(), 1);
        assert!(found.find(Some("good"), Algorithm::Rs256).is_some());
        assert!(found.find(Some("good"), Algorithm::Ps256).is_some());
        assert!(found.find(Some("good"), Algorithm::Es256).is_none());
    }

    #[test]
    fn a_key_is_meant_by_its_id_or_is_the_only_one() {
        let pinned = rsa_key("b", 2_048, r#","alg":"RS256""#);
        let both = set(&[rsa_key("a", 2_048, ""), pinned.clone()]);
        assert!(both.find(None, Algorithm::Rs256).is_none());
        assert!(both.find(None, Algorithm::Ps256).is_some());
        assert!(both.find(Some("b"), Algorithm::Ps256).is_none());
        assert!(both.find(Some("c"), Algorithm::Rs256).is_none());
        let doubled = set(&[pinned.clone(), pinned]);
        assert!(doubled.find(Some("b"), Algorithm::Rs256).is_none());
    }

    #[test]
    fn a_document_without_a_list_or_with_too_long_a_one_is_none() {
        for text in ["{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            assert!(KeySet::read(text.as_bytes()).is_err(), "{text}");
        }
        let many = vec!["{}"; KEYS_MAX + 1].join(",");
        assert!(KeySet::read(format!(r#"{{"keys":[{many}]}}"#).as_bytes()).is_err());
        assert!(KeySet::read(&vec![b' '; BYTES_MAX + 1]).is_err());
    }
}
