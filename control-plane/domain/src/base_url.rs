//! Where a provider stands: the only URLs that we accept, and the origin that its credential is bound to.
//!
//! Read strictly and by hand: what this accepts, every reader of URLs understands in the same way. Which
//! addresses may be dialled is the edge's to judge.

use std::fmt;

use policy::provider::ProviderKind;

/// The longest base URL, in bytes.
pub const BASE_URL_BYTES_MAX: usize = 2_048;

/// A base URL: http or https, a host, perhaps a port and a path, no trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    origin: String,
}

/// What is wrong with a base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidBaseUrl {
    /// It is empty, and the kind of the provider has no default.
    Absent,
    /// It is too long.
    TooLong,
    /// It does not begin with `http://` or `https://`.
    Scheme,
    /// It holds a user name or password, a query, or a fragment.
    Extras,
    /// Its host is absent or not a host.
    Host,
    /// Its port is not a port.
    Port,
    /// Its path holds something that a path of ours must not.
    Path,
    /// It ends with a slash.
    TrailingSlash,
}

/// The base URL of a provider: what the operator gave, or the default of its kind.
pub fn resolve(kind: ProviderKind, given: &str) -> Result<BaseUrl, InvalidBaseUrl> {
    match (given, kind.preset().base_url) {
        ("", None) => Err(InvalidBaseUrl::Absent),
        ("", Some(preset)) => parse(preset),
        (given, _) => parse(given),
    }
}

/// Reads a base URL.
pub fn parse(text: &str) -> Result<BaseUrl, InvalidBaseUrl> {
    if text.len() > BASE_URL_BYTES_MAX {
        return Err(InvalidBaseUrl::TooLong);
    }
    let (scheme, port_default, rest) = if let Some(rest) = text.strip_prefix("https://") {
        ("https", 443, rest)
    } else if let Some(rest) = text.strip_prefix("http://") {
        ("http", 80, rest)
    } else {
        return Err(InvalidBaseUrl::Scheme);
    };
    if rest.contains(['@', '?', '#']) {
        return Err(InvalidBaseUrl::Extras);
    }
    if rest.ends_with('/') {
        return Err(InvalidBaseUrl::TrailingSlash);
    }
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (host, port) = split_port(authority)?;
    check_path(path)?;
    let port = port.unwrap_or(port_default);
    Ok(BaseUrl {
        text: text.to_owned(),
        origin: format!("{scheme}://{host}:{port}"),
    })
}

fn split_port(authority: &str) -> Result<(String, Option<u16>), InvalidBaseUrl> {
    let (host, port) = if authority.starts_with('[') {
        let end = authority.find(']').ok_or(InvalidBaseUrl::Host)?;
        let inside = &authority[1..end];
        inside
            .parse::<std::net::Ipv6Addr>()
            .map_err(|_| InvalidBaseUrl::Host)?;
        let after = &authority[end + 1..];
        if !after.is_empty() && !after.starts_with(':') {
            return Err(InvalidBaseUrl::Host);
        }
        (&authority[..=end], after.strip_prefix(':'))
    } else {
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        check_host(host)?;
        (host, port)
    };
    let port = port.map(read_port).transpose()?;
    Ok((host.to_ascii_lowercase(), port))
}

fn check_host(host: &str) -> Result<(), InvalidBaseUrl> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if host.len() <= 253 && host.split('.').all(label) {
        Ok(())
    } else {
        Err(InvalidBaseUrl::Host)
    }
}

fn read_port(text: &str) -> Result<u16, InvalidBaseUrl> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let port = text.parse().map_err(|_| InvalidBaseUrl::Port)?;
    if digits && port != 0 {
        Ok(port)
    } else {
        Err(InvalidBaseUrl::Port)
    }
}

/// Dot segments and doubled slashes are refused: programs do not agree on what they mean.
fn check_path(path: &str) -> Result<(), InvalidBaseUrl> {
    let segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:".contains(&b))
    };
    let fits = path.is_empty() || path.split('/').skip(1).all(segment);
    if fits {
        Ok(())
    } else {
        Err(InvalidBaseUrl::Path)
    }
}

// === impl BaseUrl ===

impl BaseUrl {
    /// The text, as the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port, the port always written: `https://api.openai.com:443`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether anything stands behind its origin.
    pub fn has_path(&self) -> bool {
        self.text.matches('/').count() > 2
    }
}

impl fmt::Display for InvalidBaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "is required for this kind of provider",
            Self::TooLong => "must be at most 2048 characters",
            Self::Scheme => "must begin with http:// or https://",
            Self::Extras => "must not hold a user name, a password, a query or a fragment",
            Self::Host => "must name a host",
            Self::Port => "must have a port of 1 to 65535, or none",
            Self::Path => {
                "must have a plain path, without dot segments, doubled slashes or escapes"
            }
            Self::TrailingSlash => "must not end with a slash",
        })
    }
}

impl std::error::Error for InvalidBaseUrl {}

#[cfg(test)]
mod tests {
    use policy::provider::PRESETS;

    use super::*;

    #[test]
    fn the_origin_always_names_the_port() {
        for (text, origin) in [
            ("https://api.openai.com/v1", "https://api.openai.com:443"),
            ("http://LOCALHOST", "http://localhost:80"),
            ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434"),
            ("https://[::1]:8443/a/b", "https://[::1]:8443"),
            ("https://[2001:DB8::1]", "https://[2001:db8::1]:443"),
        ] {
            let url = parse(text).unwrap();
            assert_eq!((url.as_str(), url.origin()), (text, origin));
        }
    }

    #[test]
    fn what_programs_could_read_in_two_ways_is_refused() {
        for (text, why) in [
            ("", InvalidBaseUrl::Scheme),
            ("ftp://host", InvalidBaseUrl::Scheme),
            ("HTTPS://host", InvalidBaseUrl::Scheme),
            ("https://", InvalidBaseUrl::Host),
            ("https:///v1", InvalidBaseUrl::Host),
            ("https://user@host", InvalidBaseUrl::Extras),
            ("https://host?x=1", InvalidBaseUrl::Extras),
            ("https://host#x", InvalidBaseUrl::Extras),
            ("https://host/", InvalidBaseUrl::TrailingSlash),
            ("https://host/v1/", InvalidBaseUrl::TrailingSlash),
            ("https://ho st", InvalidBaseUrl::Host),
            ("https://-host", InvalidBaseUrl::Host),
            ("https://a..b", InvalidBaseUrl::Host),
            ("https://[::1", InvalidBaseUrl::Host),
            ("https://[::1]x", InvalidBaseUrl::Host),
            ("https://host:", InvalidBaseUrl::Port),
            ("https://host:0", InvalidBaseUrl::Port),
            ("https://host:+1", InvalidBaseUrl::Port),
            ("https://host:65536", InvalidBaseUrl::Port),
            ("https://host/a/../b", InvalidBaseUrl::Path),
            ("https://host//a", InvalidBaseUrl::Path),
            ("https://host/%2e", InvalidBaseUrl::Path),
            ("https://host/a\\b", InvalidBaseUrl::Path),
        ] {
            assert_eq!(parse(text), Err(why), "{text}");
        }
        let long = format!("https://host/{}", "a".repeat(2_048));
        assert_eq!(parse(&long), Err(InvalidBaseUrl::TooLong));
    }

    #[test]
    fn the_hosts_of_the_table_are_taken_or_refused_as_it_says() {
        let table = include_str!("../../../shared/egress/hosts.txt");
        let rows = table
            .lines()
            .filter(|row| !row.is_empty() && !row.starts_with('#'));
        let mut odd = Vec::new();
        for (expected, host) in rows.map(|row| row.split_once(" | ").unwrap()) {
            let found = parse(&format!("http://{host}/v1"));
            if found.is_ok() != (expected == "taken") {
                odd.push(format!("{host}: {found:?}"));
            }
        }
        assert!(odd.is_empty(), "{odd:#?}");
    }

    #[test]
    fn every_preset_is_a_base_url_and_only_kinds_without_one_must_say() {
        for preset in PRESETS {
            assert_eq!(resolve(preset.kind, "").is_ok(), preset.base_url.is_some());
        }
        assert_eq!(resolve(ProviderKind::Vllm, ""), Err(InvalidBaseUrl::Absent));
    }
}
