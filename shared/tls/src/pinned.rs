//! The first meeting with a control plane: its authority, known by nothing but its SHA-256 so far.
//!
//! Asks for the certificates and closes; nothing is said on that connection. Whoever stands there may show anything:
//! only what has the right digest is believed, and the next connection trusts that alone.

use std::{fmt, io, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{authority::fingerprint, provider::provider};

/// How long the meeting may take.
const MEETING_MAX: Duration = Duration::from_secs(5);

/// Takes any certificates, to look at them.
struct Any(Vec<SignatureScheme>);

/// The authority with this fingerprint, as PEM, as whoever is at `host:port` shows it.
pub async fn authority(host: &str, port: u16, pin: &str) -> io::Result<String> {
    let met = timeout(MEETING_MAX, chain(host, port)).await;
    let chain = met.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let found = chain.into_iter().find(|it| fingerprint(it) == pin);
    let found = found.map(|it| pem::encode(&pem::Pem::new("CERTIFICATE", it.to_vec())));
    found.ok_or_else(|| {
        let why = "it does not show the authority that the invitation names";
        io::Error::new(io::ErrorKind::PermissionDenied, why)
    })
}

async fn chain(host: &str, port: u16) -> io::Result<Vec<CertificateDer<'static>>> {
    let provider = provider();
    let schemes = provider
        .signature_verification_algorithms
        .supported_schemes();
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any(schemes)))
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let stream = TcpStream::connect((host, port)).await?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    let shown = stream.get_ref().1.peer_certificates();
    // Full: a chain is at most what one handshake carries, 64 KiB.
    Ok(shown.map(<[_]>::to_vec).unwrap_or_default())
}

// === impl Any ===

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

impl fmt::Debug for Any {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Any")
    }
}
