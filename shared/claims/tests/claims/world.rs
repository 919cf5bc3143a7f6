//! An issuer with a key of each kind, and what it signs.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
    },
};
use claims::{
    check::{self, Claims, Unproved},
    key_set::KeySet,
    token::Token,
};
use policy::{
    id::{IssuerId, OrganizationId, ProjectId},
    issuer::{Algorithm, Issuer, Mapping},
    scope::Scope,
};
use serde_json::{Value, json};

/// Now, in seconds since 1970.
pub const NOW: u64 = 1_800_000_000;

/// Every kind of key.
pub struct World {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
    /// As they are published.
    pub keys: KeySet,
    /// The modulus of the key of RSA, as it is published.
    pub modulus: Vec<u8>,
}

/// Base64 for URLs, without padding.
pub fn encode(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..=group.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * at) & 63) as usize]));
        }
    }
    text
}

/// An issuer that is trusted for every algorithm.
pub fn issuer() -> Issuer {
    Issuer {
        id: IssuerId::from_bytes([1; 16]),
        organization: OrganizationId::from_bytes([2; 16]),
        name: "corp".to_owned(),
        url: "https://id.example".to_owned(),
        keys_url: String::new(),
        audiences: vec!["sluice".to_owned(), "other".to_owned()],
        algorithms: Algorithm::ALL.to_vec(),
        types: Vec::new(),
        leeway_ms: 30_000,
        project: Some(ProjectId::from_bytes([3; 16])),
        mapping: Mapping::default(),
        scope: Scope::default(),
        disabled: false,
    }
}

/// The claims of a good token.
pub fn claims() -> Value {
    json!({"iss": "https://id.example", "aud": "sluice", "sub": "alice", "iat": NOW, "exp": NOW + 300})
}

impl World {
    pub fn new() -> Self {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let ed25519 = Ed25519KeyPair::generate().unwrap();
        // In DER, of 2048 bits: two numbers behind their lengths.
        let modulus = rsa.public_key().as_ref()[9..265].to_vec();
        let point = |kid: &str, crv: &str, point: &[u8]| {
            let (x, y) = point[1..].split_at((point.len() - 1) / 2);
            json!({"kty": "EC", "crv": crv, "kid": kid, "x": encode(x), "y": encode(y)})
        };
        let keys = json!({"keys": [
            {"kty": "RSA", "kid": "rsa", "n": encode(&modulus), "e": "AQAB"},
            point("p256", "P-256", p256.public_key().as_ref()),
            point("p384", "P-384", p384.public_key().as_ref()),
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encode(ed25519.public_key().as_ref())},
        ]});
        Self {
            keys: KeySet::read(keys.to_string().as_bytes()).unwrap(),
            modulus,
            rsa,
            p256,
            p384,
            ed25519,
        }
    }

    /// The signature of the key of this id by this algorithm.
    pub fn sign(&self, (id, algorithm): (&str, &str), signed: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match id {
            "rsa" => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                let scheme: &dyn aws_lc_rs::signature::RsaEncoding = if algorithm == "PS256" {
                    &RSA_PSS_SHA256
                } else {
                    &RSA_PKCS1_SHA256
                };
                self.rsa
                    .sign(scheme, &random, signed, &mut signature)
                    .unwrap();
                signature
            }
            "p256" => self.p256.sign(&random, signed).unwrap().as_ref().to_vec(),
            "p384" => self.p384.sign(&random, signed).unwrap().as_ref().to_vec(),
            _ => self.ed25519.sign(signed).as_ref().to_vec(),
        }
    }

    /// A token whose head and claims are these texts, signed so.
    pub fn written(&self, by: (&str, &str), head: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(head.as_bytes()), encode(claims.as_bytes()));
        let signature = self.sign(by, signed.as_bytes());
        format!("{signed}.{}", encode(&signature))
    }

    /// A token by the key of P-256 with these claims.
    pub fn token(&self, claims: &Value) -> String {
        self.written(
            ("p256", "ES256"),
            r#"{"alg":"ES256","kid":"p256"}"#,
            &claims.to_string(),
        )
    }

    /// What the issuer of the tests makes of a token.
    pub fn check(&self, text: &str) -> Result<Claims, Option<Unproved>> {
        self.check_by(&issuer(), text)
    }

    /// The same for another one.
    pub fn check_by(&self, issuer: &Issuer, text: &str) -> Result<Claims, Option<Unproved>> {
        let token = Token::read(text).map_err(|_| None)?;
        check::check(token, issuer, &self.keys, NOW * 1_000).map_err(Some)
    }
}
