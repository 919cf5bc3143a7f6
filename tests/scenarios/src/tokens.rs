//! An issuer of clients' tokens: it publishes its keys, counts who asks, and signs what a test likes.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use dialect::base64;
use harness::provider::{Answer, Asked, Provider};
use serde_json::{Value, json};

/// A running issuer. Dropping it stops it.
pub struct Issuer {
    server: Provider,
    keys: Arc<Mutex<Vec<Value>>>,
    away: Arc<AtomicBool>,
    signers: Mutex<Vec<(String, EcdsaKeyPair)>>,
}

/// Base64 for URLs, without padding.
pub fn encode(bytes: &[u8]) -> String {
    let text = base64::encode(bytes).replace('+', "-").replace('/', "_");
    text.trim_end_matches('=').to_owned()
}

/// Seconds since 1970.
pub fn now() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed();
    since.expect("the clock is right").as_secs()
}

impl Issuer {
    /// Starts one with the key `first`.
    pub async fn start() -> Self {
        let keys: Arc<Mutex<Vec<Value>>> = Arc::default();
        let away = Arc::new(AtomicBool::new(false));
        let (published, gone) = (Arc::clone(&keys), Arc::clone(&away));
        let server = Provider::start(move |asked: &Asked| {
            if gone.load(Ordering::Relaxed) {
                return Answer::json(503, "{}");
            }
            let host = asked.headers["host"].to_str().expect("text");
            let issuer = format!("http://{host}/realm");
            let body = match asked.path.as_str() {
                "/realm/.well-known/openid-configuration" => {
                    json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")})
                }
                "/realm/keys" => json!({"keys": *published.lock().expect("nobody panicked")}),
                _ => return Answer::json(404, "{}"),
            };
            Answer::json(200, body.to_string())
        })
        .await;
        let issuer = Self {
            server,
            keys,
            away,
            signers: Mutex::default(),
        };
        issuer.add_key("first");
        issuer
    }

    /// What its tokens say in `iss`.
    pub fn url(&self) -> String {
        self.server.base_url().replace("/v1", "/realm")
    }

    /// How often it was asked for its keys.
    pub fn fetches(&self) -> usize {
        let asked = self.server.asked();
        asked.iter().filter(|it| it.path == "/realm/keys").count()
    }

    /// Whether it answers at all.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    /// Publishes another key.
    pub fn add_key(&self, id: &str) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let point = pair.public_key().as_ref();
        let key = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "kid": id,
            "x": encode(&point[1..33]), "y": encode(&point[33..65]),
        });
        self.keys.lock().expect("nobody panicked").push(key);
        let mut signers = self.signers.lock().expect("nobody panicked");
        signers.push((id.to_owned(), pair));
    }

    /// Publishes a key no longer.
    pub fn withdraw_key(&self, id: &str) {
        let mut keys = self.keys.lock().expect("nobody panicked");
        keys.retain(|it| it["kid"] != id);
    }

    /// The claims of a good token about `subject`, for `sluice`, for an hour.
    pub fn claims(&self, subject: &str) -> Value {
        json!({"iss": self.url(), "aud": "sluice", "sub": subject, "iat": now(), "exp": now() + 3_600})
    }

    /// A token with these claims, signed by its first key.
    pub fn token(&self, claims: &Value) -> String {
        self.token_by(
            "first",
            &json!({"alg": "ES256", "typ": "JWT", "kid": "first"}),
            claims,
        )
    }

    /// A good token about `subject`.
    pub fn good(&self, subject: &str) -> String {
        self.token(&self.claims(subject))
    }

    /// A token with this head, signed by the key of this id.
    pub fn token_by(&self, id: &str, head: &Value, claims: &Value) -> String {
        let signed = format!(
            "{}.{}",
            encode(head.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let signers = self.signers.lock().expect("nobody panicked");
        let (_, pair) = signers
            .iter()
            .find(|it| it.0 == id)
            .expect("it has that key");
        let signature = pair.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.expect("it signs");
        format!("{signed}.{}", encode(signature.as_ref()))
    }
}
