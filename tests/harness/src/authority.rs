//! An authority of a test's own, the certificates that it issues, and a look at which one a server shows.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    DistinguishedName, DnType, IsCa, KeyIdMethod, KeyPair, RevokedCertParams, SanType,
    SerialNumber,
};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// An authority.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, in files.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate, as PEM.
    pub cert_file: PathBuf,
    /// The key, as PEM.
    pub key_file: PathBuf,
}

/// Whose a client's certificate is.
#[derive(Debug, Clone, Copy)]
pub struct Bearer<'a> {
    /// The last part of its subject, whose other one is the organization `Acme`.
    pub common_name: &'a str,
    /// Its one other name.
    pub uri: &'a str,
    /// Its number.
    pub serial: u64,
    /// For how long it is good.
    pub life: Duration,
}

// === impl Authority ===

impl Authority {
    /// A new one; `name` is what it is called in its certificates.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key can be made");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("it can sign itself");
        Self { issuer }
    }

    /// Its certificate, as PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Writes its certificate.
    pub fn write(&self, path: &Path) {
        fs::write(path, self.pem()).expect("a file can be written");
    }

    /// Issues a certificate for names and addresses and writes it and its key as `folder/stem.pem` and `.key`, in place of
    /// what is there.
    pub fn issue(&self, folder: &Path, stem: &str, names: &[&str]) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("the names are names");
        self.sign(folder, stem, &params)
    }

    /// Issues a client's certificate and writes it and its key the same way.
    pub fn certify(&self, folder: &Path, stem: &str, bearer: &Bearer<'_>) -> Pair {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are names");
        params.distinguished_name = DistinguishedName::new();
        let name = &mut params.distinguished_name;
        name.push(DnType::OrganizationName, "Acme");
        name.push(DnType::CommonName, bearer.common_name);
        let uri = bearer.uri.try_into().expect("it is a URI");
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.serial_number = Some(SerialNumber::from(bearer.serial));
        let now = OffsetDateTime::now_utc();
        (params.not_before, params.not_after) = (now - Duration::from_mins(5), now + bearer.life);
        self.sign(folder, stem, &params)
    }

    /// Writes its list of what it has revoked: the certificates of these numbers.
    pub fn revoke(&self, path: &Path, serials: &[u64]) {
        let now = OffsetDateTime::now_utc();
        let of = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: now,
            next_update: now + Duration::from_hours(1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(of).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list
            .signed_by(&self.issuer)
            .expect("an authority signs lists");
        let pem = list.pem().expect("a list is written");
        fs::write(path, pem).expect("a file can be written");
    }

    fn sign(&self, folder: &Path, stem: &str, params: &CertificateParams) -> Pair {
        let key = KeyPair::generate().expect("a key can be made");
        let issued = params.signed_by(&key, &self.issuer);
        let pair = Pair {
            cert_file: folder.join(format!("{stem}.pem")),
            key_file: folder.join(format!("{stem}.key")),
        };
        let issued = issued.expect("a certificate can be issued").pem();
        fs::write(&pair.cert_file, issued).expect("a file can be written");
        fs::write(&pair.key_file, key.serialize_pem()).expect("a file can be written");
        pair
    }

    /// Connects as who trusts this authority, and presents a certificate if one is given.
    pub async fn connect(
        &self,
        address: SocketAddr,
        name: &str,
        presented: Option<&Pair>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        let added = roots.add(self.issuer.der().clone());
        added.expect("an authority's certificate is one");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_root_certificates(roots);
        let config = match presented {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let key = PrivateKeyDer::from_pem_file(&pair.key_file).expect("it is a key");
                let chain = vec![read(&pair.cert_file)];
                let config = builder.with_client_auth_cert(chain, key);
                config.expect("the key is the certificate's")
            }
        };
        let name = ServerName::try_from(name.to_owned()).expect("it is a name");
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }

    /// Connects to whoever is there, for HTTP/2, and shows nothing.
    pub async fn connect_to_anybody(address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let schemes = provider
            .signature_verification_algorithms
            .supported_schemes();
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(schemes)))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from("localhost").expect("it is a name");
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }

    /// The certificate that a server shows to who asks for `name`.
    pub async fn shown(
        &self,
        address: SocketAddr,
        name: &str,
    ) -> std::io::Result<CertificateDer<'static>> {
        let stream = self.connect(address, name, None).await?;
        let shown = stream.get_ref().1.peer_certificates();
        Ok(shown.expect("a server shows a certificate")[0].clone())
    }
}

/// Believes everybody.
#[derive(Debug)]
struct Anybody(Vec<SignatureScheme>);

impl ServerCertVerifier for Anybody {
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

/// The certificate in a file.
pub fn read(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).expect("the file holds a certificate")
}
