//! What clients ask edges of their own requests and keys, and edges ask here: one record, what a key has spent, and to keep what is said of an
//! answer.
//!
//! An edge says whose client asks, and gets nothing of another organization or project. Few are answered at once, so that
//! whoever asks much delays neither records nor operators.

use lifecycle::clock::Clock;
use policy::{
    id::{OrganizationId, ProjectId},
    judged,
};
use proto::{
    message,
    usage::{
        Finish, GiveFeedbackRequest, GiveFeedbackResponse, Outcome, RecallRequest, RecallResponse,
        RecallSpendingRequest, RecallSpendingResponse,
    },
};
use store::{
    Store,
    feedback::{self, Kept},
    usage_of_key, usage_read,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use tonic::Status;

use crate::status;

/// How many questions are answered at once.
// Full: the edge is told to come back, and tells its client.
const AT_ONCE_MAX: usize = 4;

/// The longest key id, in bytes.
const KEY_BYTES_MAX: usize = 512;

/// Answers edges.
pub(crate) struct Recall {
    turns: Semaphore,
}

/// Whose client asks.
type Whose = (OrganizationId, ProjectId);

// === impl Recall ===

impl Recall {
    pub(crate) const fn new() -> Self {
        Self {
            turns: Semaphore::const_new(AT_ONCE_MAX),
        }
    }

    fn turn(&self) -> Result<SemaphorePermit<'_>, Status> {
        let turn = self.turns.try_acquire();
        turn.map_err(|_| status::recall_busy())
    }

    /// One record.
    pub(crate) async fn record(
        &self,
        store: &Store,
        asked: &RecallRequest,
    ) -> Result<RecallResponse, Status> {
        let whose = whose(&asked.organization_id, &asked.project_id)?;
        let id = <[u8; 16]>::try_from(asked.record_id.as_slice());
        let id = id.map_err(|_| status::edge_nonsense(&"record_id is no id"))?;
        let _turn = self.turn()?;
        let kept = usage_read::recall(store, whose, id).await;
        let kept = kept.map_err(status::store)?;
        let kept = kept.ok_or_else(|| status::not_found("the record"))?;
        Ok(RecallResponse {
            at: Some(message::timestamp(kept.at_ms)),
            model: kept.model.unwrap_or_default(),
            provider: kept.provider.unwrap_or_default(),
            endpoint: kept.endpoint,
            outcome: Outcome::try_from(i32::from(kept.outcome)).map_or(0, Into::into),
            finish: Finish::try_from(i32::from(kept.finish)).map_or(0, Into::into),
            streamed: kept.streamed,
            input_tokens: kept.input_tokens.unsigned_abs(),
            cached_input_tokens: kept.cached_input_tokens.unsigned_abs(),
            output_tokens: kept.output_tokens.unsigned_abs(),
            reasoning_tokens: kept.reasoning_tokens.unsigned_abs(),
            cost_nano: kept.cost_nano.unwrap_or_default().unsigned_abs(),
            cost_known: kept.cost_nano.is_some(),
            duration_us: kept.duration_us.unsigned_abs(),
            first_byte_us: kept.first_byte_us.unsigned_abs(),
            end_user: kept.end_user,
        })
    }

    /// What a key has spent.
    pub(crate) async fn spending(
        &self,
        (store, clock): (&Store, &Clock),
        asked: &RecallSpendingRequest,
    ) -> Result<RecallSpendingResponse, Status> {
        let whose = whose(&asked.organization_id, &asked.project_id)?;
        if asked.key_id.len() > KEY_BYTES_MAX || asked.key_id.contains('\0') {
            return Err(status::edge_nonsense(&"key_id is no key id"));
        }
        let _turn = self.turn()?;
        let spent = usage_of_key::spent(store, whose, &asked.key_id, clock.now_ms()).await;
        let spent = spent.map_err(status::store)?;
        Ok(RecallSpendingResponse {
            all_nano: spent.all_nano,
            day_nano: spent.day_nano,
            week_nano: spent.week_nano,
            month_nano: spent.month_nano,
        })
    }

    /// Keeps what is said of an answer.
    pub(crate) async fn feedback(
        &self,
        store: &Store,
        said: &GiveFeedbackRequest,
    ) -> Result<GiveFeedbackResponse, Status> {
        let whose = whose(&said.organization_id, &said.project_id)?;
        let id = <[u8; 16]>::try_from(said.record_id.as_slice());
        let id = id.map_err(|_| status::edge_nonsense(&"record_id is no id"))?;
        if !judged::is_name(&said.name) || !(0.0..=1.0).contains(&said.score) {
            return Err(status::edge_nonsense(&"what is said is no score of a name"));
        }
        let _turn = self.turn()?;
        let kept = feedback::give(store, whose, id, (&said.name, said.score)).await;
        match kept.map_err(status::store)? {
            Kept::Stands(stands) => Ok(GiveFeedbackResponse {
                score: stands,
                full: false,
            }),
            Kept::Full => Ok(GiveFeedbackResponse {
                score: 0.0,
                full: true,
            }),
            Kept::Nothing => Err(status::not_found("the record")),
        }
    }
}

fn whose(organization: &[u8], project: &[u8]) -> Result<Whose, Status> {
    let organization = OrganizationId::try_from(organization).ok();
    let project = ProjectId::try_from(project).ok();
    let whose = organization.zip(project);
    whose.ok_or_else(|| status::edge_nonsense(&"whose client asks is not said"))
}
