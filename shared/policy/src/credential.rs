//! What travels in the secrets lane. Neither can be printed, and both are wiped when dropped by their owners.

use std::fmt;

use crate::id::ProviderId;

/// What we present to a provider.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Whose credential it is.
    pub provider: ProviderId,
    /// The secret. Only the edge's upstream client may read it.
    pub secret: Vec<u8>,
    /// Scheme, host and port of the only place it may be sent to, such as `https://api.openai.com:443`.
    pub allowed_origin: String,
    /// The origins at which it may be exchanged for a token, beside those of its provider's kind.
    pub exchange_origins: Vec<String>,
}

/// The key under which key tags are made.
#[derive(Clone, PartialEq, Eq)]
pub struct Pepper {
    /// Its version.
    pub version: u32,
    /// Its bytes.
    pub secret: [u8; 32],
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pepper")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
