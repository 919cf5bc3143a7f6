//! Where a credential is exchanged: a URL, read strictly, and the origin that is compared.

/// The longest URL, in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// A URL that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    origin: String,
    target: String,
    encrypted: bool,
}

// === impl Endpoint ===

impl Endpoint {
    /// Reads `https://host:port/path?query`. `None` for what programs could read in two ways.
    pub fn read(url: &str) -> Option<Self> {
        let plain = url.bytes().all(|byte| byte.is_ascii_graphic());
        if url.len() > URL_BYTES_MAX || !plain || url.contains(['#', '\\', '"', '<', '>']) {
            return None;
        }
        let (scheme, usual, rest) =
            match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
                (Some(rest), _) => ("https", 443, rest),
                (None, Some(rest)) => ("http", 80, rest),
                (None, None) => return None,
            };
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(at);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            None => usual,
            Some(port) if port.bytes().all(|it| it.is_ascii_digit()) => port.parse().ok()?,
            Some(_) => return None,
        };
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let named = !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        let numbered = bracketed.is_some_and(|inside| inside.parse::<std::net::Ipv6Addr>().is_ok());
        if port == 0_u16 || !(named || numbered) {
            return None;
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Some(Self {
            origin: format!("{scheme}://{}:{port}", host.to_ascii_lowercase()),
            target: format!("{slash}{target}"),
            encrypted: scheme == "https",
        })
    }

    /// Scheme, host and port, the port always written: `https://oauth2.googleapis.com:443`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Its host, without a port.
    pub fn host(&self) -> &str {
        let (_, authority) = self.origin.split_once("://").unwrap_or_default();
        authority.rsplit_once(':').unwrap_or_default().0
    }

    /// Whether it is asked over TLS, at the usual port, so that a name alone says who answers.
    pub fn is_usual(&self) -> bool {
        self.encrypted && self.origin.ends_with(":443")
    }

    /// Whether an operator has named its origin.
    pub fn is_among(&self, declared: &[String]) -> bool {
        declared.contains(&self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_an_origin_and_what_is_asked_there() {
        for (url, origin, target) in [
            (
                "https://Sts.Googleapis.com/v1/token",
                "https://sts.googleapis.com:443",
                "/v1/token",
            ),
            ("http://127.0.0.1:80", "http://127.0.0.1:80", "/"),
            ("https://[::1]:8443/a?b=c", "https://[::1]:8443", "/a?b=c"),
            ("https://[::1]?b", "https://[::1]:443", "/?b"),
        ] {
            let endpoint = Endpoint::read(url).unwrap();
            assert_eq!((endpoint.origin(), endpoint.target()), (origin, target));
        }
        assert_eq!(Endpoint::read("https://a.b:1/x").unwrap().host(), "a.b");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_none() {
        for url in [
            "",
            "ftp://a",
            "https://",
            "https://:1",
            "https://a:b@c/",
            "https://a:0/",
            "https://a:+1/",
            "https://a\\b/",
            "https://a b/",
            "https://a/#b",
            "https://[::1/",
            "https://a:99999/",
            "https://ä/",
        ] {
            assert_eq!(Endpoint::read(url), None, "{url}");
        }
    }
}
