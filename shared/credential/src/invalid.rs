//! What is wrong with a credential's text, said so that an operator can mend it.

use std::fmt;

/// What is wrong. Holds names of members and nothing that stood in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// It is longer than [`crate::TEXT_BYTES_MAX`].
    TooLong,
    /// It is not one object of JSON.
    NotJson,
    /// This kind of provider takes no such credential.
    NotExchanged,
    /// Its `type` is none of these.
    Type(&'static str),
    /// This member is missing.
    Missing(&'static str),
    /// It holds a member that means nothing here, where every member is ours.
    Unknown(&'static str),
    /// This member does not fit; the second says what would.
    Member(&'static str, &'static str),
    /// This member names a place to which such a credential does not go by itself.
    Origin(&'static str),
}

// === impl Invalid ===

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("must have at most 16384 bytes"),
            Self::NotJson => f.write_str(
                "begins like JSON and is not one object of it: give the whole file as it was downloaded",
            ),
            Self::NotExchanged => f.write_str(
                "is an object of JSON, and this kind of provider takes an API key: give the key alone",
            ),
            Self::Type(known) => write!(f, "must have a `type` of {known}"),
            Self::Missing(member) => write!(f, "lacks `{member}`"),
            Self::Unknown(known) => write!(f, "holds a member that is none of {known}"),
            Self::Member(member, wants) => write!(f, "has a `{member}` that {wants}"),
            Self::Origin(member) => write!(
                f,
                "would be sent to the place that `{member}` names, which is not where this kind exchanges credentials: \
                 name its origin in exchange_origins if it is right"
            ),
        }
    }
}

impl std::error::Error for Invalid {}
