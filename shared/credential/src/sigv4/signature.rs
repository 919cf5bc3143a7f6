//! The signature: a key made of the secret, the day, the region and the service, and what it makes of the request.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::sigv4::{
    canonical::{self, Path, Request},
    date,
};

/// Who asks.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The public half.
    pub access_key_id: &'a str,
    /// The secret half.
    pub secret_access_key: &'a str,
    /// Proof of a role that was taken for a time.
    pub session_token: Option<&'a str>,
}

/// For what a signature is good, besides its day.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Such as `us-east-1`.
    pub region: &'a str,
    /// Such as `bedrock`.
    pub service: &'a str,
    /// How the service reads paths.
    pub path: Path,
    /// Whether the hash of the body is sent.
    pub body: Body,
}

/// Whether the hash of the body, which is always signed, is also a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Body {
    /// It is not, as Bedrock is content with.
    #[default]
    Silent,
    /// It is.
    Told,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Signs a request at a time in seconds since 1970. Gives the headers to add to it, which replace any of the same
/// name; their values hold the session token, if there is one.
pub fn sign(
    request: &Request<'_>,
    credentials: &Credentials<'_>,
    scope: &Scope<'_>,
    now_seconds: u64,
) -> Vec<(&'static str, String)> {
    let stamp = date::stamp(now_seconds);
    let day = stamp.split('T').next().unwrap_or_default();
    let body_hash = hex(&Sha256::digest(request.body));
    let mut added = vec![("x-amz-date", stamp.clone())];
    if let Some(token) = credentials.session_token {
        added.push(("x-amz-security-token", token.to_owned()));
    }
    if scope.body == Body::Told {
        added.push(("x-amz-content-sha256", body_hash.clone()));
    }
    let headers = canonical::headers(request.headers, &added);
    let written = canonical::request(request, scope.path, &headers, &body_hash);
    let place = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!(
        "{ALGORITHM}\n{stamp}\n{place}\n{}",
        hex(&Sha256::digest(written.as_bytes()))
    );
    let signature = hex(&mac(&key(credentials, scope, day), to_sign.as_bytes()));
    let authorization = format!(
        "{ALGORITHM} Credential={}/{place}, SignedHeaders={}, Signature={signature}",
        credentials.access_key_id,
        canonical::names(&headers)
    );
    added.push(("authorization", authorization));
    added
}

fn key(credentials: &Credentials<'_>, scope: &Scope<'_>, day: &str) -> [u8; 32] {
    let secret = format!("AWS4{}", credentials.secret_access_key);
    let day = mac(secret.as_bytes(), day.as_bytes());
    let region = mac(&day, scope.region.as_bytes());
    let service = mac(&region, scope.service.as_bytes());
    mac(&service, b"aws4_request")
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // A key of any length is a key: the other arm is never taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        for half in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
        out
    })
}

// === impl Credentials ===

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

// === impl Scope ===

impl<'a> Scope<'a> {
    /// Bedrock in a region.
    pub const fn bedrock(region: &'a str) -> Self {
        Self {
            region,
            service: "bedrock",
            path: Path::Normalized,
            body: Body::Silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: Credentials<'_> = Credentials {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        session_token: None,
    };
    const NOW: u64 = 1_795_348_800;

    fn signed(body: &[u8], credentials: &Credentials<'_>) -> Vec<(&'static str, String)> {
        let request = Request {
            method: "POST",
            path: "/model/amazon.nova-lite-v1%3A0/converse",
            query: "",
            headers: &[
                ("Content-Type", "application/json"),
                ("Host", "bedrock-runtime.us-east-1.amazonaws.com"),
            ],
            body,
        };
        sign(&request, credentials, &Scope::bedrock("us-east-1"), NOW)
    }

    #[test]
    fn a_request_has_the_signature_that_another_signer_gives_it() {
        let headers = signed(b"{}", &CREDENTIALS);
        assert_eq!(headers[0], ("x-amz-date", "20261122T120000Z".to_owned()));
        assert_eq!(headers[1].1, PLAIN);
    }

    #[test]
    fn a_session_token_is_sent_and_signed() {
        let credentials = Credentials {
            session_token: Some("tok/EXAMPLE=="),
            ..CREDENTIALS
        };
        let headers = signed(b"{}", &credentials);
        assert_eq!(
            headers[1],
            ("x-amz-security-token", "tok/EXAMPLE==".to_owned())
        );
        assert_eq!(headers[2].1, WITH_TOKEN);
    }

    #[test]
    fn another_body_has_another_signature_and_no_secret_is_shown() {
        assert_ne!(signed(b"{}", &CREDENTIALS), signed(b"{ }", &CREDENTIALS));
        let shown = format!("{CREDENTIALS:?}");
        assert!(shown.contains("AKIDEXAMPLE") && !shown.contains("wJalr"));
    }

    // Made once with another implementation of the same algorithm.
    const PLAIN: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=1bd83227191c724c7d1e38a2d48ddee632f3719260fbf1164c9ebf8d133c3704";
    const WITH_TOKEN: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=83cec55b51db5ca65be13602a59ed6d15443c99bae7ffa87f773002b3c9ffbad";
}
