//! Google Cloud KMS: `encrypt` and `decrypt` of a symmetric key, as its REST API has them.
//!
//! A wrapped text is `google-kms:` and the service's ciphertext in base64. It is bound to what it is for by additional data. The
//! service draws no keys that it does not show: a new one is drawn here and let go when it is wrapped. Who asks is a service
//! account, by a token that it signs itself, so that nobody else is asked for one.

use credential::google_account;
use lifecycle::{
    clock::Clock,
    settings::{self, Secret},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    client::{Place, Reply, Service},
    config::GoogleKms,
    drawn::drawn,
    unopened::{Unopened, Unusable},
};

/// What every wrapped text begins with.
pub(crate) const MARK: &str = "google-kms:";

/// Where it is asked, unless somebody says otherwise; who a token is for, in any case.
const ADDRESS: &str = "https://cloudkms.googleapis.com";

/// How long a token of ours lasts, in seconds: it is used at once.
const TOKEN_SECONDS: u64 = 300;

/// The additional data, in base64: `sluice sealing key`.
const BOUND_TO: &str = "c2x1aWNlIHNlYWxpbmcga2V5";

/// A key of the service.
pub(crate) struct Google {
    service: Service,
    config: GoogleKms,
    clock: Clock,
}

#[derive(Deserialize)]
struct Plain {
    plaintext: Secret,
}

#[derive(Deserialize)]
struct Wrapped {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Failure {
    error: Status,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}

// === impl Google ===

impl Google {
    /// As the settings have it.
    pub(crate) fn open(config: &GoogleKms, clock: &Clock) -> Result<Self, Unusable> {
        if !is_key(&config.key) {
            let why = "is not such as `projects/P/locations/L/keyRings/R/cryptoKeys/K`";
            return Err(Unusable::new("seal.google_kms.key", why));
        }
        let address = Some(config.endpoint.as_str()).filter(|it| !it.is_empty());
        let place = Place::read(address.unwrap_or(ADDRESS), config.plaintext_beyond_loopback)
            .map_err(|why| Unusable::new("seal.google_kms.endpoint", why))?;
        let service = Service::open("Google Cloud KMS", place, config.ca_file.as_deref());
        let google = Self {
            service: service.map_err(|why| Unusable::new("seal.google_kms.ca_file", &why))?,
            config: config.clone(),
            clock: clock.clone(),
        };
        google
            .token()
            .map_err(|why| Unusable::new("seal.google_kms.credential_file", &why))?;
        Ok(google)
    }

    /// The key of a wrapped text, in base64.
    pub(crate) async fn unwrap(&self, wrapped: &str) -> Result<Secret, Unopened> {
        let asked = json!({
            "ciphertext": wrapped.trim_start_matches(MARK),
            "additionalAuthenticatedData": BOUND_TO,
        });
        let plain: Plain = self.ask("decrypt", &asked).await?;
        Ok(plain.plaintext)
    }

    /// A new key of 256 bits, wrapped.
    pub(crate) async fn draw(&self) -> Result<String, Unopened> {
        let asked = json!({
            "plaintext": *drawn(),
            "additionalAuthenticatedData": BOUND_TO,
        });
        let wrapped: Wrapped = self.ask("encrypt", &asked).await?;
        Ok(format!("{MARK}{}", wrapped.ciphertext))
    }

    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        what: &str,
        asked: &Value,
    ) -> Result<T, Unopened> {
        let token = self.token()?;
        let path = format!("/v1/{}:{what}", self.config.key);
        let request = self.service.posting_as(&path, &token, asked);
        let no_header = || self.service.refused("the credential makes no header");
        let request = request.ok_or_else(no_header)?;
        self.service.post(request, |reply| self.judged(reply)).await
    }

    /// What proves us: a token that the account signs, for this service alone.
    fn token(&self) -> Result<Secret, Unopened> {
        let GoogleKms {
            credential,
            credential_file,
            ..
        } = &self.config;
        let text = settings::secret(credential, credential_file, "seal.google_kms.credential");
        let text = text.map_err(Unopened::NoSecret)?;
        let text = text.ok_or(Unopened::NoneSet)?;
        let invalid = |why: &dyn std::fmt::Display| Unopened::NoCredential(why.to_string());
        let account = google_account(text.expose()).map_err(|why| invalid(&why))?;
        let now_s = self.clock.now_ms() / 1_000;
        let claims = json!({
            "iss": account.email,
            "sub": account.email,
            "aud": format!("{ADDRESS}/"),
            "iat": now_s,
            "exp": now_s.saturating_add(TOKEN_SECONDS),
        });
        let token = account.key.token(account.key_id.as_deref(), &claims);
        let token = token.map_err(|_| invalid(&"its private_key does not sign"))?;
        Ok(Secret::from(token.to_string()))
    }

    fn judged(&self, reply: &Reply) -> Unopened {
        let told = serde_json::from_slice::<Failure>(&reply.body).map(|it| it.error.status);
        self.service.judged(reply.status, &told.unwrap_or_default())
    }
}

/// Whether a text names a key.
fn is_key(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    let parts: Vec<&str> = text.split('/').collect();
    let [projects, _, locations, _, rings, _, keys, _] = parts[..] else {
        return false;
    };
    [projects, locations, rings, keys] == ["projects", "locations", "keyRings", "cryptoKeys"]
        && parts
            .iter()
            .all(|it| !it.is_empty() && it.bytes().all(plain) && !it.starts_with('.'))
}
