//! Where a receiver stands: a URL, or a server of mail.
//!
//! Reads strictly what operators write. Which addresses may be dialled is the guard's to judge, later.

use std::{fmt, net::IpAddr};

use lettre::message::Mailbox as Address;
use zeroize::Zeroizing;

/// The longest URL, in bytes. Full: it is refused.
const URL_BYTES_MAX: usize = 2_048;

/// The longest host, in bytes. Full: it is refused.
const HOST_BYTES_MAX: usize = 253;

/// A URL that notices are posted to. It may hold a secret, so it is wiped and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    pub(crate) server: Server,
    /// Whether it is asked over TLS.
    pub(crate) is_encrypted: bool,
    /// Its path and query.
    pub(crate) target: Zeroizing<String>,
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// How a connection to a server of mail is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// It begins in plaintext and must become TLS before anything is said.
    StartTls,
    /// It is TLS from its first byte on.
    Tls,
    /// It is plaintext; only on this machine, and only where the settings say so.
    None,
}

/// An address of mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox(pub(crate) Address);

/// What is wrong with where a receiver is said to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidPlace {
    /// It is longer than it may be.
    TooLong,
    /// It does not begin with `https://`, nor with `http://`.
    Scheme,
    /// Its host or its port is none, or it holds a user name.
    Host,
    /// What stands behind the host is no plain path and query.
    Target,
    /// It is no address of mail.
    Mailbox,
}

// === impl Place ===

impl Place {
    /// Reads a URL.
    pub fn parse(text: &str) -> Result<Self, InvalidPlace> {
        if text.len() > URL_BYTES_MAX {
            return Err(InvalidPlace::TooLong);
        }
        let (is_encrypted, rest) =
            match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
                (Some(rest), _) => (true, rest),
                (_, Some(rest)) => (false, rest),
                _ => return Err(InvalidPlace::Scheme),
            };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let plain = |it: u8| it.is_ascii_graphic() && !b"#\\\"<>^`{|}".contains(&it);
        if !target.bytes().all(plain) {
            return Err(InvalidPlace::Target);
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self {
            server: Server::parse(authority, if is_encrypted { 443 } else { 80 })?,
            is_encrypted,
            target: Zeroizing::new(format!("{slash}{target}")),
        })
    }

    /// Whether it may be asked at all: encrypted, or on this machine.
    pub fn is_safe(&self) -> bool {
        let near = self.server.literal().map(|it| it.is_loopback());
        self.is_encrypted || near.unwrap_or(self.server.host == "localhost")
    }

    /// The host as a request names it: with a port where that is not the usual one.
    pub(crate) fn authority(&self) -> String {
        let server = self.server.to_string();
        let usual = if self.is_encrypted { ":443" } else { ":80" };
        server.strip_suffix(usual).unwrap_or(&server).to_owned()
    }

    /// Scheme, host and port: what may be shown of it.
    pub fn origin(&self) -> String {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        format!("{scheme}://{}", self.server)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.origin()).finish()
    }
}

// === impl Server ===

impl Server {
    /// Reads a host with or without a port.
    pub fn parse(text: &str, port_default: u16) -> Result<Self, InvalidPlace> {
        let (host, port) = match text.strip_prefix('[').map(|it| it.split_once(']')) {
            Some(Some((inside, after))) => {
                inside
                    .parse::<std::net::Ipv6Addr>()
                    .map_err(|_| InvalidPlace::Host)?;
                let port = match after {
                    "" => None,
                    _ => Some(after.strip_prefix(':').ok_or(InvalidPlace::Host)?),
                };
                (inside, port)
            }
            Some(None) => return Err(InvalidPlace::Host),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let label = |it: &str| {
            (1..=63).contains(&it.len())
                && !it.starts_with('-')
                && !it.ends_with('-')
                && it
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        let is_name = host.split('.').all(label);
        if host.len() > HOST_BYTES_MAX || !(is_name || host.parse::<IpAddr>().is_ok()) {
            return Err(InvalidPlace::Host);
        }
        let port = match port {
            None => port_default,
            Some(text) if text.bytes().all(|it| it.is_ascii_digit()) => {
                text.parse().map_err(|_| InvalidPlace::Host)?
            }
            Some(_) => return Err(InvalidPlace::Host),
        };
        if port == 0 {
            return Err(InvalidPlace::Host);
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    /// The address, where it is given as one.
    pub(crate) fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

// === impl Mailbox ===

impl Mailbox {
    /// Reads an address, such as `ops@example.com` or `Ops <ops@example.com>`.
    pub fn parse(text: &str) -> Result<Self, InvalidPlace> {
        // A line of a message's head is to stay one.
        if text.len() > HOST_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(InvalidPlace::Mailbox);
        }
        text.parse().map(Self).map_err(|_| InvalidPlace::Mailbox)
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// === impl InvalidPlace ===

impl fmt::Display for InvalidPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "must be at most 2048 bytes",
            Self::Scheme => "must be a URL that begins with https://",
            Self::Host => "must name a host, perhaps with a port of 1 to 65535, and no user",
            Self::Target => "must have a plain path and query, and no fragment",
            Self::Mailbox => "must be an address such as ops@example.com, at most 253 bytes",
        })
    }
}

impl std::error::Error for InvalidPlace {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_in_one_way_only_and_never_shown_whole() {
        for (text, origin, target) in [
            (
                "https://hooks.example/a/b?c=d",
                "https://hooks.example:443",
                "/a/b?c=d",
            ),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "/"),
            ("https://[::1]:1/x", "https://[::1]:1", "/x"),
            (
                "https://Hooks.Example?k=v",
                "https://hooks.example:443",
                "/?k=v",
            ),
        ] {
            let place = Place::parse(text).unwrap();
            assert_eq!(
                (place.origin().as_str(), place.target.as_str()),
                (origin, target)
            );
            assert!(!format!("{place:?}").contains("c=d"));
            assert!(!place.authority().ends_with("443"));
        }
        for (text, why) in [
            ("ftp://a", InvalidPlace::Scheme),
            ("https://", InvalidPlace::Host),
            ("https://user@host/", InvalidPlace::Host),
            ("https://host:0/", InvalidPlace::Host),
            ("https://host:+1/", InvalidPlace::Host),
            ("https://[::1/", InvalidPlace::Host),
            ("https://host/#a", InvalidPlace::Target),
            ("https://host/a b", InvalidPlace::Target),
            ("https://host/\r\nX: y", InvalidPlace::Target),
        ] {
            assert_eq!(Place::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn an_address_of_mail_cannot_break_out_of_its_line() {
        assert!(Mailbox::parse("Ops <ops@example.com>").is_ok());
        for text in ["", "ops", "a@b\r\nBcc: c@d", "a@b, c@d"] {
            assert!(Mailbox::parse(text).is_err(), "{text}");
        }
    }
}
