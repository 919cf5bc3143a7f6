//! Opens a connection to a receiver: resolve, check, connect, encrypt.
//!
//! The address that was checked is the address that is dialled: a name is resolved once, and nothing in between asks again. What
//! is not encrypted goes to this machine alone, and only where the settings say so.

use std::{fs, io, net::SocketAddr, path::Path, sync::Arc};

use egress::Guard;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::either::Either;

use crate::{
    config::Config,
    place::Server,
    said::{Undelivered, Unusable},
};

/// The largest file of authorities, in bytes. Full: it is refused.
const CA_BYTES_MAX: u64 = 1 << 20;

/// How many addresses of one name are tried.
// Full: the others are left; the next try resolves anew.
const CANDIDATES_MAX: usize = 4;

/// A connection to a receiver: plain, or encrypted.
pub(crate) type Wire = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// Opens connections.
#[derive(Clone)]
pub(crate) struct Dialler {
    guard: Guard,
    plaintext_on_loopback: bool,
    tls: TlsConnector,
    names: Names,
}

/// Who says where a name is.
#[derive(Clone)]
enum Names {
    /// The system.
    System,
    /// A test: one answer after the other.
    #[cfg(test)]
    Told(Arc<std::sync::Mutex<std::collections::VecDeque<Vec<std::net::IpAddr>>>>),
}

/// The authorities of a file, as PEM; none without one.
pub(crate) fn authorities(file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let unusable = |why: String| Unusable {
        setting: "alerts.ca_file",
        why,
    };
    let Some(path) = file else {
        return Ok(Vec::new());
    };
    let read = || {
        if fs::metadata(path)?.len() > CA_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        fs::read(path)
    };
    let pem = read().map_err(|why| unusable(why.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|why| unusable(why.to_string()))?;
    if found.is_empty() {
        return Err(unusable("it holds no certificate".to_owned()));
    }
    Ok(found)
}

fn tls(authorities: &[CertificateDer<'static>]) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for it in authorities {
        roots.add(it.clone())?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

// === impl Dialler ===

impl Dialler {
    /// Dials what these settings allow, and trusts these authorities beside the public ones.
    pub(crate) fn new(
        config: &Config,
        authorities: &[CertificateDer<'static>],
    ) -> Result<Self, Unusable> {
        let tls = tls(authorities).map_err(|why| Unusable {
            setting: "alerts.ca_file",
            why: why.to_string(),
        })?;
        Ok(Self {
            guard: Guard::new(config.private_ranges.clone()),
            plaintext_on_loopback: config.plaintext_on_loopback,
            tls: TlsConnector::from(Arc::new(tls)),
            names: Names::System,
        })
    }

    /// A new connection.
    pub(crate) async fn dial(&self, server: &Server, encrypted: bool) -> Result<Wire, Undelivered> {
        let mut last = Undelivered::because("the receiver has no address");
        for address in self.addresses(server, encrypted).await? {
            match self.connect(server, address, encrypted).await {
                Ok(wire) => return Ok(wire),
                Err(why) => last = Undelivered::because(format!("connect to the receiver: {why}")),
            }
        }
        Err(last)
    }

    /// The addresses of a server that may be dialled.
    pub(crate) async fn addresses(
        &self,
        server: &Server,
        encrypted: bool,
    ) -> Result<Vec<SocketAddr>, Undelivered> {
        let found: Vec<SocketAddr> = if let Some(ip) = server.literal() {
            vec![SocketAddr::new(ip, server.port)]
        } else {
            let found = self.names.of(server).await;
            let unresolved = |_| Undelivered::because("the receiver's name does not resolve");
            found.map_err(unresolved)?
        };
        let may = |it: &SocketAddr| self.guard.allows(it.ip());
        let open: Vec<SocketAddr> = found.into_iter().filter(may).take(CANDIDATES_MAX).collect();
        if open.is_empty() {
            return Err(Undelivered::because(
                "the receiver's address is not public: open its range with alerts.private_ranges if it may be told",
            ));
        }
        let near = |it: &SocketAddr| it.ip().to_canonical().is_loopback();
        let may_be_plain = self.plaintext_on_loopback && open.iter().all(near);
        if !(encrypted || may_be_plain) {
            return Err(Undelivered::because(
                "notices go out over TLS alone; alerts.plaintext_on_loopback lets them go to this machine without",
            ));
        }
        Ok(open)
    }

    async fn connect(
        &self,
        server: &Server,
        address: SocketAddr,
        encrypted: bool,
    ) -> io::Result<Wire> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        if !encrypted {
            return Ok(Either::Left(stream));
        }
        let name = ServerName::try_from(server.host.clone()).map_err(io::Error::other)?;
        let stream = Box::pin(self.tls.connect(name, stream)).await?;
        Ok(Either::Right(Box::new(stream)))
    }
}

// === impl Names ===

impl Names {
    async fn of(&self, server: &Server) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::System => {
                let found = lookup_host((server.host.as_str(), server.port)).await?;
                Ok(found.collect())
            }
            #[cfg(test)]
            Self::Told(answers) => {
                let mut answers = answers.lock().map_err(|_| io::ErrorKind::Other)?;
                let answer = answers.pop_front().unwrap_or_default();
                let address = |ip| SocketAddr::new(ip, server.port);
                Ok(answer.into_iter().map(address).collect())
            }
        }
    }
}

#[cfg(test)]
#[path = "dial_test.rs"]
mod tests;
