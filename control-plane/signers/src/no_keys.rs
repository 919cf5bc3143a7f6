//! Why there are no keys of an issuer. Holds nothing that an issuer said.

use std::fmt;

/// Why there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoKeys {
    /// Its URL cannot be asked.
    Url,
    /// Its name does not resolve, or nobody answers there.
    Unreachable,
    /// Every address that it has is one that may not be dialled.
    Forbidden,
    /// It broke off, or its document is too long.
    Broken,
    /// It did not answer in time.
    Slow,
    /// It answered with this status.
    Status(u16),
    /// Its discovery document is none.
    NoDiscovery,
    /// Its discovery document speaks for another issuer.
    OtherIssuer,
    /// Its discovery document names keys without TLS.
    Plaintext,
    /// Its keys are not a set of keys that can be read.
    NoDocument,
    /// None of its keys can check a signature here.
    NoneFits,
    /// Too many issuers are asked at once.
    Busy,
}

impl fmt::Display for NoKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => "its URL cannot be asked",
            Self::Unreachable => "it cannot be reached",
            Self::Forbidden => {
                "its address is not public: open its range with issuers.private_ranges if it may be asked"
            }
            Self::Broken => "it broke off, or its document is too long",
            Self::Slow => "it did not answer in time",
            Self::Status(status) => return write!(f, "it answered with status {status}"),
            Self::NoDiscovery => "its discovery document is none",
            Self::OtherIssuer => "its discovery document speaks for another issuer",
            Self::Plaintext => "its discovery document names keys without TLS",
            Self::NoDocument => "its keys are not a set of keys that can be read",
            Self::NoneFits => "none of its keys can check a signature here",
            Self::Busy => "too many issuers are asked at once",
        })
    }
}

impl std::error::Error for NoKeys {}
