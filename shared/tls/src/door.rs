//! The door of a listener that speaks TLS: handshakes, within bounds, by what is served at that moment.
//!
//! Knows nothing of where certificates come from. Who says nothing, or the wrong thing, costs one of a number of
//! turns for some seconds and is hung up on.

use std::{fmt, io, sync::Arc, time::Duration};

use arc_swap::{ArcSwap, ArcSwapOption};
use metrics::{Counter, counter, describe_counter, describe_gauge, gauge};
use rustls::ServerConfig;
use tokio::{net::TcpStream, sync::Semaphore, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{clients::Clients, served::Served};

/// How long a handshake may take, with its wait for a turn.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// The most handshakes under way at one listener.
// Full: the next one waits for a turn, within the time that a handshake may take.
const UNDER_WAY_MAX: usize = 256;

/// Shakes hands. Clones are the same door.
#[derive(Clone)]
pub struct Door(Arc<Shared>);

struct Shared {
    listener: &'static str,
    current: ArcSwap<ServerConfig>,
    clients: ArcSwapOption<Clients>,
    turns: Semaphore,
    failed: Counter,
}

/// Why a connection was hung up on.
#[derive(Debug)]
pub enum NotShaken {
    /// It took too long.
    Slow,
    /// It spoke no TLS, or not as is asked for here.
    Failed(io::Error),
}

/// Says what is measured here and where certificates are read.
pub fn describe() {
    describe_counter!(
        "sluice_tls_handshake_failed_total",
        "TLS handshakes at our listeners that failed or took too long"
    );
    describe_counter!(
        "sluice_tls_reload_total",
        "Changes of certificate files, by whether they are served or refused"
    );
    describe_gauge!(
        "sluice_tls_certificate_ends_timestamp_seconds",
        "When the first certificate of a listener ends, in seconds since 1970"
    );
}

// === impl Door ===

impl Door {
    /// The door of the listener of this name, which is a label in metrics.
    pub fn new(listener: &'static str, served: Served) -> Self {
        let door = Self(Arc::new(Shared {
            listener,
            current: ArcSwap::new(Arc::clone(&served.config)),
            clients: ArcSwapOption::new(served.clients.clone()),
            turns: Semaphore::new(UNDER_WAY_MAX),
            failed: counter!("sluice_tls_handshake_failed_total", "listener" => listener),
        }));
        door.serve(served);
        door
    }

    /// Serves this to whoever connects from now on; connections that stand keep what they have, and who is on them is judged anew.
    pub fn serve(&self, served: Served) {
        self.0.clients.store(served.clients);
        self.0.current.store(served.config);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge is a double, and this is far below 2^53"
        )]
        gauge!("sluice_tls_certificate_ends_timestamp_seconds", "listener" => self.0.listener)
            .set(served.ends_at.unix_timestamp() as f64);
    }

    /// By whom clients' certificates must be issued now, where they are asked for any.
    pub(crate) fn clients(&self) -> Option<Arc<Clients>> {
        self.0.clients.load_full()
    }

    /// The name of the listener.
    pub fn listener(&self) -> &'static str {
        self.0.listener
    }

    /// Shakes hands with who connected.
    pub async fn accept(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, NotShaken> {
        let shaken = timeout(HANDSHAKE_MAX, async {
            // Nobody closes the semaphore.
            let _turn = self.0.turns.acquire().await;
            let acceptor = TlsAcceptor::from(self.0.current.load_full());
            acceptor.accept(stream).await
        });
        let shaken = match shaken.await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(why)) => NotShaken::Failed(why),
            Err(_) => NotShaken::Slow,
        };
        self.0.failed.increment(1);
        Err(shaken)
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Door").field(&self.0.listener).finish()
    }
}

// === impl NotShaken ===

impl fmt::Display for NotShaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow => f.write_str("the TLS handshake took too long"),
            Self::Failed(why) => write!(f, "the TLS handshake failed: {why}"),
        }
    }
}

impl std::error::Error for NotShaken {}
