//! The listener for edges where it speaks TLS: the authority, made at the first start, and the door's own certificate.
//!
//! Knows where the authority is kept and under which key; knows nothing of edges. Every replica draws its own key and
//! has itself certified, so that nothing of it lies in a file.

use std::{convert::Infallible, fmt, net::SocketAddr, sync::Arc, time::Duration};

use lifecycle::clock::Clock;
use seal::{CannotOpen, Ring};
use store::{
    Store, StoreError,
    edge_identity::{self, AuthorityRow},
};
use time::OffsetDateTime;
use tls::{
    authority::{self, Authority, Kept, NotIssued},
    door::Door,
    served::Alpn,
};
use tokio::time::sleep;
use tracing::error;

use crate::{config, sealed};

/// What edges speak behind TLS.
const ALPN: Alpn = &[b"h2"];

/// How long a replica's certificate lasts; it has another one long before.
const LIFE: Duration = Duration::from_hours(24 * 30);

/// How often a replica has itself certified.
const RENEW_EVERY: Duration = Duration::from_hours(24 * 7);

/// The listener for edges.
#[derive(Clone)]
pub(crate) struct Encrypted {
    /// Certifies.
    pub(crate) authority: Arc<Authority>,
    /// Where edges come in.
    pub(crate) door: Door,
    names: Vec<String>,
    clock: Clock,
}

/// Why there is no authority to use.
#[derive(Debug)]
pub enum NoAuthority {
    /// It was sealed under another key.
    OtherKey(CannotOpen),
    /// It cannot be made or read, or does not certify the names that are set.
    Broken(NotIssued),
    /// The store declined or failed.
    Store(StoreError),
}

/// Opens the listener's door, with the authority that is kept or, at the first start, a new one. `None` where edges are met
/// without TLS.
pub(crate) async fn open(
    config: &config::Edges,
    listens: SocketAddr,
    (store, sealing): (&Store, &Ring),
    clock: &Clock,
) -> Result<Option<Encrypted>, NoAuthority> {
    if !config.tls {
        return Ok(None);
    }
    let now = OffsetDateTime::from(clock.now());
    let authority = Arc::new(authority_of(store, sealing, now).await?);
    let names = authority::names(&config.names, listens.ip());
    let served = authority.serve(&names, (now, LIFE), ALPN);
    Ok(Some(Encrypted {
        authority,
        door: Door::new("edges", served.map_err(NoAuthority::Broken)?),
        names,
        clock: clock.clone(),
    }))
}

async fn authority_of(
    store: &Store,
    sealing: &Ring,
    now: OffsetDateTime,
) -> Result<Authority, NoAuthority> {
    let kept = edge_identity::authority(store).await;
    let row = if let Some(row) = kept.map_err(NoAuthority::Store)? {
        row
    } else {
        let made = authority::make(now).map_err(NoAuthority::Broken)?;
        let row = AuthorityRow {
            sealed_key: sealed::seal_authority(sealing, &made.key),
            certificate: made.certificate,
        };
        let stands = edge_identity::create_authority(store, &row).await;
        stands.map_err(NoAuthority::Store)?
    };
    let key = sealed::open_authority(sealing, &row.sealed_key);
    let kept = Kept {
        certificate: row.certificate,
        key: key.map_err(NoAuthority::OtherKey)?,
    };
    Authority::open(&kept).map_err(NoAuthority::Broken)
}

// === impl Encrypted ===

impl Encrypted {
    /// Has this replica certified anew from time to time.
    pub(crate) async fn renew(self) -> Infallible {
        loop {
            sleep(RENEW_EVERY).await;
            let now = OffsetDateTime::from(self.clock.now());
            match self.authority.serve(&self.names, (now, LIFE), ALPN) {
                Ok(served) => self.door.serve(served),
                Err(why) => error!(%why, "This replica is not certified anew for edges"),
            }
        }
    }
}

// === impl NoAuthority ===

impl fmt::Display for NoAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherKey(CannotOpen::Other) => f.write_str(
                "the authority of edges was sealed under another key: give the `[seal] key` it was started with, \
                 or name its file in `open_key_files`",
            ),
            Self::OtherKey(why @ CannotOpen::NoKey(_)) => write!(f, "the authority of edges {why}"),
            Self::Broken(why) => write!(f, "the authority of edges cannot be used: {why}"),
            Self::Store(why) => write!(f, "read the authority of edges: {why}"),
        }
    }
}

impl std::error::Error for NoAuthority {}
