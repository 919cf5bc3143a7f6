//! Reaching a control plane: which address is next, and how it is spoken to.
//!
//! Knows addresses, keepalives and the join token; nothing of what is said. The token leaves this machine in
//! plaintext only where the operator has said so in so many words.

use std::{fmt, net::IpAddr, time::Duration};

use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, ClientTlsConfig, Endpoint, Error},
};

const CONNECT: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The control planes and the token for them. Clones begin at different addresses.
#[derive(Clone)]
pub struct Dialer {
    endpoints: Vec<Endpoint>,
    next: usize,
    token: MetadataValue<Ascii>,
}

/// Why a control plane cannot be reached as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidAddress {
    /// There is none.
    None,
    /// This is not an address.
    NotAnAddress(String),
    /// This one would send the join token in plaintext to another machine.
    Plaintext(String),
    /// The token cannot stand in a header.
    Token,
}

// === impl Dialer ===

impl Dialer {
    /// Checks the addresses and shuffles them, so that a fleet spreads over them.
    pub fn new(
        addresses: &[String],
        token: &str,
        plaintext_beyond_loopback: bool,
    ) -> Result<Self, InvalidAddress> {
        let mut endpoints = Vec::new();
        for address in addresses {
            endpoints.push(endpoint(address, plaintext_beyond_loopback)?);
        }
        if endpoints.is_empty() {
            return Err(InvalidAddress::None);
        }
        fastrand::shuffle(&mut endpoints);
        let text = zeroize::Zeroizing::new(format!("Bearer {token}"));
        let mut token: MetadataValue<Ascii> = text.parse().map_err(|_| InvalidAddress::Token)?;
        token.set_sensitive(true);
        Ok(Self {
            endpoints,
            next: 0,
            token,
        })
    }

    /// Connects to the next address. Ends within five seconds.
    pub async fn connect(&mut self) -> Result<Channel, Error> {
        let endpoint = &self.endpoints[self.next];
        self.next = (self.next + 1) % self.endpoints.len();
        endpoint.connect().await
    }

    /// A channel that connects when it is used, and again when it is used after a failure.
    pub fn lazily(&mut self) -> Channel {
        let endpoint = &self.endpoints[self.next];
        self.next = (self.next + 1) % self.endpoints.len();
        endpoint.connect_lazy()
    }

    /// A request that proves who asks.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", self.token.clone());
        request
    }
}

fn endpoint(address: &str, plaintext_beyond_loopback: bool) -> Result<Endpoint, InvalidAddress> {
    let invalid = || InvalidAddress::NotAnAddress(address.to_owned());
    let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|_| invalid())?;
    let uri = endpoint.uri().clone();
    let host = uri.host().ok_or_else(invalid)?;
    let endpoint = match uri.scheme_str() {
        Some("https") => {
            let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
            let tls = ClientTlsConfig::new().trust_anchors(roots);
            endpoint.tls_config(tls).map_err(|_| invalid())?
        }
        Some("http") if plaintext_beyond_loopback || is_loopback(host) => endpoint,
        Some("http") => return Err(InvalidAddress::Plaintext(address.to_owned())),
        _ => return Err(invalid()),
    };
    Ok(endpoint
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        // A snapshot crosses oceans: the default window of 64 KiB would cap it far below the line's speed.
        .http2_adaptive_window(true)
        .tcp_nodelay(true))
}

fn is_loopback(host: &str) -> bool {
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("control_plane.addresses: name at least one"),
            Self::NotAnAddress(text) => write!(
                f,
                "control_plane.addresses: `{text}` is not such as `http://127.0.0.1:7071`"
            ),
            Self::Plaintext(text) => write!(
                f,
                "control_plane.addresses: `{text}` would carry the join token in plaintext beyond this machine; use https, or set control_plane.plaintext_beyond_loopback where the network itself is private"
            ),
            Self::Token => {
                f.write_str("control_plane.join_token: it is not one line of visible characters")
            }
        }
    }
}

impl std::error::Error for InvalidAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leaves_the_machine_in_plaintext_only_when_told() {
        let dial = |address: &str, told| Dialer::new(&[address.to_owned()], "t", told).map(drop);
        for near in [
            "http://127.0.0.1:7071",
            "http://[::1]:7071",
            "http://localhost:7071",
        ] {
            assert_eq!(dial(near, false), Ok(()));
        }
        let far = "http://10.0.0.7:7071";
        assert_eq!(
            dial(far, false),
            Err(InvalidAddress::Plaintext(far.to_owned()))
        );
        assert_eq!(dial(far, true), Ok(()));
        assert_eq!(
            dial("nonsense", true),
            Err(InvalidAddress::NotAnAddress("nonsense".to_owned()))
        );
        assert_eq!(
            Dialer::new(&[], "t", true).map(drop),
            Err(InvalidAddress::None)
        );
    }
}
