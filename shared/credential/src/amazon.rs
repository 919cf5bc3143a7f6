//! Amazon's forms: a role that is assumed with a pair of keys, or with a proof from a file.

use zeroize::Zeroizing;

use crate::{endpoint::Endpoint, fields::Fields, invalid::Invalid};

/// A role to assume.
pub struct Role {
    /// Such as `arn:aws:iam::123456789012:role/name`.
    pub arn: String,
    /// What the session is called in the account's log.
    pub session_name: String,
    /// What the owner of the role wants to hear.
    pub external_id: Option<String>,
    /// How long a session lasts, in seconds.
    pub duration_seconds: u64,
    /// Where the service stands that gives sessions; the region's own when nothing is said.
    pub token_url: Option<Endpoint>,
    /// How the edge proves that it may.
    pub proof: Proof,
}

/// How it is proved that a role may be assumed.
pub enum Proof {
    /// By a signature, for which the text is `ACCESS_KEY_ID:SECRET_ACCESS_KEY`, perhaps with `:SESSION_TOKEN`.
    Keys(Zeroizing<String>),
    /// By what stands in a file on the edge.
    File(String),
}

/// How long a session lasts when nothing else is said, in seconds.
const DURATION_SECONDS: u64 = 3_600;

/// What a session is called when nothing else is said.
const SESSION_NAME: &str = "sluice";

/// Whether this is the service that gives sessions, in any region.
pub fn is_usual(endpoint: &Endpoint) -> bool {
    let host = endpoint.host();
    let inner = host
        .strip_suffix(".amazonaws.com.cn")
        .or_else(|| host.strip_suffix(".amazonaws.com"));
    let Some(inner) = inner else { return false };
    let (service, region) = inner.split_once('.').unwrap_or((inner, ""));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    endpoint.is_usual() && matches!(service, "sts" | "sts-fips") && region.bytes().all(plain)
}

// === impl Role ===

impl Role {
    pub(crate) fn by_keys(mut fields: Fields, declared: &[String]) -> Result<Self, Invalid> {
        let id = fields.word("access_key_id")?;
        let secret = fields.secret("secret_access_key")?;
        let session = fields.secret_maybe("session_token")?;
        let visible = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b':')
        };
        if !visible(&id) {
            return Err(Invalid::Member(
                "access_key_id",
                "must be visible ASCII without a colon",
            ));
        }
        if !visible(&secret) {
            return Err(Invalid::Member(
                "secret_access_key",
                "must be visible ASCII",
            ));
        }
        let mut keys = Zeroizing::new(format!("{id}:{}", *secret));
        if let Some(session) = session {
            if !visible(&session) {
                return Err(Invalid::Member("session_token", "must be visible ASCII"));
            }
            keys.push(':');
            keys.push_str(&session);
        }
        Self::read(
            fields,
            declared,
            Proof::Keys(keys),
            "type, role_arn, access_key_id, secret_access_key, session_token, external_id, session_name, \
             duration_seconds and token_url",
        )
    }

    pub(crate) fn by_file(mut fields: Fields, declared: &[String]) -> Result<Self, Invalid> {
        let proof = Proof::File(fields.path("token_file")?);
        let known = "type, role_arn, token_file, session_name, duration_seconds and token_url";
        Self::read(fields, declared, proof, known)
    }

    fn read(
        mut fields: Fields,
        declared: &[String],
        proof: Proof,
        known: &'static str,
    ) -> Result<Self, Invalid> {
        let arn = fields.word("role_arn")?;
        if !arn.starts_with("arn:") || !arn.contains(":role/") {
            let wants = "must be like arn:aws:iam::123456789012:role/name";
            return Err(Invalid::Member("role_arn", wants));
        }
        let session_name = fields.word_maybe("session_name")?;
        let session_name = session_name.unwrap_or_else(|| SESSION_NAME.to_owned());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@-_".contains(&byte);
        if !(2..=64).contains(&session_name.len()) || !session_name.bytes().all(plain) {
            let wants = "must be 2 to 64 of letters, digits and +=,.@-_";
            return Err(Invalid::Member("session_name", wants));
        }
        let external_id = match proof {
            Proof::Keys(_) => fields.word_maybe("external_id")?,
            Proof::File(_) => None,
        };
        let duration_seconds = fields.number_maybe("duration_seconds")?;
        let duration_seconds = duration_seconds.unwrap_or(DURATION_SECONDS);
        if !(900..=43_200).contains(&duration_seconds) {
            return Err(Invalid::Member("duration_seconds", "must be 900 to 43200"));
        }
        let token_url = fields.url_maybe("token_url")?;
        if let Some(url) = &token_url
            && !is_usual(url)
            && !url.is_among(declared)
        {
            return Err(Invalid::Origin("token_url"));
        }
        fields.done(known)?;
        Ok(Self {
            arn,
            session_name,
            external_id,
            duration_seconds,
            token_url,
            proof,
        })
    }
}
