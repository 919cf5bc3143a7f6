//! The authority of an installation: it certifies control planes to edges and edges to control planes.
//!
//! Knows how certificates are made, and nothing of who may have one. What a certificate says is said by who asks for it
//! here; of an edge's own request only the public key counts.

use std::{fmt::Write, net::IpAddr, sync::Arc, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::{
    RootCertStore,
    pki_types::{
        CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer,
        pem::PemObject,
    },
    sign::{CertifiedKey, SingleCertAndKey},
};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::{
    member::{BEGINS_BEFORE_MS, Member},
    provider::provider,
    served::{Alpn, Served, config},
    visitor::Visitors,
};

/// How long an authority lasts.
const AUTHORITY_LIFE: Duration = Duration::from_hours(24 * 3650);

/// How much earlier than now a certificate begins.
const BEGINS_BEFORE: Duration = Duration::from_millis(BEGINS_BEFORE_MS);

/// The longest request for a certificate, in bytes. Full: it is refused; one has some hundred.
const REQUEST_BYTES_MAX: usize = 16 << 10;

/// An authority with its key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

/// An authority as it is kept.
pub struct Kept {
    /// Its certificate, PEM.
    pub certificate: String,
    /// Its key, PKCS#8.
    pub key: Zeroizing<Vec<u8>>,
}

/// A certificate of an edge.
pub struct Issued {
    /// PEM.
    pub certificate: String,
    /// Which it is.
    pub serial: Vec<u8>,
    /// Until when it is good.
    pub ends_at: OffsetDateTime,
}

/// What is no authority, no request or no name: a sentence without any secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotIssued(String);

/// Makes an authority that begins now.
pub fn make(now: OffsetDateTime) -> Result<Kept, NotIssued> {
    let key = KeyPair::generate().map_err(not_issued)?;
    let mut params = CertificateParams::new(Vec::new()).map_err(not_issued)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
        .distinguished_name
        .push(DnType::CommonName, "Sluice edges");
    (params.not_before, params.not_after) = (now - BEGINS_BEFORE, now + AUTHORITY_LIFE);
    let certificate = params.self_signed(&key).map_err(not_issued)?;
    Ok(Kept {
        certificate: certificate.pem(),
        key: Zeroizing::new(key.serialize_der()),
    })
}

/// SHA-256 of a certificate, as hex: by which an invitation names its authority.
pub fn fingerprint(certificate: &[u8]) -> String {
    let digest = Sha256::digest(certificate);
    let mut text = String::with_capacity(64);
    for byte in digest {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

pub(crate) fn not_issued(why: impl std::fmt::Display) -> NotIssued {
    NotIssued(why.to_string())
}

// === impl Authority ===

impl Authority {
    /// The authority that was kept.
    pub fn open(kept: &Kept) -> Result<Self, NotIssued> {
        let certificate = CertificateDer::from_pem_slice(kept.certificate.as_bytes());
        let certificate = certificate.map_err(not_issued)?;
        let key = PrivatePkcs8KeyDer::from(kept.key.as_slice());
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_ECDSA_P256_SHA256);
        let issuer = Issuer::from_ca_cert_der(&certificate, key.map_err(not_issued)?);
        Ok(Self {
            issuer: issuer.map_err(not_issued)?,
            certificate,
            pem: kept.certificate.clone(),
        })
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// SHA-256 of its certificate, by which an invitation names it.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.certificate)
    }

    /// What a listener serves under these names and addresses from now on for so long: to anybody, and by name to edges
    /// that show a certificate of this authority. Whether it has ended, and whether it was revoked, is for who asks it.
    pub fn serve(
        &self,
        names: &[String],
        (now, life): (OffsetDateTime, Duration),
        alpn: Alpn,
    ) -> Result<Served, NotIssued> {
        let key = KeyPair::generate().map_err(not_issued)?;
        let mut params = CertificateParams::new(names.to_vec()).map_err(not_issued)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Sluice control plane");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let ends_at = now + life;
        (params.not_before, params.not_after) = (now - BEGINS_BEFORE, ends_at);
        let leaf = params.signed_by(&key, &self.issuer).map_err(not_issued)?;
        // The authority goes along, so that who has an invitation can compare it.
        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(not_issued)?;
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).map_err(not_issued)?;
        let visitors = Arc::new(Visitors::of(roots).map_err(not_issued)?);
        let keys = Arc::new(SingleCertAndKey::from(key));
        let config = config(keys, Some(visitors), alpn).map_err(not_issued)?;
        Ok(Served {
            config,
            clients: None,
            ends_at,
        })
    }

    /// Certifies that who made this request is `member`, from now on for so long. Everything else that the request says is
    /// passed over.
    pub fn issue(
        &self,
        request: &[u8],
        member: &Member,
        (now, life): (OffsetDateTime, Duration),
    ) -> Result<Issued, NotIssued> {
        if request.len() > REQUEST_BYTES_MAX {
            return Err(not_issued("the request for a certificate is too long"));
        }
        let request = CertificateSigningRequestDer::from(request);
        let asked = CertificateSigningRequestParams::from_der(&request).map_err(not_issued)?;
        let mut serial = [0; 16];
        let drawn = provider().secure_random.fill(&mut serial);
        drawn.map_err(|_| not_issued("no random numbers are to be had"))?;
        // Positive, and as long as it looks.
        serial[0] = serial[0] & 0x7f | 0x40;
        let mut params = CertificateParams::new(Vec::new()).map_err(not_issued)?;
        let uri = member.to_string().try_into().map_err(not_issued)?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params
            .distinguished_name
            .push(DnType::CommonName, member.edge_id.as_str());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let ends_at = now + life;
        (params.not_before, params.not_after) = (now - BEGINS_BEFORE, ends_at);
        let issued = params
            .signed_by(&asked.public_key, &self.issuer)
            .map_err(not_issued)?;
        Ok(Issued {
            certificate: issued.pem(),
            serial: serial.to_vec(),
            ends_at,
        })
    }
}

/// Where edges reach a control plane that names nothing else: on this machine, and at the address where it listens.
pub fn names(named: &[String], listens: IpAddr) -> Vec<String> {
    let mut all = named.to_vec();
    all.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    if !listens.is_unspecified() {
        all.push(listens.to_string());
    }
    all.sort();
    all.dedup();
    all
}

// === impl NotIssued ===

impl std::fmt::Display for NotIssued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotIssued {}

#[cfg(test)]
#[path = "authority_test.rs"]
mod tests;
