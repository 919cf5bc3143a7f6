//! A token taken apart: its head, its claims and its signature. Nothing of it is proved yet.
//!
//! Reads the compact form of a signed token (RFC 7515) and nothing else. What a head says of where keys are (`jwk`, `jku`,
//! `x5u`, `x5c`) is never looked at; what asks for an understanding that is not here (`crit`, `b64`) is no token.

use policy::issuer::Algorithm;
use serde_json::{Map, Value};

use crate::{base64, document, key_set::KEY_ID_BYTES_MAX};

/// The longest token, in bytes.
// Full: it is none.
pub const BYTES_MAX: usize = 8 << 10;

/// A token. Not `Debug`: whoever has its text is whom it names.
pub struct Token<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    algorithm: Algorithm,
    key_id: Option<String>,
    kind: Option<String>,
    claims: Map<String, Value>,
}

/// Why a text is no token that anybody here could check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoToken {
    /// It is not written as one.
    Malformed,
    /// It is signed by no algorithm that is ever taken.
    Algorithm,
}

/// Whether a text has the shape of a token: three parts of the letters that stand in one, beginning as every object does.
pub fn is_shaped(text: &str) -> bool {
    text.starts_with("ey")
        && text.bytes().filter(|byte| *byte == b'.').count() == 2
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

// === impl Token ===

impl<'a> Token<'a> {
    /// Takes a text apart.
    pub fn read(text: &'a str) -> Result<Self, NoToken> {
        if text.len() > BYTES_MAX {
            return Err(NoToken::Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(NoToken::Malformed)?;
        let (head, claims) = signed.split_once('.').ok_or(NoToken::Malformed)?;
        let object = |part: &str| document::read(&base64::decode(part)?).ok();
        let head = object(head).ok_or(NoToken::Malformed)?;
        let claims = object(claims).ok_or(NoToken::Malformed)?;
        let signature = base64::decode(signature).filter(|it| !it.is_empty());
        let signature = signature.ok_or(NoToken::Malformed)?;
        if head.contains_key("crit") || head.contains_key("b64") {
            return Err(NoToken::Malformed);
        }
        let text_of = |name: &str| match head.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(NoToken::Malformed),
        };
        let algorithm = text_of("alg")?.ok_or(NoToken::Algorithm)?;
        let key_id = text_of("kid")?;
        if key_id
            .as_ref()
            .is_some_and(|it| it.len() > KEY_ID_BYTES_MAX)
        {
            return Err(NoToken::Malformed);
        }
        Ok(Self {
            signed,
            signature,
            algorithm: Algorithm::named(&algorithm).ok_or(NoToken::Algorithm)?,
            kind: text_of("typ")?,
            key_id,
            claims,
        })
    }

    /// Who says that it issued this; not proved.
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// Whether it says that it is for one of these; not proved.
    pub fn is_for(&self, audiences: &[String]) -> bool {
        let is_one = |it: &Value| {
            it.as_str()
                .is_some_and(|it| audiences.iter().any(|own| own == it))
        };
        match self.claims.get("aud") {
            Some(Value::Array(all)) => all.iter().any(is_one),
            Some(one) => is_one(one),
            None => false,
        }
    }

    /// How it says that it is signed.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// By which key it says that it is signed.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// What it says that it is.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// What is signed.
    pub(crate) const fn signed(&self) -> &str {
        self.signed
    }

    /// The signature.
    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// What it claims; not proved.
    pub(crate) const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Takes the claims out.
    pub(crate) fn into_claims(self) -> Map<String, Value> {
        self.claims
    }
}
