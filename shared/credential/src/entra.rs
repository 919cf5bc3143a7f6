//! Entra ID's forms: an application with its secret, or with a proof from a file.

use zeroize::Zeroizing;

use crate::{endpoint::Endpoint, fields::Fields, invalid::Invalid};

/// An application of a tenant.
pub struct Application {
    /// Its id.
    pub client_id: String,
    /// What the token is for.
    pub scope: String,
    /// Where it is given.
    pub token_url: Endpoint,
    /// How the edge proves to be it.
    pub proof: Proof,
}

/// How an application proves itself.
pub enum Proof {
    /// By its secret.
    Secret(Zeroizing<String>),
    /// By what stands in a file on the edge.
    File(String),
}

/// Who gives tokens when nothing else is said.
const AUTHORITY: &str = "https://login.microsoftonline.com";

/// All who give them.
const HOSTS: [&str; 3] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
];

/// What a token is for when nothing else is said.
const SCOPE: &str = "https://cognitiveservices.azure.com/.default";

// === impl Application ===

impl Application {
    pub(crate) fn by_secret(mut fields: Fields, declared: &[String]) -> Result<Self, Invalid> {
        let proof = Proof::Secret(fields.secret("client_secret")?);
        let known = "type, tenant_id, client_id, client_secret, scope and authority";
        Self::read(fields, declared, proof, known)
    }

    pub(crate) fn by_file(mut fields: Fields, declared: &[String]) -> Result<Self, Invalid> {
        let proof = Proof::File(fields.path("token_file")?);
        let known = "type, tenant_id, client_id, token_file, scope and authority";
        Self::read(fields, declared, proof, known)
    }

    fn read(
        mut fields: Fields,
        declared: &[String],
        proof: Proof,
        known: &'static str,
    ) -> Result<Self, Invalid> {
        let tenant = fields.word("tenant_id")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if !tenant.bytes().all(plain) || tenant.starts_with('.') {
            return Err(Invalid::Member("tenant_id", "must be an id or a domain"));
        }
        let client_id = fields.word("client_id")?;
        let scope = fields.word_maybe("scope")?;
        let authority = fields.word_maybe("authority")?;
        let authority = authority.as_deref().unwrap_or(AUTHORITY);
        let url = format!(
            "{}/{tenant}/oauth2/v2.0/token",
            authority.trim_end_matches('/')
        );
        let token_url = Endpoint::read(&url);
        let token_url = token_url.ok_or(Invalid::Member("authority", "must be a plain URL"))?;
        let usual = token_url.is_usual() && HOSTS.contains(&token_url.host());
        if !usual && !token_url.is_among(declared) {
            return Err(Invalid::Origin("authority"));
        }
        fields.done(known)?;
        Ok(Self {
            client_id,
            scope: scope.unwrap_or_else(|| SCOPE.to_owned()),
            token_url,
            proof,
        })
    }
}
