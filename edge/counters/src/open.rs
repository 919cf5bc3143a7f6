//! Puts the counters together from their settings.
//!
//! Knows every part and decides nothing else. Refuses settings that cannot work; a Redis that is away is not
//! one of them, since an edge starts without it.

use std::{
    fs,
    num::NonZeroUsize,
    sync::{Arc, Mutex, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use lifecycle::clock::Clock;
use tokio::sync::{Notify, watch};

use crate::{
    config::{Config, InvalidConfig, Store},
    counters::Counters,
    escrow::Escrow,
    estate::Estate,
    flights::Flights,
    link::Link,
    live::Live,
    local::Local,
    parts::{Parts, Remote},
    place::Invalid,
    process::Process,
    queue::Queue,
    recall::Recall,
    redis::Server,
    upkeep::Upkeep,
};

/// What the threads of a process share.
type Both = (Arc<Mutex<Process>>, Arc<Flights>, Arc<Recall>, Arc<Estate>);

/// The counters of a process with one thread. See [`open_each`].
pub fn open(
    config: &Config,
    clock: Clock,
    live_edges: watch::Receiver<u32>,
) -> Result<(Counters, Upkeep), InvalidConfig> {
    let both = both(config, &clock);
    open_one(config, clock, live_edges, both)
}

/// The counters of a process with `threads` threads that each have a runtime, one pair for each.
///
/// Each thread has its own connection to Redis; all share one twin and what is under way, since this edge's share of a limit
/// is the process's. `live_edges` is how many edges of this region share its Redis now; zero counts as one. Touches
/// no network: each [`Upkeep`] dials when it is run.
pub fn open_each(
    config: &Config,
    clock: &Clock,
    live_edges: &watch::Receiver<u32>,
    threads: NonZeroUsize,
) -> Result<Vec<(Counters, Upkeep)>, InvalidConfig> {
    let both = both(config, clock);
    let each = |_| open_one(config, clock.clone(), live_edges.clone(), both.clone());
    (0..threads.get()).map(each).collect()
}

/// A process that is all there is must be told what was used before it began; one that stands in for Redis holds shares only.
fn both(config: &Config, clock: &Clock) -> Both {
    let twin = match config.store {
        Store::Process => Process::remembering(clock.now_ms()),
        Store::Redis => Process::new(),
    };
    let flights = Arc::new(Flights::new());
    let twin = Arc::new(Mutex::new(twin));
    (twin, flights, Arc::default(), Arc::default())
}

fn open_one(
    config: &Config,
    clock: Clock,
    live_edges: watch::Receiver<u32>,
    both: Both,
) -> Result<(Counters, Upkeep), InvalidConfig> {
    let timeout = config.timeout()?;
    let server = match config.store {
        Store::Process => None,
        Store::Redis => Some(server(config, timeout)?),
    };
    let remote = server.as_ref().map(|_| Remote {
        link: Link::new(Instant::now()),
        queue: Queue::default(),
        escrow: Escrow::new(config.ahead_ms),
        timeout,
    });
    let local = Local {
        twin: both.0,
        clock,
        live_edges: remote.is_some().then_some(live_edges),
        lease_ms: config.lease_ms,
    };
    let parts = Arc::new(Parts {
        remote,
        local,
        recall: both.2,
        estate: both.3,
        live: Live::default(),
        flights: both.1,
        lease_ms: config.lease_ms,
        handles: AtomicUsize::new(0),
        gone: Notify::new(),
    });
    Ok((
        Counters::new(Arc::clone(&parts)),
        Upkeep::new(parts, server),
    ))
}

fn server(config: &Config, timeout: Duration) -> Result<Server, InvalidConfig> {
    let certificates = config.redis_ca_file.as_ref().map(fs::read).transpose();
    let certificates = certificates.map_err(|_| InvalidConfig::RedisCa)?;
    let server = Server::new(config.redis_url.expose(), certificates.as_deref(), timeout);
    server.map_err(|why| match why {
        Invalid::Url => InvalidConfig::RedisUrl,
        Invalid::Certificates => InvalidConfig::RedisCa,
    })
}
