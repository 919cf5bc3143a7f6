//! Signs a request for Amazon's services, where the credential is a pair of keys.
//!
//! Knows how such a pair is written down and which region a host stands in; the signature itself is the credential's. No
//! half of the pair is in an error or a log, and the secret half leaves this process in no form but the signature.

use credential::sigv4::{self, Credentials, Scope};
use http::{HeaderValue, header};
use hyper::Request;

/// The region of a host that does not tell its own.
const REGION: &str = "us-east-1";

/// For which service a signature is good.
#[derive(Debug, Clone, Copy)]
pub struct Service<'a>(Scope<'a>);

/// The credential is no pair of keys, or the request cannot carry the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsignable;

/// Adds the signature. `secret` is `ACCESS_KEY_ID:SECRET_ACCESS_KEY`, and perhaps `:SESSION_TOKEN`.
/// `body` is all of it; `now_seconds` is since 1970.
pub fn sign<B>(
    request: &mut Request<B>,
    body: &[u8],
    secret: &[u8],
    service: &Service<'_>,
    now_seconds: u64,
) -> Result<(), Unsignable> {
    let pair = str::from_utf8(secret).map_err(|_| Unsignable)?;
    let mut parts = pair.splitn(3, ':');
    let (Some(access_key_id), Some(secret_access_key)) = (parts.next(), parts.next()) else {
        return Err(Unsignable);
    };
    let credentials = Credentials {
        access_key_id,
        secret_access_key,
        session_token: parts.next(),
    };
    let text = |name| request.headers().get(name).and_then(|it| it.to_str().ok());
    let signed = [
        ("host", text(header::HOST).unwrap_or_default()),
        (
            "content-type",
            text(header::CONTENT_TYPE).unwrap_or_default(),
        ),
    ];
    let path = request.uri().path();
    let said = sigv4::Request {
        method: request.method().as_str(),
        path,
        query: request.uri().query().unwrap_or_default(),
        headers: &signed,
        body,
    };
    let added = sigv4::sign(&said, &credentials, &service.0, now_seconds);
    for (name, value) in added {
        let mut value = HeaderValue::try_from(value).map_err(|_| Unsignable)?;
        value.set_sensitive(true);
        request.headers_mut().insert(name, value);
    }
    Ok(())
}

/// The region in a host such as `bedrock-runtime.eu-west-1.amazonaws.com`.
pub fn region(host: &str) -> &str {
    let inner = host
        .strip_suffix(".amazonaws.com")
        .or_else(|| host.strip_suffix(".amazonaws.com.cn"))
        .or_else(|| host.strip_suffix(".api.aws"));
    inner
        .and_then(|inner| inner.rsplit('.').next())
        .filter(|region| region.contains('-') && !region.starts_with("bedrock"))
        .unwrap_or(REGION)
}

// === impl Service ===

impl<'a> Service<'a> {
    /// Bedrock at this host.
    pub fn bedrock(host: &'a str) -> Self {
        Self(Scope::bedrock(region(host)))
    }

    /// The service that gives sessions, at this host.
    pub fn sts(host: &'a str) -> Self {
        Self(Scope {
            service: "sts",
            ..Scope::bedrock(region(host))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_the_host_s_own_where_it_tells_one() {
        for (host, expected) in [
            ("bedrock-runtime.eu-west-1.amazonaws.com", "eu-west-1"),
            (
                "bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
                "us-gov-west-1",
            ),
            (
                "vpce-1.bedrock-runtime.ap-south-1.vpce.amazonaws.com",
                REGION,
            ),
            ("127.0.0.1", REGION),
        ] {
            assert_eq!(region(host), expected, "{host}");
        }
    }

    #[test]
    fn a_pair_becomes_a_signature_and_what_is_none_is_refused() {
        let mut request = Request::post("http://h/model/a/converse")
            .header("host", "h")
            .body(())
            .unwrap();
        assert_eq!(
            sign(
                &mut request,
                b"",
                b"only-one-half",
                &Service::bedrock("h"),
                0
            ),
            Err(Unsignable)
        );
        let service = Service::bedrock("h");
        let keys = b"AKID:secret:token";
        sign(&mut request, b"", keys, &service, 1_440_938_160).unwrap();
        let text = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(text("x-amz-date"), "20150830T123600Z");
        assert_eq!(text("x-amz-security-token"), "token");
        let authorization = text("authorization");
        assert!(authorization.starts_with(
            "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/bedrock/aws4_request"
        ));
        assert!(!authorization.contains("secret,"));
    }
}
