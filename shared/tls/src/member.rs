//! Who an edge is, as its certificate says: a SPIFFE URI, and how it is read from a certificate.
//!
//! Knows the form and nothing of who may be what. A certificate that says less, or more than once, says nothing.

use std::fmt;

use rustls::pki_types::CertificateDer;
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

const BEGIN: &str = "spiffe://sluice/region/";

/// How much earlier than it was issued a certificate begins, in milliseconds, for clocks that are behind.
pub(crate) const BEGINS_BEFORE_MS: u64 = 300_000;

/// An edge. None of the texts holds a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Where it stands.
    pub region: String,
    /// The one organization that it serves, as 32 hex digits; `None` means: every one.
    pub organization: Option<String>,
    /// What it is called.
    pub edge_id: String,
    /// By what it is revoked: drawn when it enrolled, the same through renewals.
    pub identity: String,
}

/// What a certificate says, whoever issued it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Whose it is.
    pub member: Member,
    /// Which it is.
    pub serial: Vec<u8>,
    /// When it was issued, in milliseconds since 1970.
    pub issued_at_ms: u64,
    /// Until when it is good, in milliseconds since 1970.
    pub ends_at_ms: u64,
}

// === impl Member ===

impl Member {
    fn parse(uri: &str) -> Option<Self> {
        let mut parts = uri.strip_prefix(BEGIN)?.split('/');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let region = next()?.to_owned();
        let mut what = next()?;
        let mut organization = None;
        if what == "organization" {
            organization = Some(next()?.to_owned());
            what = next()?;
        }
        let edge_id = (what == "edge").then(&mut next)??.to_owned();
        let identity = (next()? == "identity").then(&mut next)??.to_owned();
        parts.next().is_none().then_some(Self {
            region,
            organization,
            edge_id,
            identity,
        })
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            region,
            organization,
            edge_id,
            identity,
        } = self;
        write!(f, "{BEGIN}{region}")?;
        if let Some(organization) = organization {
            write!(f, "/organization/{organization}")?;
        }
        write!(f, "/edge/{edge_id}/identity/{identity}")
    }
}

// === impl Shown ===

impl Shown {
    /// What this certificate says; `None` when it is of no edge.
    pub fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let names = parsed.subject_alternative_name().ok()??;
        let [GeneralName::URI(uri)] = names.value.general_names.as_slice() else {
            return None;
        };
        let ms = |seconds: i64| Some(u64::try_from(seconds).ok()?.saturating_mul(1_000));
        let begins_at = parsed.validity().not_before.timestamp();
        let ends_at = parsed.validity().not_after.timestamp();
        Some(Self {
            member: Member::parse(uri)?,
            serial: parsed.raw_serial().to_vec(),
            issued_at_ms: ms(begins_at)?.saturating_add(BEGINS_BEFORE_MS),
            ends_at_ms: ms(ends_at)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_read_as_it_was_written_and_nothing_else_is_one() {
        let member = Member {
            region: "eu-1".to_owned(),
            organization: None,
            edge_id: "edge-7".to_owned(),
            identity: "0a".to_owned(),
        };
        let uri = member.to_string();
        let scoped = Member {
            organization: Some("0b".to_owned()),
            ..member.clone()
        };
        assert_eq!(Member::parse(&scoped.to_string()), Some(scoped));
        assert_eq!(Member::parse(&uri), Some(member));
        for other in [
            "",
            "spiffe://sluice/region/eu-1",
            &format!("{uri}/x"),
            "spiffe://sluice/region/eu-1/organization/edge/edge-7/identity/0a",
            "spiffe://sluice/region/eu-1/organization//edge/edge-7/identity/0a",
            &uri[..uri.len() - 2],
        ] {
            assert_eq!(Member::parse(other), None, "{other}");
        }
    }
}
