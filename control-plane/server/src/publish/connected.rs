//! An edge while it is connected: what it gets, what it has told, and how far it is.
//!
//! Joins the pure `follower` with what operators are shown and what is measured. Knows nothing of the stream. As long
//! as it lives, the edge counts as connected; when it is dropped, no longer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use metrics::{counter, describe_counter, describe_histogram, histogram};
use policy::revision::Revision;
use proto::sync;
use store::EdgeSighting;
use tracing::{error, warn};

use crate::publish::{
    edges::{Edges, Taken},
    follower::{Follower, Message},
    hub::Hub,
    join::Badge,
    state::State,
    wire::{self, Hello, Nonsense},
};

/// How long an edge may know more than this replica before it is sent away.
const AHEAD_MAX: Duration = Duration::from_secs(5);

/// An edge that has greeted. Counts as connected until dropped.
pub struct Connected {
    follower: Follower,
    sighting: EdgeSighting,
    edges: Arc<Edges>,
    stream: u64,
    ahead_since: Option<Instant>,
}

/// Registers what is measured here.
pub fn describe() {
    describe_histogram!(
        "sluice_revocation_propagation_seconds",
        "From the reading of a revocation by this replica to the ack of a connected edge"
    );
    describe_counter!(
        "sluice_control_plane_nack_total",
        "Batches of which an edge refused something"
    );
}

// === impl Connected ===

impl Connected {
    /// Starts to follow an edge from where it says that it is.
    pub fn new(
        edges: Arc<Edges>,
        badge: &Badge,
        replica: [u8; 16],
        (hello, state): (Hello, &State),
    ) -> Result<Self, Taken> {
        let remit = badge.remit.clone();
        let stream = edges.opened(&hello.edge_id, &remit, &hello.boot_id)?;
        let follower = Follower::open(remit.clone(), &hello.claims, state);
        let sighting = EdgeSighting {
            edge_id: hello.edge_id,
            remit,
            build: hello.build,
            boot: hello.boot as u8,
            boot_id: hello.boot_id,
            connected: true,
            said_goodbye: false,
            replica: replica.to_vec(),
            join_token: badge.token.clone(),
            lanes: follower
                .progress()
                .map(|it| (it.lane, it.applied.0, it.durable.0)),
            last_rejection: String::new(),
        };
        let connected = Self {
            follower,
            sighting,
            edges,
            stream,
            ahead_since: None,
        };
        connected.tell();
        Ok(connected)
    }

    /// What it gets now.
    pub fn next(&mut self, state: &State) -> Vec<Message> {
        self.follower.next(state)
    }

    /// Takes an acknowledgement.
    pub fn acked(&mut self, ack: &sync::Ack, hub: &Hub, now_ms: u64) -> Result<(), Nonsense> {
        let (lane, ack) = wire::ack(ack)?;
        let learned = hub.read(|state| self.follower.ack(lane, ack, state));
        if learned.differs {
            counter!("sluice_config_state_hash_mismatch_total").increment(1);
            let edge_id = &self.sighting.edge_id;
            error!(edge.id = edge_id, lane = lane.word(), revision = %ack.revision,
                "Edge {edge_id} holds another state than it must");
        }
        for revoked_at_ms in learned.revoked_at_ms {
            let took = Duration::from_millis(now_ms.saturating_sub(revoked_at_ms));
            histogram!("sluice_revocation_propagation_seconds").record(took);
        }
        Ok(())
    }

    /// What the edge calls itself.
    pub fn id(&self) -> &str {
        &self.sighting.edge_id
    }

    /// Takes a refusal.
    pub fn nacked(&mut self, nack: &sync::Nack) -> Result<(), Nonsense> {
        let lane = wire::lane(nack.lane)?;
        self.follower.nack(lane, Revision(nack.batch_revision));
        let rejection = format!("{}: {}", lane.word(), wire::rejection(nack));
        let edge_id = &self.sighting.edge_id;
        warn!(
            edge.id = edge_id,
            rejection, "Edge {edge_id} refused a part of what it was sent"
        );
        counter!("sluice_control_plane_nack_total", "lane" => lane.word()).increment(1);
        self.sighting.last_rejection = rejection;
        Ok(())
    }

    /// The edge shuts down.
    pub const fn left(&mut self) {
        self.sighting.said_goodbye = true;
    }

    /// What it calls itself, when an edge of another remit turned out to be called so.
    pub fn taken(&self) -> Option<&str> {
        let edge_id = &self.sighting.edge_id;
        self.edges.is_taken(self.stream, edge_id).then_some(edge_id)
    }

    /// Whether the edge has known more than this replica for too long.
    pub fn must_go_elsewhere(&mut self) -> bool {
        if !self.follower.is_ahead() {
            self.ahead_since = None;
            return false;
        }
        self.ahead_since.get_or_insert_with(Instant::now).elapsed() >= AHEAD_MAX
    }

    /// Hands on what is known of the edge now.
    pub fn tell(&self) {
        let lanes = self
            .follower
            .progress()
            .map(|it| (it.lane, it.applied.0, it.durable.0));
        let sighting = EdgeSighting {
            lanes,
            ..self.sighting.clone()
        };
        self.edges.seen(self.stream, sighting);
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let lanes = self
            .follower
            .progress()
            .map(|it| (it.lane, it.applied.0, it.durable.0));
        self.edges.closed(
            self.stream,
            EdgeSighting {
                lanes,
                ..self.sighting.clone()
            },
        );
    }
}
