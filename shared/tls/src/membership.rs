//! An edge's side of its certificate: the key that it makes, what it asks for, and what it keeps.
//!
//! Knows PEM and nothing of where it is kept or how it is asked for. The key leaves this process only sealed.

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use zeroize::Zeroizing;

use crate::{
    authority::{NotIssued, not_issued},
    member::Shown,
};

/// A key that awaits its certificate.
pub struct Asking {
    key: KeyPair,
    request: Vec<u8>,
}

/// A key, its certificate and the authority, each as PEM.
#[derive(Clone)]
pub struct Membership {
    /// The key.
    pub key: Zeroizing<String>,
    /// The certificate.
    pub certificate: String,
    /// The authority, for control planes.
    pub authority: String,
}

// === impl Asking ===

impl Asking {
    /// Draws a key.
    pub fn draw() -> Result<Self, NotIssued> {
        let made = KeyPair::generate().and_then(|key| {
            let request = CertificateParams::new(Vec::new())?.serialize_request(&key)?;
            Ok((key, request.der().to_vec()))
        });
        let (key, request) = made.map_err(not_issued)?;
        Ok(Self { key, request })
    }

    /// What is sent to the authority: PKCS#10, DER.
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// The key with what was issued for it, as PEM. `None` when that is of no edge.
    pub fn answered(self, certificate: String, authority: String) -> Option<Membership> {
        let membership = Membership {
            key: Zeroizing::new(self.key.serialize_pem()),
            certificate,
            authority,
        };
        membership.shown()?;
        Some(membership)
    }
}

// === impl Membership ===

impl Membership {
    /// What the certificate says; `None` when it cannot be read.
    pub fn shown(&self) -> Option<Shown> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).ok()?;
        Shown::read(&certificate)
    }

    /// As one text, to be sealed.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new([self.key.as_str(), &self.certificate, &self.authority].join(BETWEEN))
    }

    /// From such a text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(BETWEEN);
        let membership = Self {
            key: Zeroizing::new(parts.next()?.to_owned()),
            certificate: parts.next()?.to_owned(),
            authority: parts.next()?.to_owned(),
        };
        membership.shown()?;
        Some(membership)
    }
}

/// Stands in no PEM.
const BETWEEN: &str = "\u{1e}";
