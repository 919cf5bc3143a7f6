//! Whether an address may be asked as it is written: encrypted, on this machine, or because somebody said so.
//!
//! Judges what is written. Where a name leads, nobody has looked yet: `localhost` is the one name that is believed.

use std::net::IpAddr;

use http::Uri;

/// How an address is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Over TLS.
    Encrypted,
    /// As plaintext.
    Plain,
}

/// Why an address is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It is no URL of `http` or `https` with a host.
    NotAnAddress,
    /// What is said there could be read on the way.
    Plaintext,
}

/// How to ask an address; `is_told` is whether plaintext beyond this machine was allowed in so many words.
pub fn way(uri: &Uri, is_told: bool) -> Result<Way, Unfit> {
    let host = uri.host().filter(|it| !it.is_empty());
    let host = host.ok_or(Unfit::NotAnAddress)?;
    match uri.scheme_str() {
        Some("https") => Ok(Way::Encrypted),
        Some("http") if is_told || is_here(host) => Ok(Way::Plain),
        Some("http") => Err(Unfit::Plaintext),
        _ => Err(Unfit::NotAnAddress),
    }
}

/// Whether a host, as a URL or a setting has it, is this machine: `localhost`, or a loopback address in any spelling.
#[must_use]
pub fn is_here(host: &str) -> bool {
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    address.map_or(host == "localhost", |it| it.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_leaves_the_machine_only_when_told() {
        use self::Unfit::{NotAnAddress, Plaintext};
        for (address, untold, told) in [
            ("https://s3.example", Ok(Way::Encrypted), Ok(Way::Encrypted)),
            (
                "https://vault.example:8200/",
                Ok(Way::Encrypted),
                Ok(Way::Encrypted),
            ),
            ("http://localhost:8200", Ok(Way::Plain), Ok(Way::Plain)),
            ("http://127.8.0.1:8200", Ok(Way::Plain), Ok(Way::Plain)),
            ("http://[::1]:8200", Ok(Way::Plain), Ok(Way::Plain)),
            (
                "http://[::ffff:127.0.0.1]:80",
                Ok(Way::Plain),
                Ok(Way::Plain),
            ),
            ("http://127.0.0.1.example", Err(Plaintext), Ok(Way::Plain)),
            ("http://localhost.example", Err(Plaintext), Ok(Way::Plain)),
            ("http://minio:9000", Err(Plaintext), Ok(Way::Plain)),
            ("ftp://minio", Err(NotAnAddress), Err(NotAnAddress)),
            ("minio:9000", Err(NotAnAddress), Err(NotAnAddress)),
            ("/v1", Err(NotAnAddress), Err(NotAnAddress)),
        ] {
            let uri: Uri = address.parse().unwrap();
            assert_eq!(way(&uri, false), untold, "{address}");
            assert_eq!(way(&uri, true), told, "{address}, told");
        }
    }
}
