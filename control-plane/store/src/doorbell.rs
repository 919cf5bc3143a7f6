//! The doorbell: a hint that there is something new to read. It carries no data and may ring for nothing.
//!
//! It may also stay silent for a while when the network fails, so whoever listens looks by itself as well, on
//! another connection.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::warn;

use crate::{error::StoreError, store::Store};

/// The channel on which revisions are rung.
const REVISION: &str = "sluice_revision";

/// The channel on which edges are rung.
const EDGES: &str = "sluice_edges";

/// The channel on which outcomes of rollouts are rung.
const ROLLOUT: &str = "sluice_rollout";

/// The channel on which questions to edges and their answers are rung.
const QUESTIONS: &str = "sluice_questions";

/// How long a listener may be silent before it is asked whether it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long it may take to answer, or to be made anew.
const DEADLINE: Duration = Duration::from_secs(2);

/// How long to wait after it could not be made anew.
const RETRY: Duration = Duration::from_millis(500);

/// What there may be news of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bell {
    /// The head has moved.
    Revision,
    /// An edge came, went or got further, or a join token was revoked.
    Edges,
    /// Requests of a rollout have ended.
    Rollouts,
    /// A replica has asked something of edges of another, or an answer has come.
    Questions,
}

/// A connection that listens. Rings every bell whenever it may have missed one.
pub struct Doorbell {
    url: String,
    listener: Option<PgListener>,
    heartbeat_due: Instant,
    owed: Vec<Bell>,
}

// === impl Store ===

impl Store {
    /// Begins to listen. Must reach the database itself: a pooler that shares connections between
    /// transactions loses what it is told.
    pub async fn doorbell(&self) -> Result<Doorbell, StoreError> {
        let url = self.config().url.clone();
        let listener = Some(listen(&url).await?);
        Ok(Doorbell {
            url,
            listener,
            heartbeat_due: Instant::now() + HEARTBEAT,
            owed: Vec::new(),
        })
    }
}

// === impl Doorbell ===

impl Doorbell {
    /// Waits until it rings. Loses nothing when it is dropped while waiting.
    pub async fn rung(&mut self) -> Bell {
        loop {
            if let Some(bell) = self.owed.pop() {
                return bell;
            }
            let Some(listener) = &mut self.listener else {
                self.connect_again().await;
                continue;
            };
            match timeout_at(self.heartbeat_due, listener.try_recv()).await {
                Ok(Ok(Some(notification))) => {
                    self.heartbeat_due = Instant::now() + HEARTBEAT;
                    return match notification.channel() {
                        EDGES => Bell::Edges,
                        ROLLOUT => Bell::Rollouts,
                        QUESTIONS => Bell::Questions,
                        _ => Bell::Revision,
                    };
                }
                // It was away, and somebody may have rung.
                Ok(Ok(None)) => self.owe_all(),
                Ok(Err(why)) => {
                    warn!(error = %why, "The doorbell broke, listening again");
                    self.listener = None;
                }
                Err(_) => self.check().await,
            }
        }
    }

    /// A socket can be dead without saying so; only an answer shows that it lives.
    async fn check(&mut self) {
        self.heartbeat_due = Instant::now() + HEARTBEAT;
        let Some(listener) = &mut self.listener else {
            return;
        };
        let answer = timeout(DEADLINE, sqlx::query("SELECT 1").execute(listener)).await;
        if !matches!(answer, Ok(Ok(_))) {
            warn!("The doorbell did not answer, listening again");
            self.listener = None;
        }
    }

    async fn connect_again(&mut self) {
        if let Ok(Ok(listener)) = timeout(DEADLINE, listen(&self.url)).await {
            self.listener = Some(listener);
            self.heartbeat_due = Instant::now() + HEARTBEAT;
            self.owe_all();
        } else {
            sleep(RETRY).await;
        }
    }

    fn owe_all(&mut self) {
        // At most these, however often it breaks.
        self.owed = vec![Bell::Questions, Bell::Rollouts, Bell::Edges, Bell::Revision];
    }
}

async fn listen(url: &str) -> Result<PgListener, StoreError> {
    let mut listener = PgListener::connect(url).await?;
    let channels = [REVISION, EDGES, ROLLOUT, QUESTIONS];
    listener.listen_all(channels).await?;
    Ok(listener)
}
