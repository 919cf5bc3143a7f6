//! `sluice.sync.v1` as gRPC: shows badges at the door and hands over to `session` and `snapshot`.
//!
//! Knows nothing of what is in a lane. Nothing is said to a bearer whose token does not stand.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{Stream, StreamExt, stream};
use proto::sync::{
    FetchSnapshotRequest, FetchSnapshotResponse, ReadLedgerRequest, ReadLedgerResponse,
    SyncRequest, SyncResponse, sync_service_server::SyncService,
};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    publish::{
        door,
        join::{Badge, Tokens},
        ledger::{Ledger, Untold},
        session::{Parts, Session},
        snapshot::{SENT_WITHIN, Slot, Snapshot, Snapshots},
        wire,
    },
    status,
};

/// The longest message of an edge, in bytes: a Nack with a hundred rejections and room to spare.
pub const REQUEST_BYTES_MAX: usize = 256 << 10; // Full: the stream ends with an error.

/// The service.
pub struct Sync {
    parts: Arc<Parts>,
    snapshots: Arc<Snapshots>,
    ledger: Ledger,
}

/// A snapshot on its way, chunk by chunk.
struct Sending {
    snapshots: Arc<Snapshots>,
    snapshot: Arc<Snapshot>,
    next: usize,
    tokens: Arc<Tokens>,
    badge: Badge,
    until: Instant,
    _slot: Slot,
}

type Answers<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

// === impl Sync ===

impl Sync {
    /// With what it hands over to.
    pub const fn new(parts: Arc<Parts>, snapshots: Arc<Snapshots>, ledger: Ledger) -> Self {
        Self {
            parts,
            snapshots,
            ledger,
        }
    }
}

#[tonic::async_trait]
impl SyncService for Sync {
    type SyncStream = Answers<SyncResponse>;
    type FetchSnapshotStream = Answers<FetchSnapshotResponse>;

    async fn sync(
        &self,
        request: Request<Streaming<SyncRequest>>,
    ) -> Result<Response<Self::SyncStream>, Status> {
        let badge = door::shown(request.extensions())?;
        let session = Session::new(Arc::clone(&self.parts), badge, request.into_inner());
        let answers = stream::unfold(session, |mut session| async move {
            session.next().await.map(|answer| (answer, session))
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn fetch_snapshot(
        &self,
        request: Request<FetchSnapshotRequest>,
    ) -> Result<Response<Self::FetchSnapshotStream>, Status> {
        let badge = door::shown(request.extensions())?;
        let request = request.into_inner();
        let lane = wire::lane(request.lane).map_err(|why| status::edge_nonsense(&why))?;
        // Spread, so that those who were sent away do not all come back at once.
        let busy = || status::snapshots_busy(Duration::from_millis(fastrand::u64(200..1_500)));
        let now = Instant::now();
        let slot = self.snapshots.slot(now).ok_or_else(busy)?;
        let found = self
            .snapshots
            .find(lane, &badge.remit, &request.snapshot_id);
        let snapshot = found.ok_or_else(status::snapshot_gone)?;
        let next = usize::try_from(request.from_chunk).map_err(|_| status::snapshot_gone())?;
        let snapshots = Arc::clone(&self.snapshots);
        let sending = Sending {
            snapshots,
            snapshot,
            next,
            tokens: Arc::clone(&self.parts.tokens),
            badge,
            until: now + SENT_WITHIN,
            _slot: slot,
        };
        let answers = stream::unfold(sending, |mut sending| async move {
            let chunk = sending.chunk(Instant::now());
            chunk.map(|answer| (answer, sending))
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn read_ledger(
        &self,
        request: Request<ReadLedgerRequest>,
    ) -> Result<Response<ReadLedgerResponse>, Status> {
        let badge = door::shown(request.extensions())?;
        let stands = self.parts.tokens.stands(&badge);
        stands.map_err(|why| status::edge_not_joined(&why))?;
        let read = self.ledger.read(&badge.remit, request.into_inner());
        let read = read.await.map_err(|why| match why {
            Untold::Nonsense(why) => status::edge_nonsense(&why),
            Untold::Store(why) => status::store(why),
        });
        read.map(Response::new)
    }
}

// === impl Sending ===

impl Sending {
    /// The next chunk, for as long as the token stands and time is not up.
    fn chunk(&mut self, now: Instant) -> Option<Result<FetchSnapshotResponse, Status>> {
        let chunk = self.snapshots.chunk(&self.snapshot, self.next)?;
        if let Err(why) = self.tokens.stands(&self.badge) {
            self.next = usize::MAX;
            return Some(Err(status::edge_not_joined(&why)));
        }
        if now >= self.until {
            self.next = usize::MAX;
            return Some(Err(status::snapshot_slow()));
        }
        self.next += 1;
        Some(chunk.map_err(|why| status::broken("a stored secret cannot be opened", &why)))
    }
}
