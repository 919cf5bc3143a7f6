//! Google's forms: the key of a service account, workload identity federation, and the metadata server.
//!
//! The first two are Google's own files, as they are downloaded; what stands in them beside what is read is left alone.

use crate::{endpoint::Endpoint, fields::Fields, invalid::Invalid, signing::SigningKey};

/// The key of a service account.
pub struct Account {
    /// Whose it is, such as `name@project.iam.gserviceaccount.com`.
    pub email: String,
    /// What Google calls the key.
    pub key_id: Option<String>,
    /// The key.
    pub key: SigningKey,
    /// Where an assertion is exchanged.
    pub token_url: Endpoint,
}

/// A workload that another issuer vouches for.
pub struct Federated {
    /// The pool and the provider in it that know the issuer.
    pub audience: String,
    /// What kind of proof it is.
    pub subject_token_type: String,
    /// Where the proof comes from.
    pub source: Source,
    /// Where it is exchanged.
    pub token_url: Endpoint,
    /// Where the token is exchanged for one of a service account, if it is.
    pub impersonation_url: Option<Endpoint>,
    /// How long that one lasts, in seconds.
    pub lifetime_seconds: u64,
}

/// Where a proof comes from.
pub struct Source {
    /// From where.
    pub place: Place,
    /// The member that holds it, where it stands in an object of JSON.
    pub member: Option<String>,
}

/// From where a proof comes.
pub enum Place {
    /// A file on the edge.
    File(String),
    /// A server that the edge asks, with these headers.
    Url(Endpoint, Vec<(String, String)>),
}

/// The machine that the edge runs on.
pub struct Machine {
    /// Which of its service accounts.
    pub account: String,
    /// Where the metadata server stands.
    pub url: Endpoint,
}

/// Where the metadata server stands, by itself.
pub const METADATA_ORIGIN: &str = "http://metadata.google.internal:80";

/// Where Google exchanges, by itself.
const HOSTS: [&str; 5] = [
    "oauth2.googleapis.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
    "www.googleapis.com",
    "accounts.google.com",
];

/// How long a service account's token lasts when nothing else is said, in seconds.
const LIFETIME_SECONDS: u64 = 3_600;

/// How many headers may be sent for a proof.
// Full: the form is refused.
const HEADERS_MAX: usize = 16;

fn check(endpoint: &Endpoint, name: &'static str, declared: &[String]) -> Result<(), Invalid> {
    let usual = endpoint.is_usual() && HOSTS.contains(&endpoint.host());
    if usual || endpoint.is_among(declared) {
        Ok(())
    } else {
        Err(Invalid::Origin(name))
    }
}

fn url(
    fields: &mut Fields,
    name: &'static str,
    usual: &str,
    declared: &[String],
) -> Result<Endpoint, Invalid> {
    let endpoint = fields.url_maybe(name)?.or_else(|| Endpoint::read(usual));
    let endpoint = endpoint.ok_or(Invalid::Missing(name))?;
    check(&endpoint, name, declared)?;
    Ok(endpoint)
}

// === impl Account ===

impl Account {
    pub(crate) fn read(mut fields: Fields, declared: &[String]) -> Result<Self, Invalid> {
        let email = fields.word("client_email")?;
        let pem = fields.secret("private_key")?;
        let key = SigningKey::read(&pem);
        let key = key.map_err(|_| {
            Invalid::Member(
                "private_key",
                "must be an RSA key of 2048 bits or more in PEM, its line ends written as \\n",
            )
        })?;
        Ok(Self {
            email,
            key_id: fields.word_maybe("private_key_id")?,
            key,
            token_url: url(
                &mut fields,
                "token_uri",
                "https://oauth2.googleapis.com/token",
                declared,
            )?,
        })
    }
}

// === impl Federated ===

impl Federated {
    pub(crate) fn read(mut fields: Fields, declared: &[String]) -> Result<Self, Invalid> {
        let source = fields.object_maybe("credential_source")?;
        let source = source.ok_or(Invalid::Missing("credential_source"))?;
        let impersonation_url = fields.url_maybe("service_account_impersonation_url")?;
        if let Some(url) = &impersonation_url {
            check(url, "service_account_impersonation_url", declared)?;
        }
        let mut lifetime = fields.object_maybe("service_account_impersonation")?;
        let lifetime = lifetime
            .as_mut()
            .map(|it| it.number_maybe("token_lifetime_seconds"));
        let lifetime_seconds = lifetime.transpose()?.flatten().unwrap_or(LIFETIME_SECONDS);
        if !(600..=43_200).contains(&lifetime_seconds) {
            return Err(Invalid::Member(
                "token_lifetime_seconds",
                "must be 600 to 43200",
            ));
        }
        Ok(Self {
            audience: fields.word("audience")?,
            subject_token_type: fields.word("subject_token_type")?,
            source: Source::read(source, declared)?,
            token_url: url(
                &mut fields,
                "token_url",
                "https://sts.googleapis.com/v1/token",
                declared,
            )?,
            impersonation_url,
            lifetime_seconds,
        })
    }
}

// === impl Source ===

impl Source {
    fn read(mut fields: Fields, declared: &[String]) -> Result<Self, Invalid> {
        let url = fields.url_maybe("url")?;
        let place = match url {
            None if fields.word_maybe("environment_id")?.is_some()
                || fields.object_maybe("executable")?.is_some() =>
            {
                return Err(Invalid::Member(
                    "credential_source",
                    "must name a `file` or a `url`",
                ));
            }
            None => Place::File(fields.path("file")?),
            Some(url) => {
                // The edge asks there, perhaps with a secret in a header: never where nobody but the form says so.
                if !url.is_among(declared) {
                    return Err(Invalid::Origin("url"));
                }
                let headers = fields.object_maybe("headers")?;
                let headers = headers.map(|it| it.texts("headers")).transpose()?;
                let headers = headers.unwrap_or_default();
                let plain = |(name, value): &(String, String)| {
                    let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
                    !name.is_empty()
                        && name.bytes().all(token)
                        && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
                };
                if headers.len() > HEADERS_MAX || !headers.iter().all(plain) {
                    return Err(Invalid::Member(
                        "headers",
                        "must be at most 16 plain headers",
                    ));
                }
                Place::Url(url, headers)
            }
        };
        let Some(mut format) = fields.object_maybe("format")? else {
            return Ok(Self {
                place,
                member: None,
            });
        };
        let member = match format.word("type")?.as_str() {
            "text" => None,
            "json" => Some(format.word("subject_token_field_name")?),
            _ => {
                return Err(Invalid::Member(
                    "format",
                    "must have a `type` of text or json",
                ));
            }
        };
        Ok(Self { place, member })
    }
}

// === impl Machine ===

impl Machine {
    pub(crate) fn read(mut fields: Fields, declared: &[String]) -> Result<Self, Invalid> {
        let account = fields.word_maybe("service_account")?;
        let account = account.unwrap_or_else(|| "default".to_owned());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._@".contains(&byte);
        if !account.bytes().all(plain) || account.starts_with('.') {
            return Err(Invalid::Member(
                "service_account",
                "must be `default` or an address",
            ));
        }
        let given = fields.url_maybe("url")?;
        fields.done("type, service_account and url")?;
        let url = given.or_else(|| Endpoint::read(METADATA_ORIGIN));
        let url = url.ok_or(Invalid::Missing("url"))?;
        if url.origin() != METADATA_ORIGIN && !url.is_among(declared) {
            return Err(Invalid::Origin("url"));
        }
        Ok(Self { account, url })
    }
}
