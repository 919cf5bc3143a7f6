//! AWS KMS: `Decrypt` and `GenerateDataKeyWithoutPlaintext`, as its JSON protocol has them, signed with version 4.
//!
//! A wrapped text is `aws-kms:` and the service's ciphertext in base64. It is bound to what it is for by an encryption context,
//! which the service's own log shows. Of what the service says in a refusal nothing is repeated but its name: the sentence may
//! hold what was signed.

use bytes::Bytes;
use credential::sigv4::{Body, Credentials, Path, Request as Signed, Scope, sign};
use http_body_util::Full;
use lifecycle::{
    clock::Clock,
    settings::{self, Secret},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    client::{Place, Reply, Service},
    config::AwsKms,
    unopened::{Unopened, Unusable, said},
};

/// What every wrapped text begins with.
pub(crate) const MARK: &str = "aws-kms:";

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Refusals that pass, by the ends of their names.
const PASSING: [&str; 4] = [
    "ThrottlingException",
    "LimitExceededException",
    "DependencyTimeoutException",
    "KMSInternalException",
];

/// A key of the service.
pub(crate) struct Kms {
    service: Service,
    config: AwsKms,
    clock: Clock,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Plain {
    plaintext: Secret,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wrapped {
    ciphertext_blob: String,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(rename = "__type")]
    name: String,
}

// === impl Kms ===

impl Kms {
    /// As the settings have it.
    pub(crate) fn open(config: &AwsKms, clock: &Clock) -> Result<Self, Unusable> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if config.region.is_empty() || !config.region.bytes().all(plain) {
            return Err(Unusable::new(
                "seal.aws_kms.region",
                "is not such as `eu-west-1`",
            ));
        }
        if config.key_id.is_empty() {
            return Err(Unusable::new("seal.aws_kms.key_id", "is empty"));
        }
        let address = match config.endpoint.as_str() {
            "" => format!("https://kms.{}.amazonaws.com", config.region),
            told => told.to_owned(),
        };
        let place = Place::read(&address, config.plaintext_beyond_loopback)
            .map_err(|why| Unusable::new("seal.aws_kms.endpoint", why))?;
        let service = Service::open("AWS KMS", place, config.ca_file.as_deref());
        let kms = Self {
            service: service.map_err(|why| Unusable::new("seal.aws_kms.ca_file", &why))?,
            config: config.clone(),
            clock: clock.clone(),
        };
        kms.secret()
            .map_err(|why| Unusable::new("seal.aws_kms.secret_access_key", &why))?;
        Ok(kms)
    }

    /// The key of a wrapped text, in base64.
    pub(crate) async fn unwrap(&self, wrapped: &str) -> Result<Secret, Unopened> {
        let asked = json!({
            "CiphertextBlob": wrapped.trim_start_matches(MARK),
            "KeyId": self.config.key_id,
            "EncryptionContext": context(),
        });
        let plain: Plain = self.ask("Decrypt", &asked).await?;
        Ok(plain.plaintext)
    }

    /// A new key of 256 bits, wrapped: the service alone has seen it.
    pub(crate) async fn draw(&self) -> Result<String, Unopened> {
        let asked = json!({
            "KeyId": self.config.key_id,
            "KeySpec": "AES_256",
            "EncryptionContext": context(),
        });
        let wrapped: Wrapped = self.ask("GenerateDataKeyWithoutPlaintext", &asked).await?;
        Ok(format!("{MARK}{}", wrapped.ciphertext_blob))
    }

    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        what: &str,
        asked: &Value,
    ) -> Result<T, Unopened> {
        let (target, body) = (format!("TrentService.{what}"), asked.to_string());
        let posting = self.service.posting("/");
        let mut request = posting
            .header("content-type", CONTENT_TYPE)
            .header("x-amz-target", &target);
        for (name, value) in self.signature(&target, body.as_bytes())? {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body)));
        // Not told why: its parts hold a signature.
        let no_header = |_| self.service.refused("the access key is no header");
        let request = request.map_err(no_header)?;
        self.service.post(request, |reply| self.judged(reply)).await
    }

    fn signature(
        &self,
        target: &str,
        body: &[u8],
    ) -> Result<Vec<(&'static str, String)>, Unopened> {
        let secret = self.secret()?;
        let credentials = Credentials {
            access_key_id: &self.config.access_key_id,
            secret_access_key: secret.expose(),
            session_token: None,
        };
        let scope = Scope {
            region: &self.config.region,
            service: "kms",
            path: Path::Normalized,
            body: Body::Silent,
        };
        let request = Signed {
            method: "POST",
            path: "/",
            query: "",
            headers: &[
                ("host", self.service.authority()),
                ("content-type", CONTENT_TYPE),
                ("x-amz-target", target),
            ],
            body,
        };
        let now_s = self.clock.now_ms() / 1_000;
        Ok(sign(&request, &credentials, &scope, now_s))
    }

    fn secret(&self) -> Result<Secret, Unopened> {
        let AwsKms {
            secret_access_key: text,
            secret_access_key_file: file,
            ..
        } = &self.config;
        let secret = settings::secret(text, file, "seal.aws_kms.secret_access_key");
        let secret = secret.map_err(Unopened::NoSecret)?;
        secret.ok_or(Unopened::NoneSet)
    }

    fn judged(&self, reply: &Reply) -> Unopened {
        let told = serde_json::from_slice::<Failure>(&reply.body).map(|it| it.name);
        let name = told.unwrap_or_default();
        let why = format!("{} {}", reply.status, said(&name));
        if reply.status >= 500 || PASSING.iter().any(|it| name.ends_with(it)) {
            self.service.away(&why)
        } else {
            self.service.refused(&why)
        }
    }
}

/// What a wrapped key is for; another one opens it not.
fn context() -> Value {
    json!({ "sluice": "sealing key" })
}
