//! Opens a connection to a provider: resolve, check, connect, encrypt.
//!
//! Knows sockets and TLS; knows nothing of HTTP. The address that was checked is the address that is dialled: a
//! name is resolved once, and nothing in between asks again.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use egress::Guard;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tls::wire::Wire;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

use crate::call::origin::Origin;

/// How many addresses of one name are tried.
// Full: the others are left; the next request resolves anew.
const CANDIDATES_MAX: usize = 8;

/// Opens connections.
pub struct Dialler {
    guard: Guard,
    tls: TlsConnector,
    time_max: Duration,
    names: Names,
}

/// Who says where a name is.
enum Names {
    /// The system.
    System,
    /// A test: one answer after the other.
    #[cfg(test)]
    Told(std::cell::RefCell<std::collections::VecDeque<Vec<IpAddr>>>),
}

/// Why there is no connection. Nothing of a request was sent.
#[derive(Debug)]
pub enum CannotDial {
    /// The name could not be resolved.
    Unresolved,
    /// Every address is one that may not be dialled.
    Forbidden,
    /// Nobody answered in time.
    Slow,
    /// The connection or its encryption failed.
    Failed(io::Error),
    /// The provider accepted the connection and closed it at once.
    Closed,
}

/// TLS as every provider is met: the public roots, HTTP/1.1. Made once for all cores, so that they share sessions.
pub fn tls() -> Result<Arc<ClientConfig>, rustls::Error> {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

// === impl Dialler ===

impl Dialler {
    /// Dials what `guard` allows, within `time_max` from resolving to the end of the TLS handshake.
    pub fn new(guard: Guard, tls: Arc<ClientConfig>, time_max: Duration) -> Self {
        Self {
            guard,
            tls: TlsConnector::from(tls),
            time_max,
            names: Names::System,
        }
    }

    /// A new connection to `origin`.
    pub async fn dial(&self, origin: &Origin) -> Result<Wire, CannotDial> {
        let deadline = Instant::now() + self.time_max;
        let addresses = timeout_at(deadline, self.resolve(origin));
        let addresses = addresses.await.unwrap_or(Err(CannotDial::Slow))?;
        let mut last = CannotDial::Forbidden;
        for (tried, address) in addresses.iter().enumerate() {
            // Each address gets its part of the time that is left, so that one that swallows packets does not
            // use it all up.
            let left = deadline.saturating_duration_since(Instant::now());
            let part = left / u32::try_from(addresses.len() - tried).unwrap_or(1);
            let attempt = timeout_at(Instant::now() + part, self.connect(origin, *address));
            match attempt.await {
                Ok(Ok(wire)) => return Ok(wire),
                Ok(Err(error)) => last = CannotDial::Failed(error),
                Err(_) => last = CannotDial::Slow,
            }
        }
        Err(last)
    }

    async fn resolve(&self, origin: &Origin) -> Result<Vec<SocketAddr>, CannotDial> {
        let allowed = |ip: IpAddr| self.guard.allows(ip);
        if let Some(ip) = origin.literal() {
            let address = SocketAddr::new(ip, origin.port());
            return if allowed(ip) {
                Ok(vec![address])
            } else {
                Err(CannotDial::Forbidden)
            };
        }
        let found = self.names.of(origin).await;
        let found = found.map_err(|_| CannotDial::Unresolved)?;
        if found.is_empty() {
            return Err(CannotDial::Unresolved);
        }
        let found: Vec<_> = found
            .into_iter()
            .filter(|address| allowed(address.ip()))
            .take(CANDIDATES_MAX)
            .collect();
        if found.is_empty() {
            Err(CannotDial::Forbidden)
        } else {
            Ok(found)
        }
    }

    async fn connect(&self, origin: &Origin, address: SocketAddr) -> io::Result<Wire> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        if !origin.encrypted() {
            return Ok(Wire::Tcp(stream));
        }
        let name = ServerName::try_from(origin.host())
            .map_err(io::Error::other)?
            .to_owned();
        // Boxed: a handshake is large, and rare beside the requests that carry this future's size.
        let stream = Box::pin(self.tls.connect(name, stream)).await?;
        Ok(Wire::Tls(Box::new(stream.into())))
    }
}

// === impl Names ===

impl Names {
    async fn of(&self, origin: &Origin) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::System => Ok(lookup_host((origin.host(), origin.port())).await?.collect()),
            #[cfg(test)]
            Self::Told(answers) => {
                let answer = answers.borrow_mut().pop_front().unwrap_or_default();
                let address = |ip| SocketAddr::new(ip, origin.port());
                Ok(answer.into_iter().map(address).collect())
            }
        }
    }
}

// === impl CannotDial ===

impl fmt::Display for CannotDial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolved => f.write_str("the provider's name does not resolve"),
            Self::Forbidden => f.write_str(
                "the provider's address is not public: open its range with upstream.private_ranges \
                 if it may be called",
            ),
            Self::Slow => f.write_str("the provider did not accept a connection in time"),
            Self::Failed(error) => write!(f, "connect to the provider: {error}"),
            Self::Closed => f.write_str("the provider closed the connection at once"),
        }
    }
}

impl std::error::Error for CannotDial {}

#[cfg(test)]
#[path = "dial_test.rs"]
mod tests;
