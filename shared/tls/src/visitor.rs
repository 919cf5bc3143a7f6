//! Who may shake hands at the listener for edges: anybody, and who shows a certificate must show a good one.
//!
//! A certificate that ended within a week passes here, because its bearer may have it renewed after a long outage;
//! whoever asks for anything else is told so by who looks at the certificate. Nothing else is forgiven.

use std::{fmt, sync::Arc, time::Duration};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::{
        VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use crate::provider::provider;

/// How long after its end a certificate may still be renewed.
pub const RENEWABLE: Duration = Duration::from_hours(24 * 7);

/// Looks at certificates of edges.
pub(crate) struct Visitors(Arc<dyn ClientCertVerifier>);

// === impl Visitors ===

impl Visitors {
    /// Those that these authorities have certified.
    pub(crate) fn of(roots: RootCertStore) -> Result<Self, VerifierBuilderError> {
        let built = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        Ok(Self(built.allow_unauthenticated().build()?))
    }
}

impl ClientCertVerifier for Visitors {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(certificate, intermediates, now);
        match &verified {
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after, ..
            })) if now.as_secs().saturating_sub(not_after.as_secs()) <= RENEWABLE.as_secs() => {
                // Judged again as of its last second, so that nothing but its end is forgiven.
                self.0
                    .verify_client_cert(certificate, intermediates, *not_after)
            }
            _ => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

impl fmt::Debug for Visitors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Visitors")
    }
}
