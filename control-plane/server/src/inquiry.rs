//! Questions to edges wherever they are connected: to this replica, or to another, by way of the store.
//!
//! Knows who holds which stream, as the store tells; knows nothing of what is asked. What another replica does not answer in time
//! counts as silence of its edge.

use std::{convert::Infallible, sync::Arc, time::Duration};

use policy::{id::OrganizationId, region::Region};
use prost::Message;
use proto::sync::{Explain, Explained};
use store::{
    Store, StoreError,
    edge_question::{ANSWER_BYTES_MAX, Answer, Elsewhere, Question},
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use tracing::warn;

use crate::asking::{Asking, Told};

/// How many questions of others are put to edges at once.
// Full: the others wait until one was answered.
const PUT_MAX: usize = 64;

/// How long an operator waits for edges that say nothing, and another replica for edges of this one.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// How long after a look that failed the next one comes.
const REST: Duration = Duration::from_millis(500);

/// Asks edges, and puts to the edges of this replica what others ask.
#[derive(Clone)]
pub struct Inquiry {
    asking: Arc<Asking>,
    store: Store,
    replica: [u8; 16],
    bell: watch::Receiver<u64>,
}

// === impl Inquiry ===

impl Inquiry {
    /// For edges that are connected here, by `asking`, and elsewhere. The bell rings when something was asked or answered.
    pub const fn new(
        asking: Arc<Asking>,
        store: Store,
        replica: [u8; 16],
        bell: watch::Receiver<u64>,
    ) -> Self {
        Self {
            asking,
            store,
            replica,
            bell,
        }
    }

    /// Asks one edge of each region, or of this one, about an organization that it serves, and waits for what they say, two seconds at
    /// most. In the order of the regions.
    pub async fn ask(
        &self,
        question: (OrganizationId, &Explain),
        region: Option<&Region>,
    ) -> Vec<Told> {
        let by = Instant::now() + ANSWERED_WITHIN;
        let here = self.asking.regions(question.0);
        let there = async {
            let told = self.there(question, region, (&here, by)).await;
            told.unwrap_or_else(|error| {
                warn!(%error, "Edges of other replicas cannot be asked");
                Vec::new()
            })
        };
        let (mut told, there) =
            tokio::join!(self.asking.ask(question, region, ANSWERED_WITHIN), there);
        told.extend(there);
        told.sort_by(|one, other| one.region.cmp(&other.region));
        told
    }

    /// The same of regions none of whose edges is connected here.
    async fn there(
        &self,
        (of, question): (OrganizationId, &Explain),
        region: Option<&Region>,
        (here, by): (&[Region], Instant),
    ) -> Result<Vec<Told>, StoreError> {
        // From before anything is asked, so that no answer is missed.
        let mut bell = self.bell.clone();
        bell.mark_unchanged();
        let mut edges = self.store.edges_elsewhere(&self.replica, of).await?;
        edges.retain(|it| !here.contains(&it.region) && region.is_none_or(|one| *one == it.region));
        if edges.is_empty() {
            return Ok(Vec::new());
        }
        let question = question.encode_to_vec();
        let ids = self.store.ask_elsewhere(&edges, (of, &question)).await?;
        let mut answers = Vec::new();
        while answers.len() < ids.len() {
            answers = self.store.answers(&ids).await?;
            let rung = timeout_at(by, bell.changed());
            if answers.len() < ids.len() && !matches!(rung.await, Ok(Ok(()))) {
                break;
            }
        }
        let told = edges.into_iter().zip(ids).map(|(edge, id)| {
            let answer = answers.iter().find(|it| it.id == id);
            told(edge, answer)
        });
        Ok(told.collect())
    }

    /// Puts to the edges that are connected here what other replicas ask. Never ends.
    pub async fn run(self) -> Infallible {
        let mut bell = self.bell.clone();
        let mut put = JoinSet::new();
        loop {
            bell.mark_unchanged();
            match self.store.take_questions(&self.replica).await {
                Ok(questions) => {
                    for question in questions {
                        if put.len() >= PUT_MAX {
                            put.join_next().await;
                        }
                        put.spawn(self.clone().put(question));
                    }
                }
                Err(error) => {
                    warn!(%error, "Questions of other replicas cannot be read");
                    sleep(REST).await;
                    continue;
                }
            }
            while put.try_join_next().is_some() {}
            if bell.changed().await.is_err() {
                // Nobody rings any more: the process ends.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn put(self, question: Question) {
        let said = self.said(&question).await;
        let answer = Answer {
            id: question.id,
            said,
        };
        if let Err(error) = self.store.answer_question(&answer).await {
            warn!(%error, "An edge's answer cannot be given to the replica that asked");
        }
    }

    async fn said(&self, question: &Question) -> Option<(String, Vec<u8>)> {
        let asked = Explain::decode(&*question.question).ok()?;
        let told = self.asking.ask(
            (question.of, &asked),
            Some(&question.region),
            ANSWERED_WITHIN,
        );
        let told = told.await.into_iter().next()?;
        let bytes = told.explained?.encode_to_vec();
        (bytes.len() <= ANSWER_BYTES_MAX).then_some((told.edge_id, bytes))
    }
}

/// What became of a question to an edge of another replica, which may have put it to another edge of the region.
fn told(edge: Elsewhere, answer: Option<&Answer>) -> Told {
    let said = answer.and_then(|it| it.said.as_ref());
    let explained = said.and_then(|(_, bytes)| Explained::decode(&**bytes).ok());
    Told {
        edge_id: said.map_or(edge.edge_id, |(edge_id, _)| edge_id.clone()),
        region: edge.region,
        explained,
    }
}
