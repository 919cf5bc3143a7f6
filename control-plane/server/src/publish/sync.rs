//! `sluice.sync.v1` as gRPC: shows badges at the door and hands over to `session` and `snapshot`.
//!
//! Knows nothing of what is in a lane. Nothing is said to a bearer whose token does not stand.

use std::{sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt, stream};
use proto::sync::{
    FetchSnapshotRequest, FetchSnapshotResponse, SyncRequest, SyncResponse,
    sync_service_server::SyncService,
};
use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap};

use crate::{
    publish::{
        join::{Badge, NoBadge, Tokens},
        session::{Parts, Session},
        snapshot::{Slot, Snapshot, Snapshots},
        wire,
    },
    status,
};

/// The longest message of an edge, in bytes: a Nack with a hundred rejections and room to spare.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;

/// The service.
pub struct Sync {
    parts: Arc<Parts>,
    snapshots: Arc<Snapshots>,
}

/// A snapshot on its way, chunk by chunk.
struct Sending {
    snapshots: Arc<Snapshots>,
    snapshot: Arc<Snapshot>,
    next: usize,
    _slot: Slot,
}

type Answers<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What the bearer of these headers proves.
pub async fn badge(tokens: &Tokens, metadata: &MetadataMap) -> Result<Badge, Status> {
    tokens.badge(metadata).await.map_err(|why| match why {
        NoBadge::Nothing | NoBadge::NotAToken | NoBadge::Invalid => status::edge_not_joined(&why),
        NoBadge::Crowded | NoBadge::Store(_) => status::edge_not_checked(&why),
    })
}

// === impl Sync ===

impl Sync {
    /// With what it hands over to.
    pub const fn new(parts: Arc<Parts>, snapshots: Arc<Snapshots>) -> Self {
        Self { parts, snapshots }
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
        let badge = badge(&self.parts.tokens, request.metadata()).await?;
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
        let badge = badge(&self.parts.tokens, request.metadata()).await?;
        let request = request.into_inner();
        let lane = wire::lane(request.lane).map_err(|why| status::edge_nonsense(&why))?;
        // Spread, so that those who were sent away do not all come back at once.
        let busy = || status::snapshots_busy(Duration::from_millis(fastrand::u64(200..1_500)));
        let slot = self.snapshots.slot().ok_or_else(busy)?;
        let found = self
            .snapshots
            .find(lane, &badge.region, &request.snapshot_id);
        let snapshot = found.ok_or_else(status::snapshot_gone)?;
        let next = usize::try_from(request.from_chunk).map_err(|_| status::snapshot_gone())?;
        let snapshots = Arc::clone(&self.snapshots);
        let sending = Sending {
            snapshots,
            snapshot,
            next,
            _slot: slot,
        };
        let answers = stream::unfold(sending, |mut sending| async move {
            sending.chunk().map(|answer| (answer, sending))
        });
        Ok(Response::new(answers.boxed()))
    }
}

// === impl Sending ===

impl Sending {
    fn chunk(&mut self) -> Option<Result<FetchSnapshotResponse, Status>> {
        let chunk = self.snapshots.chunk(&self.snapshot, self.next)?;
        self.next += 1;
        Some(chunk.map_err(|why| status::broken("a stored secret cannot be opened", &why)))
    }
}
