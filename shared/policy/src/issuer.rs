//! Who else may say who calls: an issuer of signed tokens that an organization trusts, and what its tokens open at most.
//!
//! Owns the nouns. Expressions are text here: what compiles and evaluates them must never be known to a rule.

use crate::{
    id::{IssuerId, OrganizationId, ProjectId},
    scope::Scope,
};

/// The most audiences of an issuer.
pub const AUDIENCES_MAX: usize = 16;
/// The most types of tokens of an issuer.
pub const TYPES_MAX: usize = 8;
/// The most that clocks may differ, in milliseconds.
pub const LEEWAY_MAX_MS: u64 = 60_000;
/// How much clocks may differ unless somebody says, in milliseconds.
pub const LEEWAY_MS: u64 = 30_000;

/// An issuer, as edges know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Its id.
    pub id: IssuerId,
    /// Who trusts it.
    pub organization: OrganizationId,
    /// The last segment of its name.
    pub name: String,
    /// What tokens must say in `iss`, to the letter; below it stands its discovery document.
    pub url: String,
    /// Where its keys are; empty means: where its discovery document says.
    pub keys_url: String,
    /// What tokens must be for: one of these must stand in `aud`. Never empty.
    pub audiences: Vec<String>,
    /// How tokens may be signed. Never empty.
    pub algorithms: Vec<Algorithm>,
    /// What `typ` may say; empty means: `JWT`, `at+jwt`, or nothing.
    pub types: Vec<String>,
    /// How much clocks may differ, in milliseconds.
    pub leeway_ms: u64,
    /// The project of all its tokens; `None` means: as the mapping says.
    pub project: Option<ProjectId>,
    /// What claims mean here.
    pub mapping: Mapping,
    /// What its tokens open at most.
    pub scope: Scope,
    /// Whether none of its tokens is taken for now.
    pub disabled: bool,
}

/// Expressions in CEL over `claims`. An empty one says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Must be true of a token, or it is refused.
    pub condition: String,
    /// The name of the project.
    pub project: String,
    /// For whom a token asks.
    pub end_user: String,
    /// Patterns of the models that a token may ask for, among those of the issuer.
    pub models: String,
    /// The most tokens that one request may be expected to use, and never more than the issuer allows.
    pub request_tokens_max: String,
}

/// How a token is signed: by the private key of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSA with PKCS #1 and SHA-256.
    Rs256,
    /// RSA with PSS and SHA-256.
    Ps256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

// === impl Issuer ===

impl Issuer {
    /// Whether it may sign tokens: one at a host below `.invalid` (RFC 2606) is nowhere, and is known by certificates alone.
    pub fn signs_tokens(&self) -> bool {
        let host = self.url.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.split(['/', ':']).next().unwrap_or_default();
        !host.ends_with(".invalid")
    }
}

// === impl Algorithm ===

impl Algorithm {
    /// Every one, once.
    pub const ALL: [Self; 5] = [
        Self::Rs256,
        Self::Ps256,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The algorithm of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Its name, as it stands in `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_that_is_nowhere_signs_no_tokens() {
        let signs = |url: &str| {
            let issuer = Issuer {
                id: IssuerId::from_bytes([1; 16]),
                organization: OrganizationId::from_bytes([2; 16]),
                name: "corp".to_owned(),
                url: url.to_owned(),
                keys_url: String::new(),
                audiences: Vec::new(),
                algorithms: Vec::new(),
                types: Vec::new(),
                leeway_ms: 0,
                project: None,
                mapping: Mapping::default(),
                scope: Scope::default(),
                disabled: false,
            };
            issuer.signs_tokens()
        };
        for url in ["https://corp.invalid", "https://corp.invalid:8443/realm"] {
            assert!(!signs(url), "{url}");
        }
        for url in ["https://id.example/corp.invalid", "https://invalid.example"] {
            assert!(signs(url), "{url}");
        }
    }

    #[test]
    fn no_name_of_a_shared_secret_or_of_no_signature_is_an_algorithm() {
        for name in ["none", "None", "NONE", "", "HS256", "HS512", "rs256", "RS1"] {
            assert_eq!(Algorithm::named(name), None, "{name}");
        }
        for it in Algorithm::ALL {
            assert_eq!(Algorithm::named(it.name()), Some(it));
        }
    }
}
