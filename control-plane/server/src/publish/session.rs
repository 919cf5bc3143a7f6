//! The stream of one edge, from its greeting to its end.
//!
//! Drawn message by message by whoever sends them, so a slow edge slows only itself, and an edge that is gone ends
//! everything with it. Decides nothing about lanes: that is `follower`, which it asks under the hub's lock.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use lifecycle::{clock::Clock, drain::Drain};
use policy::remit::Remit;
use proto::sync::{self, SyncRequest, SyncResponse, sync_request::Message as Heard, sync_response};
use store::audit_checkpoint::Witness;
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior},
};
use tonic::{Status, Streaming};
use tracing::info;

use crate::{
    asking::{Asking, Listening},
    attest::{Attested, Telling},
    publish::{
        connected::Connected,
        door,
        edges::{Edges, Taken},
        hub::{Hub, Moved},
        join::{Badge, Tokens},
        lessor::{Lessor, Question, Told},
        values::Values,
        wire::{self, Nonsense},
    },
    status,
};

/// How often an edge is told where the lanes are.
const HEAD_EVERY: Duration = Duration::from_secs(1);

/// How long an edge may take to greet.
const GREETING_MAX: Duration = Duration::from_secs(5);

/// How often a connected edge counts as heard though it said nothing; the connection's own pings answer for it.
const HEARD_EVERY: u32 = 3;

/// How many checkpoints an edge may say at once that it keeps.
const WITNESSED_MAX: usize = 1_024; // Full: the others are not noted.

/// What every stream of this replica uses.
pub struct Parts {
    /// The state.
    pub hub: Arc<Hub>,
    /// The join tokens.
    pub tokens: Arc<Tokens>,
    /// The edges.
    pub edges: Arc<Edges>,
    /// The questions to edges.
    pub asking: Arc<Asking>,
    /// The shares of limits that regions hold together.
    pub lessor: Arc<Lessor>,
    /// Where the chains of the audit trail stand.
    pub attested: Attested,
    /// Opens what is sealed.
    pub values: Values,
    /// What time it is.
    pub clock: Clock,
    /// The way out.
    pub drain: Drain,
    /// Drawn by this replica at its start.
    pub replica: [u8; 16],
}

/// The stream of one edge.
pub struct Session {
    parts: Arc<Parts>,
    badge: Badge,
    heard: Streaming<SyncRequest>,
    moved: watch::Receiver<Moved>,
    checked: watch::Receiver<u64>,
    told: watch::Receiver<Arc<Told>>,
    /// The beat that waits for shares. While one does, later ones wait for no others.
    question: Option<Question>,
    second: Interval,
    seconds: u32,
    /// At most what one look at the state gives: revocations, and a message of each lane.
    outbox: VecDeque<SyncResponse>,
    edge: Option<Connected>,
    /// Where questions for the edge come from, once it has greeted.
    questions: Option<Listening>,
    /// What it is told of the audit trail.
    heads: Telling,
    ended: bool,
}

/// What can happen to a stream.
enum Event {
    Heard(Option<SyncRequest>),
    Asked(Box<sync::Explain>),
    Attested(sync::AuditHeads),
    Moved,
    Told,
    Checked,
    Second,
    Leaving,
}

// === impl Session ===

impl Session {
    /// A stream whose bearer has shown a badge.
    pub fn new(parts: Arc<Parts>, badge: Badge, heard: Streaming<SyncRequest>) -> Self {
        let mut second = tokio::time::interval(HEAD_EVERY);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            moved: parts.hub.follow(),
            checked: parts.tokens.follow(),
            told: parts.lessor.follow(),
            question: None,
            heads: parts.attested.telling(),
            parts,
            badge,
            heard,
            second,
            seconds: 0,
            outbox: VecDeque::new(),
            edge: None,
            questions: None,
            ended: false,
        }
    }

    /// The next message for the edge; `None` after the last one.
    pub async fn next(&mut self) -> Option<Result<SyncResponse, Status>> {
        loop {
            if let Some(message) = self.outbox.pop_front() {
                return Some(Ok(message));
            }
            if self.ended {
                return None;
            }
            if let Err(status) = self.step().await {
                self.ended = true;
                self.edge = None;
                self.questions = None;
                return Some(Err(status));
            }
        }
    }

    async fn step(&mut self) -> Result<(), Status> {
        if self.edge.is_none() {
            return self.greet().await;
        }
        self.look()?;
        if !self.outbox.is_empty() {
            return Ok(());
        }
        match self.event().await? {
            Event::Heard(Some(message)) => self.hear(message),
            Event::Heard(None) => {
                // An edge ends its side only when it shuts down; otherwise it resets the stream.
                if let Some(edge) = &mut self.edge {
                    edge.left();
                }
                self.ended = true;
                Ok(())
            }
            Event::Asked(question) => {
                let question = sync_response::Message::Explain(*question);
                self.outbox.push_back(wire::said(question));
                Ok(())
            }
            Event::Attested(heads) => {
                let heads = sync_response::Message::AuditHeads(heads);
                self.outbox.push_back(wire::said(heads));
                Ok(())
            }
            Event::Moved => Ok(()),
            Event::Told => {
                self.answer();
                Ok(())
            }
            Event::Checked => self.check_badge(),
            Event::Second => self.tick(),
            Event::Leaving => {
                self.outbox
                    .push_back(wire::said(sync_response::Message::Drain(sync::Drain {})));
                self.ended = true;
                Ok(())
            }
        }
    }

    async fn greet(&mut self) -> Result<(), Status> {
        let greeting = tokio::time::timeout(GREETING_MAX, self.heard.message()).await;
        let Some(request) = greeting.map_err(|_| status::edge_silent())?? else {
            self.ended = true;
            return Ok(());
        };
        let Some(Heard::Hello(hello)) = request.message else {
            return Err(status::edge_nonsense(&"the first message must be Hello"));
        };
        let hello = wire::hello(hello).map_err(nonsense)?;
        let edge_id = hello.edge_id.clone();
        door::calls_itself(&self.badge, &edge_id)?;
        let build = hello.build.clone();
        let boot = hello.boot.as_str_name();
        let (edges, replica) = (Arc::clone(&self.parts.edges), self.parts.replica);
        let open = |state: &_| Connected::new(edges, &self.badge, replica, (hello, state));
        let edge = self.parts.hub.read(open);
        self.edge = Some(edge.map_err(|Taken| status::edge_taken(&edge_id))?);
        self.questions = Some(self.parts.asking.listen(&edge_id, &self.badge.remit));
        let Remit {
            region,
            organization,
        } = &self.badge.remit;
        info!(edge.id = edge_id, %region, ?organization, build, boot, "Edge {edge_id} follows policy");
        self.outbox
            .push_back(wire::said(sync_response::Message::Welcome(sync::Welcome {
                region: region.as_str().to_owned(),
                replica_id: self.parts.replica.to_vec(),
            })));
        Ok(())
    }

    /// Asks the state what goes now.
    fn look(&mut self) -> Result<(), Status> {
        let Some(edge) = &mut self.edge else {
            return Ok(());
        };
        self.moved.mark_unchanged();
        let messages = self.parts.hub.read(|state| edge.next(state));
        for message in messages {
            let message = wire::response(message, &self.parts.values)
                .map_err(|why| status::broken("a stored secret cannot be opened", &why))?;
            self.outbox.push_back(message);
        }
        Ok(())
    }

    async fn event(&mut self) -> Result<Event, Status> {
        Ok(tokio::select! {
            message = self.heard.message() => Event::Heard(message?),
            question = next_of(&mut self.questions) => Event::Asked(Box::new(question)),
            heads = self.heads.next() => Event::Attested(heads),
            // The hub, the lessor and the tokens outlive every stream.
            _ = self.moved.changed() => Event::Moved,
            _ = self.told.changed(), if self.question.is_some() => Event::Told,
            _ = self.checked.changed() => Event::Checked,
            _ = self.second.tick() => Event::Second,
            () = self.parts.drain.draining() => Event::Leaving,
        })
    }

    fn hear(&mut self, request: SyncRequest) -> Result<(), Status> {
        let Some(edge) = &mut self.edge else {
            return Ok(());
        };
        match request.message {
            Some(Heard::Ack(ack)) => {
                let now_ms = self.parts.clock.now_ms();
                edge.acked(&ack, &self.parts.hub, now_ms)
                    .map_err(nonsense)?;
            }
            Some(Heard::Nack(nack)) => edge.nacked(&nack).map_err(nonsense)?,
            Some(Heard::Explained(explained)) => {
                if let Some(questions) = &self.questions {
                    questions.answered(explained);
                }
            }
            Some(Heard::Hello(_)) => return Err(status::edge_nonsense(&"Hello came twice")),
            Some(Heard::Beat(beat)) => {
                let beat = of_its_own(beat, &self.badge.remit, &self.parts.hub);
                let question = self.parts.lessor.hear(&self.badge.remit.region, beat);
                self.question = self.question.or(question);
            }
            Some(Heard::AuditWitness(kept)) => {
                let edge_id = edge.id();
                for witness in witnesses(kept, &self.badge, edge_id) {
                    self.parts.attested.kept(witness);
                }
            }
            // A newer edge may say more than is known here.
            None => {}
        }
        edge.tell();
        Ok(())
    }

    /// Says the shares, where a beat waits for them and they were read since.
    fn answer(&mut self) {
        let told = Arc::clone(&self.told.borrow_and_update());
        let Some(question) = self.question else {
            return;
        };
        if let Some(mut shares) = question.answer(&told, &self.badge.remit.region) {
            self.question = None;
            let (hub, remit) = (&self.parts.hub, &self.badge.remit);
            shares.shares.retain(|it| hub.concerns(remit, &it.limit_id));
            let shares = sync_response::Message::Shares(shares);
            self.outbox.push_back(wire::said(shares));
        }
    }

    fn tick(&mut self) -> Result<(), Status> {
        self.check_badge()?;
        self.seconds = self.seconds.wrapping_add(1);
        let Some(edge) = &mut self.edge else {
            return Ok(());
        };
        if self.seconds.is_multiple_of(HEARD_EVERY) {
            edge.tell();
        }
        if let Some(edge_id) = edge.taken() {
            return Err(status::edge_taken(edge_id));
        }
        if edge.must_go_elsewhere() {
            return Err(status::replica_behind());
        }
        let heads = self.parts.hub.heads(&self.badge.remit);
        self.outbox
            .push_back(wire::said(sync_response::Message::Head(sync::Head {
                heads: heads
                    .iter()
                    .map(|(lane, claim)| wire::cursor(*lane, claim))
                    .collect(),
                now: Some(self.parts.clock.now().into()),
                live_edges: self.parts.edges.living(&self.badge.remit.region),
            })));
        Ok(())
    }

    fn check_badge(&self) -> Result<(), Status> {
        let stands = self.parts.tokens.stands(&self.badge);
        stands.map_err(|why| status::edge_not_joined(&why))
    }
}

/// What a beat says of limits that are the edge's business.
fn of_its_own(mut beat: sync::Beat, remit: &Remit, hub: &Hub) -> sync::Beat {
    beat.demands.retain(|it| hub.concerns(remit, &it.limit_id));
    beat.given_back
        .retain(|it| hub.concerns(remit, &it.limit_id));
    beat
}

/// The next question; none before the edge has greeted.
async fn next_of(questions: &mut Option<Listening>) -> sync::Explain {
    match questions {
        Some(questions) => questions.question().await,
        None => std::future::pending().await,
    }
}

/// What an edge says that it keeps of the audit trail.
fn witnesses(
    kept: sync::AuditWitness,
    badge: &Badge,
    edge_id: &str,
) -> impl Iterator<Item = Witness> {
    let hashes = kept.checkpoint_hashes.into_iter();
    hashes.take(WITNESSED_MAX).map(|hash| Witness {
        edge: edge_id.to_owned(),
        identity: badge.token.clone(),
        certified: badge.certified.is_some(),
        hash,
    })
}

fn nonsense(why: Nonsense) -> Status {
    status::edge_nonsense(&why)
}
