//! Follows the control plane: policy comes in here, and here only.
//!
//! Owns the one writer of what is in force and the policy part of the state directory. Knows nothing of
//! requests, and no request waits for it: when the control plane is away, what is in force ages and serves.

pub mod backoff;
pub mod ledger;
pub mod revocation;
pub mod step;
pub mod objects;
pub mod stored;
pub mod aside;
pub mod disk;
pub mod download;
pub mod lane;
pub mod batch;
pub mod gauges;
pub mod keeping;
pub mod boot;
pub mod sharing;
pub mod witness;
pub mod follower;
pub mod membership;
pub mod dial;
pub mod renewal;
pub mod parting;
pub mod question;
pub mod session;

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use lifecycle::ready::Readiness;
use policy::{object::Lane, region::Region};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    feed::{
        backoff::Backoff,
        boot::Found,
        dial::Dialer,
        disk::{
            Directory,
            keeper::{self, Keeper},
        },
        follower::Follower,
        keeping::Keeping,
        question::Question,
        session::{Ended, Identity, InFlight},
        sharing::Sharing,
    },
    in_force::Writer,
};

/// What the feed needs from the rest of the process.
pub struct Parts {
    /// The one writer.
    pub writer: Writer,
    /// The state directory, if anything is to be kept.
    pub directory: Option<Directory>,
    /// How the control plane is reached.
    pub dialer: Dialer,
    /// What the edge calls itself, at most 63 characters.
    pub edge_id: String,
    /// How many requests are in flight.
    pub in_flight: InFlight,
    /// Where the number of living edges of the region goes.
    pub live_edges: watch::Sender<u32>,
    /// The region, as the last process here was told.
    pub region: Option<Region>,
    /// Where questions about limits go, of [`question::QUESTIONS_MAX`].
    pub questions: mpsc::Sender<Question>,
    /// The largest snapshot, in bytes.
    pub snapshot_bytes_max: usize,
}

/// Follows the control plane.
pub struct Feed {
    follower: Follower,
    dialer: Dialer,
    identity: Identity,
}

/// Reads what is on disk and puts it in force; blocks for as long as that takes. The process is not ready before
/// all three lanes are in force. The keeper, if there is a disk, wants a thread of its own.
pub fn open(parts: Parts, readiness: &Readiness) -> (Feed, Option<Keeper>) {
    let Parts {
        mut writer,
        directory,
        dialer,
        ..
    } = parts;
    gauges::describe();
    let witness = witness::read(directory.as_ref());
    let found = boot::read(directory.as_ref(), &mut writer, Instant::now());
    let boot = found.boot();
    gauges::begin(boot);
    let Found {
        lanes,
        places,
        unkept,
    } = found;
    let mut blockers = HashMap::new();
    for lane in &lanes {
        match &lane.place {
            Some(place) => gauges::revision(lane.lane, place.revision),
            None => drop(blockers.insert(lane.lane, readiness.block(awaited(lane.lane)))),
        }
    }
    let (keeper, orders) = directory
        .map(|directory| keeper::new(directory, &places))
        .unzip();
    let mut keeping = Keeping::new(orders);
    keeping.revoked(unkept);
    let follower = Follower {
        sharing: Sharing::new(writer.reader().shares(), parts.region),
        writer,
        lanes,
        keeping,
        witness,
        blockers,
        live_edges: parts.live_edges,
        snapshot_bytes_max: parts.snapshot_bytes_max,
        says: Vec::new(),
        told: HashMap::new(),
    };
    let (edge_id, in_flight, questions) = (parts.edge_id, parts.in_flight, parts.questions);
    let boot_id = uuid::Uuid::now_v7().as_bytes().to_vec();
    let identity = Identity {
        edge_id,
        boot_id,
        boot,
        in_flight,
        questions,
    };
    (
        Feed {
            follower,
            dialer,
            identity,
        },
        keeper,
    )
}

impl Feed {
    /// Follows until told to stop, takes its leave of the control plane, then lets go of the disk.
    pub async fn run(mut self, stop: CancellationToken) {
        self.follow(&stop).await;
        self.follower.keeping.tick();
    }

    async fn follow(&mut self, stop: &CancellationToken) {
        let mut backoff = Backoff::default();
        loop {
            let connected = async {
                self.wait(backoff.next(Instant::now())).await;
                self.dialer.connect().await
            };
            let connected = tokio::select! {
                () = stop.cancelled() => return,
                connected = connected => connected,
            };
            let ended = match connected {
                Ok(channel) => {
                    let link = (&self.dialer, channel);
                    let works = || backoff.works(Instant::now());
                    let session =
                        session::run(&mut self.follower, link, &self.identity, works, stop);
                    // Where: a fault of ours must cost the session, not the process that serves. What it left
                    // of a lane differs from its hash then, and is loaded anew.
                    let ended = AssertUnwindSafe(session).catch_unwind().await;
                    ended.unwrap_or(Ended::Panicked)
                }
                Err(why) => {
                    tracing::warn!(why = innermost(&why), "the control plane cannot be reached");
                    continue;
                }
            };
            match ended {
                Ended::Goodbye => return,
                Ended::Leaving => tracing::info!("{ended}, going to another"),
                Ended::Panicked => tracing::error!("{}", Ended::Panicked),
                ended => tracing::warn!("{ended}, trying again"),
            }
        }
    }

    /// Waits, while what is in force ages.
    async fn wait(&mut self, wait: Duration) {
        let until = Instant::now() + wait;
        loop {
            let now = Instant::now();
            self.follower.tick(now);
            let left = until.saturating_duration_since(now);
            if left.is_zero() {
                return;
            }
            sleep(left.min(Duration::from_secs(1))).await;
        }
    }
}

fn awaited(lane: Lane) -> &'static str {
    match lane {
        Lane::Config => "the configuration",
        Lane::Keys => "the keys",
        Lane::Secrets => "the secrets",
    }
}

/// The last of the reasons, which is the one that says something.
fn innermost(why: &dyn std::error::Error) -> String {
    let mut why = why;
    while let Some(source) = why.source() {
        why = source;
    }
    why.to_string()
}
