//! Who is at the other end of a connection: an address, and the certificate that was shown and proven, if any.
//!
//! Put by the listeners among a request's extensions. Knows nothing of what a certificate means.

use rustls_pki_types::CertificateDer;
use tonic::transport::server::TcpConnectInfo;

/// The other end.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Where it is.
    pub tcp: TcpConnectInfo,
    /// What it has shown.
    pub certificate: Option<CertificateDer<'static>>,
}
