//! When a request came and who connected, and the id that it is known by.
//!
//! Knows clocks; knows nothing of what the request says.

use std::{net::IpAddr, time::Instant};

use lifecycle::clock::Clock;
use spans::Context;

/// When a request came, and its id.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// `UUIDv7`: the id of the request and of its record.
    pub id: uuid::Uuid,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// For measuring how long it takes.
    pub started: Instant,
    /// Who connected.
    pub peer: IpAddr,
    /// Where it stands in its trace, if it is traced.
    pub trace: Option<Context>,
}

// === impl Arrival ===

impl Arrival {
    /// A request of `peer` that comes now.
    pub fn now(clock: &Clock, peer: IpAddr) -> Self {
        let at_ms = clock.now_ms();
        let mut random = [0; 10];
        fastrand::fill(&mut random);
        let id = uuid::Builder::from_unix_timestamp_millis(at_ms, &random).into_uuid();
        Self {
            id,
            at_ms,
            started: Instant::now(),
            peer,
            trace: None,
        }
    }
}
