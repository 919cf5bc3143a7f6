//! Why a registry has not said what it points at, in words for whoever declared it. Holds no credential.

use std::fmt;

/// Why it has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsaid {
    /// Its URL cannot be asked.
    Url,
    /// Every address that it has is one that may not be dialled.
    Forbidden,
    /// What is said there could be read on the way.
    Plaintext,
    /// The authorities that are believed there cannot be read.
    Authorities,
    /// Nobody answers there, for this reason.
    Unreachable(String),
    /// It did not answer in time.
    Slow,
    /// Its answer is too long, or breaks off.
    Broken,
    /// It does not take what is presented.
    Unauthenticated,
    /// It does not let that be read.
    Denied,
    /// It knows no such thing.
    Unknown(String),
    /// It answered with this status.
    Status(u16),
    /// Its answer is none that is known.
    Strange,
    /// What it points at is not ready.
    NotReady(String),
}

impl fmt::Display for Unsaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => "its URL cannot be asked",
            Self::Forbidden => {
                "its address is not public: open its range with sources.private_ranges if it may be asked"
            }
            Self::Plaintext => {
                "it is asked over TLS alone; sources.plaintext_beyond_loopback lets it be asked without"
            }
            Self::Authorities => "its authorities cannot be read",
            Self::Unreachable(why) => return write!(f, "it cannot be reached: {why}"),
            Self::Slow => "it did not answer within ten seconds",
            Self::Broken => "its answer breaks off, or is longer than 1 MiB",
            Self::Unauthenticated => "it does not take the credential (401)",
            Self::Denied => {
                "it refuses (403): the credential may not read this, or its server does not take this host name"
            }
            Self::Unknown(what) => return write!(f, "it knows {what}"),
            Self::Status(status) => return write!(f, "it answered {status}"),
            Self::Strange => "its answer is none of such a registry",
            Self::NotReady(what) => return f.write_str(what),
        })
    }
}

impl std::error::Error for Unsaid {}
