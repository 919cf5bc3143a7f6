//! Takes clients' connections, within limits: how many, how large a head, how long one may take.
//!
//! Knows sockets; knows nothing of what is said on them. Every core has a listener of its own on the one
//! address, so a connection lives and dies on the core that accepted it.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use ipnet::IpNet;
use lifecycle::listen::{self, CannotListen};
use serde::{Deserialize, Deserializer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// How many connections may wait in the kernel to be accepted, for each core.
// Full: the kernel drops the client's SYN, and the client tries again.
const BACKLOG: i32 = 1_024;

/// What is spoken behind TLS.
pub const ALPN: tls::served::Alpn = &[b"http/1.1"];

/// How long a client may refuse to take bytes before the kernel closes its connection.
const CLIENT_STALL: Duration = Duration::from_mins(5);

/// The section `[inference]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where clients connect. Default `127.0.0.1:8080`.
    pub address: SocketAddr,
    /// Whether to serve without TLS to clients on other hosts. Default false.
    pub plaintext_beyond_loopback: bool,
    /// `[inference.tls]`: the certificates to serve with, see [`tls::Config`]. Default: none, and no TLS.
    pub tls: Option<tls::Config>,
    /// How many cores to use; 0 means all. Default 0.
    pub threads: usize,
    /// The most connections at once, on all cores together. Default 10,000.
    pub connections_max: usize,
    /// The longest request body, in bytes. Default 32 MiB.
    pub body_bytes_max: usize,
    /// The most bytes of request bodies that each core holds at once, but never less than one longest body. A body
    /// is held until its provider has answered; the copy with the provider's name for the model is not counted, so
    /// give the process twice as much. Default 256 MiB.
    pub bodies_bytes_max: usize,
    /// The longest request line and headers, in bytes. Default 32 KiB.
    pub head_bytes_max: usize,
    /// How long a request's head may take, and how long a connection may stay idle, in milliseconds. Default
    /// 75,000: longer than the load balancers and SDKs before us keep a connection.
    pub head_timeout_ms: u64,
    /// Where clients reach this edge, as an origin such as `https://ai.example.com`: what they are told of where tokens come
    /// from stands below it. Empty means: they are told nothing of that. Default empty.
    #[serde(deserialize_with = "origin")]
    pub public_url: String,
    /// The proxies before us, as ranges of addresses: when one of them connects, the client's address is what it says in
    /// `X-Forwarded-For`. Nobody else is believed. Default none.
    #[serde(deserialize_with = "ranges")]
    pub trusted_proxies: Vec<IpNet>,
    /// The longest body of a request that is passed through, in bytes. It is not held, but passed on as it comes.
    /// Default 1 GiB.
    pub passthrough_bytes_max: u64,
    /// The longest message on a WebSocket, in bytes. It is not held, but passed on as it comes. Default 32 MiB.
    pub socket_message_bytes_max: u64,
    /// How long a request's body may take, in milliseconds; of one that is passed through, how long its client may
    /// send nothing of it. For as long a request can keep the configuration in
    /// memory that it came under. Default 60,000.
    pub body_timeout_ms: u64,
}

/// One core's door: admits connections up to a number.
pub struct Accept {
    listener: tokio::net::TcpListener,
    places: Arc<Semaphore>,
}

/// A connection, and its place among those allowed.
pub struct Accepted {
    /// The connection; where there is TLS, before its handshake.
    pub stream: TcpStream,
    /// Who connected.
    pub peer: IpAddr,
    /// Held as long as the connection lives.
    pub place: OwnedSemaphorePermit,
}

fn origin<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    let authority = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let plain = |it: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        !it.is_empty() && it.bytes().all(letter)
    };
    if text.is_empty() || authority.is_some_and(plain) {
        Ok(text)
    } else {
        Err(serde::de::Error::custom(format!(
            "`{text}` is not an origin like https://ai.example.com"
        )))
    }
}

fn ranges<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let ranges = texts.iter().map(|text| {
        policy::scope::range(text)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no range of addresses")))
    });
    ranges.collect()
}

/// One listener for each core, all on one address. Port 0 means: any free one, the same for all.
pub fn listeners(config: &Config, cores: usize) -> Result<Vec<TcpListener>, CannotListen> {
    let open = config.plaintext_beyond_loopback || config.tls.is_some();
    listen::check(config.address, open)?;
    let mut address = config.address;
    let mut listeners = Vec::with_capacity(cores);
    for _ in 0..cores.max(1) {
        let listener = bind(address).map_err(|error| CannotListen::Refused(address, error))?;
        address = listener
            .local_addr()
            .map_err(|error| CannotListen::Refused(address, error))?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// How HTTP is spoken with clients.
pub fn http(config: &Config) -> http1::Builder {
    let mut http = http1::Builder::new();
    // Without a timer hyper ignores the timeout and says nothing. A head with more than hyper's own hundred
    // headers is answered with 431, as one that is too long; a larger number would cost an allocation each.
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(config.head_timeout_ms))
        // Heads and chunks are short: one buffer is cheaper to hand over than a list of pieces.
        .writev(false)
        .max_header_size(config.head_bytes_max);
    http
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    // Both are inherited by what is accepted. Without the first, an answer in two writes waits 40 ms for the
    // client's delayed acknowledgement; without the second, a client that stops reading holds a provider's
    // stream for ever, because hyper asks for no more of it and so nobody looks at a clock.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(CLIENT_STALL))?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 8080)),
            plaintext_beyond_loopback: false,
            tls: None,
            threads: 0,
            connections_max: 10_000,
            body_bytes_max: 32 << 20,
            bodies_bytes_max: 256 << 20,
            head_bytes_max: 32 << 10,
            head_timeout_ms: 75_000,
            public_url: String::new(),
            trusted_proxies: Vec::new(),
            passthrough_bytes_max: 1 << 30,
            socket_message_bytes_max: 32 << 20,
            body_timeout_ms: 60_000,
        }
    }
}

impl Config {
    /// How many cores to use: as told, or all there are.
    pub fn cores(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        }
    }
}

// === impl Accept ===

impl Accept {
    /// A door that lets in this core's part of the connections.
    pub fn new(listener: tokio::net::TcpListener, config: &Config) -> Self {
        let part = config.connections_max.div_ceil(config.cores()).max(1);
        // Full: nothing is accepted, and clients wait in the kernel's queue.
        Self {
            listener,
            places: Arc::new(Semaphore::new(part)),
        }
    }

    /// The next connection. Cancel safe.
    pub async fn next(&self) -> io::Result<Accepted> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(io::Error::other)?;
        let (stream, peer) = self.listener.accept().await?;
        let peer = peer.ip();
        Ok(Accepted {
            stream,
            peer,
            place,
        })
    }

    /// Closes the door. What the kernel has taken already is let in first, because it would be reset otherwise.
    pub fn close(self) -> Vec<Accepted> {
        let mut last = Vec::new();
        // Asked directly: the runtime may not have heard of the latest yet.
        let Ok(listener) = self.listener.into_std() else {
            return last;
        };
        while let Ok((stream, peer)) = listener.accept() {
            let peer = peer.ip();
            let made = stream
                .set_nonblocking(true)
                .and_then(|()| TcpStream::from_std(stream));
            // Full: the connection is closed.
            let place = Arc::clone(&self.places).try_acquire_owned();
            if let (Ok(stream), Ok(place)) = (made, place) {
                last.push(Accepted {
                    stream,
                    peer,
                    place,
                });
            }
        }
        last
    }
}
