//! Vault's transit engine: `decrypt` and `datakey/wrapped`, as its HTTP API has them.
//!
//! A wrapped text is what the engine calls a ciphertext, `vault:v1:…`, and names the version of its key, so that the engine's
//! own rotation needs nothing here. What was wrapped are the 32 bytes of the key.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header;
use lifecycle::settings::{self, Secret};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    client::{Place, Reply, Service},
    config::Vault,
    unopened::{Unopened, Unusable, said},
};

/// What every wrapped text begins with.
pub(crate) const MARK: &str = "vault:";

/// The statuses that pass: it is asked too often, is failing, or is sealed or on standby.
const PASSING: [u16; 8] = [412, 429, 472, 473, 500, 502, 503, 504];

/// A key of an engine.
pub(crate) struct Transit {
    service: Service,
    config: Vault,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
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
    errors: Vec<String>,
}

// === impl Transit ===

impl Transit {
    /// As the settings have it.
    pub(crate) fn open(config: &Vault) -> Result<Self, Unusable> {
        let place = Place::read(&config.address, config.plaintext_beyond_loopback)
            .map_err(|why| Unusable::new("seal.vault.address", why))?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let word = |text: &str| !text.is_empty() && text.bytes().all(plain);
        if !config.mount.split('/').all(word) {
            let why = "is not a path such as `transit`";
            return Err(Unusable::new("seal.vault.mount", why));
        }
        if !word(&config.key) {
            return Err(Unusable::new(
                "seal.vault.key",
                "is not a name such as `sluice`",
            ));
        }
        let service = Service::open("Vault", place, config.ca_file.as_deref());
        let transit = Self {
            service: service.map_err(|why| Unusable::new("seal.vault.ca_file", &why))?,
            config: config.clone(),
        };
        transit
            .token()
            .map_err(|why| Unusable::new("seal.vault.token", &why))?;
        Ok(transit)
    }

    /// The key of a wrapped text, in base64.
    pub(crate) async fn unwrap(&self, wrapped: &str) -> Result<Secret, Unopened> {
        let asked = json!({ "ciphertext": wrapped });
        let answer: Answer<Plain> = self.ask("decrypt", &asked).await?;
        Ok(answer.data.plaintext)
    }

    /// A new key of 256 bits, wrapped: the engine alone has seen it.
    pub(crate) async fn draw(&self) -> Result<String, Unopened> {
        let asked = json!({ "bits": 256 });
        let answer: Answer<Wrapped> = self.ask("datakey/wrapped", &asked).await?;
        Ok(answer.data.ciphertext)
    }

    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        what: &str,
        asked: &Value,
    ) -> Result<T, Unopened> {
        let Vault { mount, key, .. } = &self.config;
        let token = self.token()?;
        let posting = self.service.posting(&format!("/v1/{mount}/{what}/{key}"));
        let mut request = posting
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-vault-request", "true")
            .header("x-vault-token", token.expose());
        if !self.config.namespace.is_empty() {
            request = request.header("x-vault-namespace", &self.config.namespace);
        }
        let request = request.body(Full::new(Bytes::from(asked.to_string())));
        // Not told why: its parts hold a secret.
        let no_header = |_| {
            self.service
                .refused("the token or the namespace is no header")
        };
        let request = request.map_err(no_header)?;
        self.service.post(request, |reply| self.judged(reply)).await
    }

    fn token(&self) -> Result<Secret, Unopened> {
        let Vault {
            token, token_file, ..
        } = &self.config;
        let token = settings::secret(token, token_file, "seal.vault.token");
        let token = token.map_err(Unopened::NoSecret)?;
        token.ok_or(Unopened::NoneSet)
    }

    fn judged(&self, reply: &Reply) -> Unopened {
        let told = serde_json::from_slice::<Failure>(&reply.body).map(|it| it.errors.join("; "));
        let why = format!("{} {}", reply.status, said(&told.unwrap_or_default()));
        if PASSING.contains(&reply.status) {
            self.service.away(&why)
        } else {
            self.service.refused(&why)
        }
    }
}
