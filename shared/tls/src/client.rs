//! Who shows a certificate on a connection, and whether it is still good: the connection may last longer than that.
//!
//! What a handshake has proved is judged anew when the listener's authorities or their lists have changed, and when a certificate
//! ends. Knows nothing of what a certificate opens.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustls::pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};

use crate::{
    clients::{Clients, NotTaken, Of},
    door::Door,
    facts::{Facts, Unreadable},
    served::ends,
    wire::Wire,
};

/// A client's end of one connection.
pub struct Client {
    door: Door,
    chain: Vec<CertificateDer<'static>>,
    fingerprint: [u8; 32],
    /// When each certificate ends, milliseconds since 1970.
    ends_ms: Vec<u64>,
    // Held for a look, by the one core that has the connection.
    judged: Mutex<Option<Judged>>,
}

/// What was found last.
struct Judged {
    by: Arc<Clients>,
    /// Until when that holds, milliseconds since 1970.
    until_ms: u64,
    found: Result<Of, NotTaken>,
}

// === impl Client ===

impl Client {
    /// Who has shown a certificate on this connection through this door; `None` where nobody has.
    pub fn of(door: &Door, wire: &Wire) -> Option<Self> {
        let chain = wire.chain()?;
        let first = chain.first()?;
        // What ends at a time that cannot be read is judged each time.
        let end_ms = |it: &CertificateDer<'_>| {
            let last = ends(it).and_then(|it| u64::try_from(it.unix_timestamp()).ok());
            last.map_or(0, |it| it.saturating_add(1).saturating_mul(1_000))
        };
        Some(Self {
            door: door.clone(),
            fingerprint: Sha256::digest(first).into(),
            ends_ms: chain.iter().map(end_ms).collect(),
            chain: chain.to_vec(),
            judged: Mutex::default(),
        })
    }

    /// SHA-256 of its certificate.
    pub const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// What its certificate says.
    pub fn facts(&self) -> Result<Facts, Unreadable> {
        Facts::read(self.chain.first().ok_or(Unreadable)?)
    }

    /// Of which authority its certificate is now, milliseconds since 1970.
    pub fn standing(&self, now_ms: u64) -> Result<Of, NotTaken> {
        let clients = self.door.clients().ok_or(NotTaken::Stranger)?;
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = judged.as_ref()
            && Arc::ptr_eq(&last.by, &clients)
            && now_ms < last.until_ms
        {
            return last.found.clone();
        }
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now_ms));
        let found = clients.judge(&self.chain, now);
        // One that is over may be beside the way to the authority, and changes nothing any more.
        let ends = self.ends_ms.iter().copied();
        let until_ms = ends.filter(|end| *end == 0 || now_ms < *end).min();
        *judged = Some(Judged {
            by: clients,
            until_ms: until_ms.unwrap_or(u64::MAX),
            found: found.clone(),
        });
        found
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}
