//! Azure Key Vault: `wrapkey` and `unwrapkey` of a key of RSA, as its REST API has them, by an application of Entra ID.
//!
//! A wrapped text is `azure-key-vault:`, the version of the key that wrapped it, and what the service gave, in base64 for URLs; so a
//! newer version of the key leaves it as it is. The service draws no keys: a new one is drawn here and let go when it is wrapped.

use bytes::Bytes;
use credential::sigv4::encode_segment;
use http_body_util::Full;
use hyper::header;
use lifecycle::settings::{self, Secret};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    client::{Place, Reply, Service},
    config::AzureKeyVault,
    drawn::drawn,
    unopened::{Unopened, Unusable},
};

/// What every wrapped text begins with.
pub(crate) const MARK: &str = "azure-key-vault:";

/// How keys are wrapped.
const ALGORITHM: &str = "RSA-OAEP-256";

/// A key of the service.
pub(crate) struct Azure {
    service: Service,
    /// Who gives tokens.
    entra: Service,
    config: AzureKeyVault,
}

#[derive(Deserialize)]
struct Token {
    access_token: Secret,
}

#[derive(Deserialize)]
struct Plain {
    value: Secret,
}

#[derive(Deserialize)]
struct Wrapped {
    kid: String,
    value: String,
}

#[derive(Deserialize)]
struct Failure {
    error: Reason,
}

/// The vault says it in an object, Entra ID in a word.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reason {
    Word(String),
    Object { code: String },
}

// === impl Azure ===

impl Azure {
    /// As the settings have it.
    pub(crate) fn open(config: &AzureKeyVault) -> Result<Self, Unusable> {
        for (setting, text) in [
            ("seal.azure_key_vault.key", &config.key),
            ("seal.azure_key_vault.tenant_id", &config.tenant_id),
            ("seal.azure_key_vault.client_id", &config.client_id),
        ] {
            if !is_word(text) {
                return Err(Unusable::new(setting, "is not a name or an id"));
            }
        }
        let ca_file = config.ca_file.as_deref();
        let open = |name, setting, address: &str| {
            let place = Place::read(address, config.plaintext_beyond_loopback);
            let place = place.map_err(|why| Unusable::new(setting, why))?;
            Service::open(name, place, ca_file)
                .map_err(|why| Unusable::new("seal.azure_key_vault.ca_file", &why))
        };
        let vault = ("Azure Key Vault", "seal.azure_key_vault.address");
        let entra = ("Entra ID", "seal.azure_key_vault.authority");
        let azure = Self {
            service: open(vault.0, vault.1, &config.address)?,
            entra: open(entra.0, entra.1, &config.authority)?,
            config: config.clone(),
        };
        azure
            .secret()
            .map_err(|why| Unusable::new("seal.azure_key_vault.client_secret", &why))?;
        Ok(azure)
    }

    /// The key of a wrapped text, in base64.
    pub(crate) async fn unwrap(&self, wrapped: &str) -> Result<Secret, Unopened> {
        let parts = wrapped.trim_start_matches(MARK).split_once(':');
        let parts = parts.filter(|(version, _)| is_word(version));
        let (version, value) = parts.ok_or_else(|| {
            let why = "the wrapped key names no version of its key";
            self.service.refused(why)
        })?;
        let asked = json!({ "alg": ALGORITHM, "value": value });
        let path = format!("/{version}/unwrapkey");
        let plain: Plain = self.ask(&path, &asked).await?;
        Ok(plain.value)
    }

    /// A new key of 256 bits, wrapped.
    pub(crate) async fn draw(&self) -> Result<String, Unopened> {
        let asked = json!({ "alg": ALGORITHM, "value": *drawn() });
        let wrapped: Wrapped = self.ask("/wrapkey", &asked).await?;
        let version = wrapped.kid.rsplit('/').next().filter(|it| is_word(it));
        let version = version.ok_or_else(|| self.service.strange())?;
        Ok(format!("{MARK}{version}:{}", wrapped.value))
    }

    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        what: &str,
        asked: &Value,
    ) -> Result<T, Unopened> {
        let token = self.token().await?;
        let path = format!("/keys/{}{what}?api-version=7.4", self.config.key);
        let request = self.service.posting_as(&path, &token, asked);
        let no_header = || self.entra.refused("its token is no header");
        let request = request.ok_or_else(no_header)?;
        let judge = |reply: &Reply| judged(&self.service, reply);
        self.service.post(request, judge).await
    }

    /// What proves us to the vault. Asked for each time: that is at a start, and once a minute.
    async fn token(&self) -> Result<Secret, Unopened> {
        let secret = self.secret()?;
        let [client, secret, scope] = [
            &*self.config.client_id,
            secret.expose(),
            &*self.config.scope,
        ]
        .map(encode_segment);
        let fields = format!(
            "grant_type=client_credentials&client_id={client}&client_secret={secret}&scope={scope}"
        );
        let path = format!("/{}/oauth2/v2.0/token", self.config.tenant_id);
        let request = self
            .entra
            .posting(&path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(fields)));
        let request = request.map_err(|_| self.entra.refused("it cannot be asked"))?;
        let judge = |reply: &Reply| judged(&self.entra, reply);
        let token: Token = self.entra.post(request, judge).await?;
        Ok(token.access_token)
    }

    fn secret(&self) -> Result<Secret, Unopened> {
        let AzureKeyVault {
            client_secret: text,
            client_secret_file: file,
            ..
        } = &self.config;
        let secret = settings::secret(text, file, "seal.azure_key_vault.client_secret");
        let secret = secret.map_err(Unopened::NoSecret)?;
        secret.ok_or(Unopened::NoneSet)
    }
}

fn judged(service: &Service, reply: &Reply) -> Unopened {
    let told = serde_json::from_slice::<Failure>(&reply.body).map(|it| match it.error {
        Reason::Word(code) | Reason::Object { code } => code,
    });
    service.judged(reply.status, &told.unwrap_or_default())
}

/// A name or an id, as it may stand in a path.
fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.bytes().all(plain)
}
