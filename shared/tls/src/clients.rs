//! Whose certificates clients may show: the authorities of a listener, and which of them a certificate is of.
//!
//! Knows PEM, certificates and lists of what was revoked; reads no file, and knows nothing of what a certificate opens. One that two
//! of the authorities by which clients are known would take is taken for neither: whichever of them it was not meant for could be
//! spoken for by the other.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime, pem::PemObject},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use crate::{
    files::{Contents, Unusable, unusable},
    provider::provider,
};

/// The most files of authorities by which clients are known.
// Full: they are refused. Each costs a look at each certificate that is shown.
const AUTHORITIES_MAX: usize = 16;

/// The longest certificate of a client, in bytes.
// Full: the handshake fails. What is read of it later has no bound but this.
const CERTIFICATE_BYTES_MAX: usize = 16 << 10;

/// The authorities of one listener.
pub struct Clients {
    known: Vec<(Arc<str>, Authority)>,
    /// Those that every client's certificate must be of, if it is of none above.
    any: Option<Authority>,
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

type Authority = Arc<dyn ClientCertVerifier>;

/// Of which authority a certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// Of the one of this name, and of no other.
    Known(Arc<str>),
    /// Of one that has no name here.
    Any,
}

/// Why a certificate is not taken, or not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// Its time is over, or has not come.
    Time,
    /// It was revoked, or whether it was cannot be told.
    Revoked,
    /// It is of no authority here, or of two.
    Stranger,
}

// === impl Clients ===

impl Clients {
    /// Those that the files hold; `None` where no client is asked for a certificate.
    pub(crate) fn of(contents: &Contents) -> Result<Option<Self>, Unusable> {
        if contents.client_ca.is_none() && contents.known.is_empty() {
            return Ok(None);
        }
        let mut clients = Self {
            known: Vec::with_capacity(contents.known.len()),
            any: None,
            hints: Vec::new(),
            algorithms: provider().signature_verification_algorithms,
        };
        let mut before: Vec<RootCertStore> = Vec::new();
        for named in &contents.known {
            let path = &named.ca.0;
            if before.len() == AUTHORITIES_MAX {
                let why = format!("there are more than {AUTHORITIES_MAX} such files");
                return Err(unusable(path, why));
            }
            let roots = roots(&named.ca.1).map_err(|why| unusable(path, why))?;
            if before.iter().any(|it| shares(it, &roots)) {
                let why = "holds an authority that another name has, too: nobody could tell whose a certificate is";
                return Err(unusable(path, why));
            }
            before.push(roots.clone());
            let authority = clients.authority((path, roots), named.revoked.as_ref())?;
            clients.known.push((named.name.as_str().into(), authority));
        }
        if let Some((path, pem)) = &contents.client_ca {
            let roots = roots(pem).map_err(|why| unusable(path, why))?;
            clients.any = Some(clients.authority((path, roots), None)?);
        }
        Ok(Some(clients))
    }

    fn authority(
        &mut self,
        (path, roots): (&Path, RootCertStore),
        revoked: Option<&(PathBuf, Vec<u8>)>,
    ) -> Result<Authority, Unusable> {
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        let mut read = path;
        if let Some((path, pem)) = revoked {
            // Of every certificate of a chain it must be known that it stands: what cannot be told is not taken.
            builder = builder.with_crls(lists(pem).map_err(|why| unusable(path, why))?);
            read = path;
        }
        let built = builder.build().map_err(|why| unusable(read, why))?;
        self.hints.extend_from_slice(built.root_hint_subjects());
        Ok(built)
    }

    /// Of which authority a chain is at this time, the client's own certificate first.
    pub fn judge(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<Of, NotTaken> {
        let (first, rest) = chain.split_first().ok_or(NotTaken::Stranger)?;
        self.verify(first, rest, now).map_err(|why| match why {
            Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => NotTaken::Time,
            Error::InvalidCertificate(
                CertificateError::Revoked | CertificateError::UnknownRevocationStatus,
            ) => NotTaken::Revoked,
            _ => NotTaken::Stranger,
        })
    }

    fn verify(
        &self,
        first: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Of, Error> {
        let mut found = None;
        let (mut over, mut refused) = (None, None);
        for (name, authority) in &self.known {
            match authority.verify_client_cert(first, rest, now) {
                Ok(_) if found.is_some() => {
                    return Err(CertificateError::ApplicationVerificationFailure.into());
                }
                Ok(_) => found = Some(Of::Known(Arc::clone(name))),
                Err(why) if is_over(&why) => over = Some(why),
                // Who is nobody's says less than any other reason.
                Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {}
                Err(why) => refused = Some(why),
            }
        }
        // What one of them has revoked is no other's.
        if let Some(over) = over {
            return Err(over);
        }
        match (found, &self.any) {
            (Some(found), _) => Ok(found),
            (None, Some(any)) => any.verify_client_cert(first, rest, now).map(|_| Of::Any),
            (None, None) => Err(refused.unwrap_or_else(|| CertificateError::UnknownIssuer.into())),
        }
    }
}

/// Whether an authority said that a certificate is its own, and not good any more.
const fn is_over(why: &Error) -> bool {
    matches!(
        why,
        Error::InvalidCertificate(
            CertificateError::Revoked
                | CertificateError::UnknownRevocationStatus
                | CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
        )
    )
}

/// Whether both trust one key.
fn shares(one: &RootCertStore, other: &RootCertStore) -> bool {
    let same = |root: &rustls::pki_types::TrustAnchor<'_>| {
        let mut others = other.roots.iter();
        others.any(|it| it.subject_public_key_info == root.subject_public_key_info)
    };
    one.roots.iter().any(same)
}

/// The authorities in a PEM text; at least one.
fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|why| format!("is not PEM: {why}"))?;
        roots.add(certificate).map_err(|why| why.to_string())?;
    }
    if roots.is_empty() {
        return Err("holds no certificate".to_owned());
    }
    Ok(roots)
}

/// The lists of what was revoked in a PEM text; at least one.
fn lists(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let lists = CertificateRevocationListDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let lists = lists.map_err(|why| format!("is not PEM: {why}"))?;
    if lists.is_empty() {
        return Err("holds no list of what was revoked".to_owned());
    }
    Ok(lists)
}

impl ClientCertVerifier for Clients {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        self.any.is_some()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if certificate.len() > CERTIFICATE_BYTES_MAX {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        self.verify(certificate, intermediates, now)
            .map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} authorities", self.known.len())
    }
}

#[cfg(test)]
#[path = "clients_test.rs"]
mod tests;
