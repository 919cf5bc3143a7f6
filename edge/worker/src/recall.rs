//! What a client's own requests and key have used, asked from the control plane, which alone remembers it.
//!
//! The only thing that a client's request waits for the control plane for, and nothing that a model answers does. Few ask at
//! once and none for long. Says whose client asks, as the key has proved it, and nothing of the client.

use std::{cell::RefCell, time::Duration};

use policy::key::Key;
use proto::usage::{
    GiveFeedbackRequest, GiveFeedbackResponse, RecallRequest, RecallResponse,
    RecallSpendingRequest, RecallSpendingResponse, usage_service_client::UsageServiceClient,
};
use tokio::{sync::Semaphore, time::timeout};
use tonic::{Code, Response, Status, transport::Channel};

use crate::{feed::dial::Dialer, feedback::Feedback};

/// How many questions of one core wait for an answer.
// Full: the client is told to come back.
const AT_ONCE_MAX: usize = 8;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The way to the control plane, and what this edge calls itself there.
#[derive(Clone)]
pub struct Source {
    /// Reaches it.
    pub dialer: Dialer,
    /// Who asks.
    pub edge_id: String,
}

/// Asks. One for each core.
pub struct Recall {
    source: Option<RefCell<Source>>,
    client: RefCell<Option<UsageServiceClient<Channel>>>,
    turns: Semaphore,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// There is no such record.
    Nothing,
    /// The control plane cannot be asked now.
    Away,
    /// Enough questions wait here, or there.
    Busy,
}

// === impl Source ===

impl Source {
    /// Reaches the control plane as `dialer` does, in the name of this edge.
    pub fn new(dialer: &Dialer, edge_id: &str) -> Self {
        Self {
            dialer: dialer.clone(),
            edge_id: edge_id.to_owned(),
        }
    }
}

// === impl Recall ===

impl Recall {
    /// Asks this source; where there is none, every answer is that it is away.
    pub fn new(source: Option<Source>) -> Self {
        Self {
            source: source.map(RefCell::new),
            client: RefCell::default(),
            turns: Semaphore::new(AT_ONCE_MAX),
        }
    }

    /// One record of the project of this key.
    pub async fn record(&self, key: &Key, id: uuid::Uuid) -> Result<RecallResponse, NoAnswer> {
        let asked = |source: &Source| {
            source.dialer.request(RecallRequest {
                edge_id: source.edge_id.clone(),
                organization_id: key.organization.as_bytes().to_vec(),
                project_id: key.project.as_bytes().to_vec(),
                record_id: id.as_bytes().to_vec(),
            })
        };
        self.ask(asked, async |mut client, asked| client.recall(asked).await)
            .await
    }

    /// What this key has spent.
    pub async fn spending(&self, key: &Key) -> Result<RecallSpendingResponse, NoAnswer> {
        let asked = |source: &Source| {
            source.dialer.request(RecallSpendingRequest {
                edge_id: source.edge_id.clone(),
                organization_id: key.organization.as_bytes().to_vec(),
                project_id: key.project.as_bytes().to_vec(),
                key_id: key.key_id.clone(),
            })
        };
        let ask = async |mut client: UsageServiceClient<Channel>, asked| {
            client.recall_spending(asked).await
        };
        self.ask(asked, ask).await
    }

    /// Has it keep what a client of this key's project says of an answer, and hears what stands.
    pub async fn feedback(
        &self,
        key: &Key,
        said: &Feedback,
    ) -> Result<GiveFeedbackResponse, NoAnswer> {
        let asked = |source: &Source| {
            source.dialer.request(GiveFeedbackRequest {
                edge_id: source.edge_id.clone(),
                organization_id: key.organization.as_bytes().to_vec(),
                project_id: key.project.as_bytes().to_vec(),
                record_id: said.id.as_bytes().to_vec(),
                name: said.name.clone(),
                score: said.score,
            })
        };
        let ask = async |mut client: UsageServiceClient<Channel>, asked| {
            client.give_feedback(asked).await
        };
        self.ask(asked, ask).await
    }

    async fn ask<Q, A>(
        &self,
        asked: impl FnOnce(&Source) -> Q,
        ask: impl AsyncFnOnce(UsageServiceClient<Channel>, Q) -> Result<Response<A>, Status>,
    ) -> Result<A, NoAnswer> {
        let source = self.source.as_ref().ok_or(NoAnswer::Away)?;
        let _turn = self.turns.try_acquire().map_err(|_| NoAnswer::Busy)?;
        let asked = asked(&source.borrow());
        let client = self.client(source);
        let answer = timeout(PATIENCE, ask(client, asked)).await;
        match answer {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => match status.code() {
                Code::NotFound => Err(NoAnswer::Nothing),
                Code::ResourceExhausted => Err(NoAnswer::Busy),
                code => {
                    tracing::warn!(?code, "the control plane does not say what a client used");
                    self.forget();
                    Err(NoAnswer::Away)
                }
            },
            Err(_) => {
                self.forget();
                Err(NoAnswer::Away)
            }
        }
    }

    /// A client of before, or one that connects when it is used.
    fn client(&self, source: &RefCell<Source>) -> UsageServiceClient<Channel> {
        let mut client = self.client.borrow_mut();
        let connect = || UsageServiceClient::new(source.borrow_mut().dialer.lazily());
        client.get_or_insert_with(connect).clone()
    }

    /// The next question goes to another control plane, if there is one.
    fn forget(&self) {
        *self.client.borrow_mut() = None;
    }
}
