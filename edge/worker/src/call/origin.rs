//! Where a provider stands: its base URL, taken apart once.
//!
//! Knows URLs; knows nothing of sockets or credentials.

use std::{fmt, net::IpAddr};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header, uri::PathAndQuery};
use http_body_util::Full;

/// Scheme, host, port and the path before ours.
#[derive(Debug)]
pub struct Origin {
    text: String,
    host: String,
    host_header: HeaderValue,
    port: u16,
    encrypted: bool,
    prefix: String,
}

/// The base URL is not one we can call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidBaseUrl;

// === impl Origin ===

impl Origin {
    /// Takes a base URL such as `https://api.openai.com/v1` apart.
    pub fn parse(base_url: &str) -> Result<Self, InvalidBaseUrl> {
        let uri: Uri = base_url.parse().map_err(|_| InvalidBaseUrl)?;
        let authority = uri.authority().ok_or(InvalidBaseUrl)?;
        // What stands before an `@` would be a credential of which nobody knows that it is one.
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(InvalidBaseUrl);
        }
        let (scheme, encrypted, usual) = match uri.scheme_str() {
            Some("https") => ("https", true, 443),
            Some("http") => ("http", false, 80),
            _ => return Err(InvalidBaseUrl),
        };
        let port = authority.port_u16().unwrap_or(usual);
        let host = authority.host().to_ascii_lowercase();
        let shown = if port == usual {
            host.clone()
        } else {
            format!("{host}:{port}")
        };
        Ok(Self {
            text: format!("{scheme}://{host}:{port}"),
            host_header: HeaderValue::try_from(shown).map_err(|_| InvalidBaseUrl)?,
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port,
            encrypted,
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// Scheme, host and port, such as `https://api.openai.com:443`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host as an address, if it is one.
    pub fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether to speak TLS.
    pub const fn encrypted(&self) -> bool {
        self.encrypted
    }

    /// What to say in the header `host`.
    pub const fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    /// A request for something below the base URL, whose answer must come as it is.
    pub fn request(
        &self,
        (method, below): (Method, &str),
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, InvalidBaseUrl> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.path(below)?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host_header.clone());
        let identity = HeaderValue::from_static("identity");
        headers.insert(header::ACCEPT_ENCODING, identity);
        Ok(request)
    }

    /// The path of something below the base URL, as a request's target.
    pub fn path(&self, below: &str) -> Result<Uri, InvalidBaseUrl> {
        let path = PathAndQuery::try_from(format!("{}{below}", self.prefix));
        path.map(Uri::from).map_err(|_| InvalidBaseUrl)
    }
}

// === impl InvalidBaseUrl ===

impl fmt::Display for InvalidBaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the provider's base URL is not http:// or https:// with a host and a plain path",
        )
    }
}

impl std::error::Error for InvalidBaseUrl {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_taken_apart() {
        let origin = Origin::parse("https://API.example.com/v1/").unwrap();
        assert_eq!(origin.text(), "https://api.example.com:443");
        assert_eq!(origin.host_header(), "api.example.com");
        assert_eq!(
            origin.path("/chat/completions").unwrap(),
            "/v1/chat/completions"
        );
        let origin = Origin::parse("http://[::1]:9000").unwrap();
        assert_eq!(origin.text(), "http://[::1]:9000");
        assert_eq!(origin.literal(), Some("::1".parse().unwrap()));
        assert_eq!(origin.path("/embeddings").unwrap(), "/embeddings");
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for text in [
            "",
            "/v1",
            "ftp://a/v1",
            "https://u:p@a/v1",
            "https://a/v1?x=1",
            "a:1",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }
}
