//! Reaching a control plane: which address is next, and how it is spoken to.
//!
//! Knows addresses, keepalives and what proves this edge; nothing of what is said. A join token leaves this machine in
//! plaintext only where the operator has said so in so many words.

use std::{fmt, sync::Arc, time::Duration};

use egress::{Unfit, Way};
use tls::membership::Membership;
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Error, Identity},
};

use crate::feed::membership::{NotCertified, Proof};

const CONNECT: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The control planes and what proves this edge to them. Clones begin at different addresses.
#[derive(Clone)]
pub struct Dialer {
    endpoints: Vec<Endpoint>,
    next: usize,
    shows: Shows,
}

/// What proves this edge.
#[derive(Clone)]
enum Shows {
    Token(MetadataValue<Ascii>),
    Certificate(Arc<Proof>),
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
    /// This one is not encrypted, and certificates are for connections that are.
    Unencrypted(String),
    /// The token cannot stand in a header.
    Token,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum CannotConnect {
    /// The connection failed.
    Transport(Error),
    /// This edge has no certificate.
    NotCertified(NotCertified),
}

// === impl Dialer ===

impl Dialer {
    /// Checks the addresses and shuffles them, so that a fleet spreads over them.
    pub fn new(
        addresses: &[String],
        token: &str,
        plaintext_beyond_loopback: bool,
    ) -> Result<Self, InvalidAddress> {
        let text = zeroize::Zeroizing::new(format!("Bearer {token}"));
        let mut token: MetadataValue<Ascii> = text.parse().map_err(|_| InvalidAddress::Token)?;
        token.set_sensitive(true);
        let endpoint = |address: &String| endpoint(address, plaintext_beyond_loopback);
        Self::to(addresses.iter().map(endpoint), Shows::Token(token))
    }

    /// As [`Self::new`], for control planes that know edges by certificates.
    pub fn certified(addresses: &[String], proof: Arc<Proof>) -> Result<Self, InvalidAddress> {
        let endpoint = |address: &String| encrypted(address);
        Self::to(addresses.iter().map(endpoint), Shows::Certificate(proof))
    }

    fn to(
        endpoints: impl Iterator<Item = Result<Endpoint, InvalidAddress>>,
        shows: Shows,
    ) -> Result<Self, InvalidAddress> {
        let mut endpoints = endpoints.collect::<Result<Vec<_>, _>>()?;
        if endpoints.is_empty() {
            return Err(InvalidAddress::None);
        }
        fastrand::shuffle(&mut endpoints);
        Ok(Self {
            endpoints,
            next: 0,
            shows,
        })
    }

    /// Connects to the next address, and has this edge certified there if it must be. Ends within half a minute.
    pub async fn connect(&mut self) -> Result<Channel, CannotConnect> {
        let endpoint = self.turn();
        let Shows::Certificate(proof) = &self.shows else {
            return endpoint.connect().await.map_err(CannotConnect::Transport);
        };
        if proof.current().is_none() {
            enrol(&endpoint, proof).await?;
        }
        let endpoint = showing(endpoint, proof).map_err(CannotConnect::Transport)?;
        endpoint.connect().await.map_err(CannotConnect::Transport)
    }

    /// A channel that connects when it is used, and again when it is used after a failure.
    pub fn lazily(&mut self) -> Channel {
        let endpoint = self.turn();
        match &self.shows {
            Shows::Token(_) => endpoint.connect_lazy(),
            // Without a certificate yet, or with one that no longer fits, the call fails, and its caller takes another channel.
            Shows::Certificate(proof) => {
                let shown = showing(endpoint.clone(), proof);
                shown.unwrap_or(endpoint).connect_lazy()
            }
        }
    }

    /// A request that proves who asks, where the connection does not.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Shows::Token(token) = &self.shows {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        request
    }

    fn turn(&mut self) -> Endpoint {
        let endpoint = self.endpoints[self.next].clone();
        self.next = (self.next + 1) % self.endpoints.len();
        endpoint
    }
}

async fn enrol(endpoint: &Endpoint, proof: &Proof) -> Result<(), CannotConnect> {
    let uri = endpoint.uri();
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let authority = proof.authority(host, uri.port_u16().unwrap_or(443)).await;
    let authority = authority.map_err(CannotConnect::NotCertified)?;
    let trusting = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&authority));
    let endpoint = endpoint.clone().tls_config(trusting);
    let channel = endpoint.map_err(CannotConnect::Transport)?.connect().await;
    let enrolled = proof.enrol(channel.map_err(CannotConnect::Transport)?, authority);
    enrolled.await.map_err(CannotConnect::NotCertified)
}

/// The endpoint, reached with the certificate of this moment.
fn showing(endpoint: Endpoint, proof: &Proof) -> Result<Endpoint, Error> {
    let mut tls = ClientTlsConfig::new();
    if let Some(membership) = proof.current() {
        let Membership {
            key,
            certificate,
            authority,
        } = &*membership;
        tls = tls
            .ca_certificate(Certificate::from_pem(authority))
            .identity(Identity::from_pem(certificate, key.as_str()));
    }
    endpoint.tls_config(tls)
}

fn encrypted(address: &str) -> Result<Endpoint, InvalidAddress> {
    let endpoint = endpoint(address, true)?;
    if endpoint.uri().scheme_str() == Some("https") {
        Ok(endpoint)
    } else {
        Err(InvalidAddress::Unencrypted(address.to_owned()))
    }
}

fn endpoint(address: &str, plaintext_beyond_loopback: bool) -> Result<Endpoint, InvalidAddress> {
    let invalid = || InvalidAddress::NotAnAddress(address.to_owned());
    let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|_| invalid())?;
    let endpoint = match egress::way(endpoint.uri(), plaintext_beyond_loopback) {
        Ok(Way::Encrypted) => {
            let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
            let tls = ClientTlsConfig::new().trust_anchors(roots);
            endpoint.tls_config(tls).map_err(|_| invalid())?
        }
        Ok(Way::Plain) => endpoint,
        Err(Unfit::Plaintext) => return Err(InvalidAddress::Plaintext(address.to_owned())),
        Err(Unfit::NotAnAddress) => return Err(invalid()),
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
            Self::Unencrypted(text) => write!(
                f,
                "control_plane.addresses: `{text}` is not https, and this edge proves itself by a certificate"
            ),
            Self::Token => {
                f.write_str("control_plane.join_token: it is not one line of visible characters")
            }
        }
    }
}

impl std::error::Error for InvalidAddress {}

// === impl CannotConnect ===

impl fmt::Display for CannotConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(why) => why.fmt(f),
            Self::NotCertified(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for CannotConnect {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Transport(why) => why.source(),
            Self::NotCertified(_) => None,
        }
    }
}

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
