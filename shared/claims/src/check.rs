//! Proves a token: a [`Token`] and the keys of its issuer become [`Claims`], or what an issuer says of one that only it can read, or
//! what a certificate says that its authority has signed.
//!
//! Pure, given the time. What a token says of itself decides nothing: the algorithm must be one of the issuer's, and the key
//! one that can check no other.

use std::{borrow::Cow, fmt};

use policy::issuer::Issuer;
use serde_json::{Map, Value};

use crate::{base64, key_set::KeySet, token::Token};

/// The types that are taken where an issuer names none; beside them, none at all.
const USUAL_TYPES: [&str; 2] = ["JWT", "at+jwt"];

/// The longest subject, in bytes.
// Full: the token is refused.
pub const SUBJECT_BYTES_MAX: usize = 255;

/// When a token ends that has no end, milliseconds since 1970.
pub const NEVER_MS: u64 = u64::MAX;

/// What a proved token claims.
#[derive(Debug)]
pub struct Claims {
    all: Map<String, Value>,
    subject: String,
    expires_at_ms: u64,
    bound_to: Option<[u8; 32]>,
}

/// Why a token is not proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproved {
    /// It is not for this audience.
    Audience,
    /// Its type is not one of the issuer's.
    Type,
    /// Its algorithm is not one of the issuer's.
    Algorithm,
    /// No key of the issuer's has its id and fits its algorithm.
    UnknownKey,
    /// The signature is wrong.
    Forged,
    /// This claim is missing, or is not what it should be.
    Claim(&'static str),
    /// Its issuer says that it is not good, or not any more.
    Inactive,
    /// It is bound to a proof of its bearer's that nobody can give here.
    Bound,
    /// It has expired.
    Expired,
    /// Its time has not come.
    NotYet,
}

/// Proves that the issuer's key signed the token, for us, and for now.
pub fn check(
    token: Token<'_>,
    issuer: &Issuer,
    keys: &KeySet,
    now_ms: u64,
) -> Result<Claims, Unproved> {
    if token.issuer() != Some(issuer.url.as_str()) {
        return Err(Unproved::Claim("iss"));
    }
    if !takes_type(issuer, token.kind()) {
        return Err(Unproved::Type);
    }
    let algorithm = token.algorithm();
    if !issuer.algorithms.contains(&algorithm) {
        return Err(Unproved::Algorithm);
    }
    let key = keys
        .find(token.key_id(), algorithm)
        .ok_or(Unproved::UnknownKey)?;
    let proved = key.verify(algorithm, token.signed().as_bytes(), token.signature());
    proved.map_err(|_| Unproved::Forged)?;
    if !token.is_for(&issuer.audiences) {
        return Err(Unproved::Audience);
    }
    let bound_to = bound_to(token.claims())?;
    let expires_at_ms = times(token.claims(), issuer.leeway_ms, now_ms)?;
    let subject = subject(token.claims())?;
    Ok(Claims {
        subject,
        expires_at_ms,
        bound_to,
        all: token.into_claims(),
    })
}

/// Judges what an issuer says of a token that only it can read (RFC 7662, 2.2). It need not say whom a token is for or when it
/// ends; a token that says no audience is for us only where a condition must be true of it.
pub fn introspected(
    said: &Map<String, Value>,
    issuer: &Issuer,
    now_ms: u64,
) -> Result<Claims, Unproved> {
    if said.get("active") != Some(&Value::Bool(true)) {
        return Err(Unproved::Inactive);
    }
    let is_ours = |it: &Value| it.as_str() == Some(issuer.url.as_str());
    if said.get("iss").is_some_and(|it| !is_ours(it)) {
        return Err(Unproved::Claim("iss"));
    }
    // What is bound to a key of its bearer's (DPoP) is not for whoever merely has it.
    let is_bearer = |it: &Value| {
        it.as_str()
            .is_some_and(|it| it.eq_ignore_ascii_case("bearer"))
    };
    if said.get("token_type").is_some_and(|it| !is_bearer(it)) {
        return Err(Unproved::Type);
    }
    let is_for_us = match said.get("aud") {
        Some(Value::Array(some)) => some.iter().any(|it| takes_audience(issuer, it)),
        Some(one) => takes_audience(issuer, one),
        None => !issuer.mapping.condition.is_empty(),
    };
    if !is_for_us {
        return Err(Unproved::Audience);
    }
    let expires_at_ms = if said.contains_key("exp") {
        times(said, issuer.leeway_ms, now_ms)?
    } else {
        begun(said, issuer.leeway_ms, now_ms)?;
        NEVER_MS
    };
    Ok(Claims {
        subject: subject(said)?,
        expires_at_ms,
        bound_to: bound_to(said)?,
        all: said.clone(),
    })
}

/// Judges what a certificate says that its authority has signed and that a handshake has proved. Its last second, `exp`, is the
/// authority's to the letter: no clock may differ.
pub fn certified(said: Map<String, Value>, now_ms: u64) -> Result<Claims, Unproved> {
    let last = moment(&said, "exp")?.ok_or(Unproved::Claim("exp"))?;
    let expires_at_ms = last.saturating_add(1_000);
    if expires_at_ms <= now_ms {
        return Err(Unproved::Expired);
    }
    begun(&said, 0, now_ms)?;
    Ok(Claims {
        subject: subject(&said)?,
        expires_at_ms,
        bound_to: None,
        all: said,
    })
}

/// The SHA-256 of the certificate that a token must be shown with (RFC 8705, 3.1), if it is bound to one. What it is bound to
/// besides cannot be shown.
fn bound_to(claims: &Map<String, Value>) -> Result<Option<[u8; 32]>, Unproved> {
    let Some(bound) = claims.get("cnf") else {
        return Ok(None);
    };
    let members = bound.as_object().ok_or(Unproved::Bound)?;
    let digest = members.get("x5t#S256").filter(|_| members.len() == 1);
    let digest = digest.and_then(Value::as_str).and_then(base64::decode);
    let digest = digest.and_then(|it| it.try_into().ok());
    digest.map(Some).ok_or(Unproved::Bound)
}

fn takes_audience(issuer: &Issuer, said: &Value) -> bool {
    said.as_str()
        .is_some_and(|said| issuer.audiences.iter().any(|it| it == said))
}

fn takes_type(issuer: &Issuer, kind: Option<&str>) -> bool {
    // RFC 7515: what has no slash has this before it.
    let bare = |it: &str| {
        it.get(..12)
            .is_some_and(|it| it.eq_ignore_ascii_case("application/"))
    };
    let Some(kind) = kind else {
        return issuer.types.is_empty();
    };
    let kind = if bare(kind) {
        kind.get(12..).unwrap_or_default()
    } else {
        kind
    };
    if issuer.types.is_empty() {
        return USUAL_TYPES.iter().any(|it| it.eq_ignore_ascii_case(kind));
    }
    issuer.types.iter().any(|it| it.eq_ignore_ascii_case(kind))
}

/// Judges `exp`, `nbf` and `iat`, and says when the token ends, leeway included.
fn times(claims: &Map<String, Value>, leeway_ms: u64, now_ms: u64) -> Result<u64, Unproved> {
    let ends = moment(claims, "exp")?.ok_or(Unproved::Claim("exp"))?;
    let ends = ends.saturating_add(leeway_ms);
    if ends <= now_ms {
        return Err(Unproved::Expired);
    }
    begun(claims, leeway_ms, now_ms).map(|()| ends)
}

/// Judges `nbf` and `iat`.
fn begun(claims: &Map<String, Value>, leeway_ms: u64, now_ms: u64) -> Result<(), Unproved> {
    for name in ["nbf", "iat"] {
        if moment(claims, name)?.is_some_and(|at| at > now_ms.saturating_add(leeway_ms)) {
            return Err(Unproved::NotYet);
        }
    }
    Ok(())
}

/// A time in milliseconds. One that is no number is an error, and not absent.
fn moment(claims: &Map<String, Value>, name: &'static str) -> Result<Option<u64>, Unproved> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = match value {
        Value::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
        _ => None,
    };
    let seconds = seconds.ok_or(Unproved::Claim(name))?;
    Ok(Some(seconds.saturating_mul(1_000)))
}

/// The seconds of a time with a fraction, which is let go.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded before, and the fraction is to go"
)]
fn whole(seconds: f64) -> Option<u64> {
    (0.0..9e15).contains(&seconds).then_some(seconds as u64)
}

/// Who it is about: a person or, of client credentials, the client.
fn subject(claims: &Map<String, Value>) -> Result<String, Unproved> {
    let given = ["sub", "client_id", "azp"]
        .into_iter()
        .find_map(|name| claims.get(name));
    let subject = given
        .and_then(Value::as_str)
        .ok_or(Unproved::Claim("sub"))?;
    let fits =
        (1..=SUBJECT_BYTES_MAX).contains(&subject.len()) && !subject.contains(char::is_control);
    if fits {
        Ok(subject.to_owned())
    } else {
        Err(Unproved::Claim("sub"))
    }
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(_) | Value::Bool(_) => Some(Cow::Owned(value.to_string())),
        _ => None,
    }
}

// === impl Claims ===

impl Claims {
    /// Who the token is about.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// When it ends, leeway included, milliseconds since 1970; [`NEVER_MS`] for one that its issuer gives no end.
    pub const fn expires_at_ms(&self) -> u64 {
        self.expires_at_ms
    }

    /// The SHA-256 of the certificate that the token must be shown with, if it is bound to one.
    pub const fn bound_to(&self) -> Option<&[u8; 32]> {
        self.bound_to.as_ref()
    }

    /// The texts that one claim says: itself, or each of a list. Numbers and truth values are as JSON writes them; what is
    /// none of these says nothing.
    pub fn said(&self, claim: &str) -> Vec<Cow<'_, str>> {
        match self.all.get(claim) {
            Some(Value::Array(some)) => some.iter().filter_map(text).collect(),
            Some(value) => text(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// All that it claims.
    pub const fn all(&self) -> &Map<String, Value> {
        &self.all
    }
}

impl fmt::Display for Unproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Audience => f.write_str("the token is not for this audience"),
            Self::Type => f.write_str("the token's type is not one that its issuer is trusted for"),
            Self::Algorithm => {
                f.write_str("the token's algorithm is not one that its issuer is trusted for")
            }
            Self::UnknownKey => {
                f.write_str("the token is signed by no key that its issuer publishes")
            }
            Self::Forged => f.write_str("the token's signature is not valid"),
            Self::Claim(name) => write!(
                f,
                "the token's claim `{name}` is missing or not what it should be"
            ),
            Self::Inactive => {
                f.write_str("the token's issuer says that it is not good, or not any more")
            }
            Self::Bound => f.write_str(
                "the token is bound to a proof that cannot be given here: get one that is bound to a certificate, or to nothing",
            ),
            Self::Expired => f.write_str("the token has expired"),
            Self::NotYet => f.write_str("the token is not valid yet"),
        }
    }
}

impl std::error::Error for Unproved {}
