//! Usage, up: takes settled records from edges and hands them to the store.
//!
//! Knows nothing of policy or of how records are kept. A record that can never be stored is refused and counted, so
//! that one bad record does not hold up the others for ever; what is stored already is passed over.

pub mod tally;
mod record;

use std::time::Duration;

use domain::segment::EdgeSlug;
use lifecycle::clock::Clock;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use policy::id::RolloutId;
use proto::usage::{
    DepositRequest, DepositResponse, Finish, GiveFeedbackRequest, GiveFeedbackResponse,
    RecallRequest, RecallResponse, RecallSpendingRequest, RecallSpendingResponse, ReportRequest,
    ReportResponse, usage_service_server::UsageService,
};
use seal::Ring;
use store::{
    Store, key_use::Use, rollout_outcome::Noted, usage::UsageRecord, usage_partial::PARTIAL,
};
use tonic::{Request, Response, Status};
use tracing::warn;

use crate::{deposit::Deposits, publish::door, recall::Recall, status};

use self::record::{Malformed, read};

/// The service.
pub struct Ingest {
    store: Store,
    clock: Clock,
    recall: Recall,
    deposits: Deposits,
}

/// Registers what is measured here.
pub fn describe() {
    describe_counter!(
        "sluice_ingest_record_total",
        "Usage records taken, by what became of them"
    );
    describe_counter!(
        "sluice_ingest_content_total",
        "Contents of requests taken from edges, by what became of them"
    );
    describe_histogram!(
        "sluice_ingest_lag_seconds",
        Unit::Seconds,
        "From the end of the oldest request of a report to its being stored"
    );
}

// === impl Ingest ===

impl Ingest {
    /// Stores into `store` what edges report, and tells by `clock` how late it comes. Content is sealed under `sealing`.
    pub const fn new(store: Store, clock: Clock, sealing: Ring) -> Self {
        Self {
            store,
            clock,
            recall: Recall::new(),
            deposits: Deposits::new(sealing),
        }
    }

    /// Notes how long ago the oldest of what is stored now has ended, by the edge's clock and ours.
    fn note_lag(&self, records: &[UsageRecord]) {
        // Nobody knows when those ended that are partial.
        let known = records.iter().filter(|it| it.outcome != PARTIAL);
        let ended = known.map(|it| it.at_ms + it.duration_us / 1_000);
        if let Some(oldest) = ended.min() {
            let lag = Duration::from_millis(self.clock.now_ms().saturating_sub(oldest));
            histogram!("sluice_ingest_lag_seconds").record(lag);
        }
    }
}

#[tonic::async_trait]
impl UsageService for Ingest {
    async fn report(
        &self,
        request: Request<ReportRequest>,
    ) -> Result<Response<ReportResponse>, Status> {
        let badge = door::shown(request.extensions())?;
        let ReportRequest { edge_id, records } = request.into_inner();
        if EdgeSlug::parse(&edge_id).is_err() {
            return Err(status::edge_nonsense(&"edge_id is not the id of an edge"));
        }
        door::calls_itself(&badge, &edge_id)?;
        let (mut good, mut refused) = (Vec::with_capacity(records.len()), 0);
        let mut uses = Vec::with_capacity(records.len());
        let mut outcomes = Vec::new();
        for record in records {
            let previous = record.previous_secret;
            let part = (record.rollout_id.clone(), record.rollout_client);
            let finish = record.finish();
            match read(record) {
                Ok(record) => {
                    outcomes.extend(outcome(&part, finish, &record));
                    // What a token stands for has a colon in it, and is no key that could be unused.
                    if !record.key_id.contains(':') {
                        uses.push(Use {
                            key_id: record.key_id.clone(),
                            at_ms: record.at_ms,
                            previous,
                        });
                    }
                    good.push(record);
                }
                Err(Malformed(field)) => {
                    refused += 1;
                    warn!(
                        edge.id = edge_id,
                        field, "A usage record of edge {edge_id} is refused"
                    );
                }
            }
        }
        let stored = self
            .store
            .insert_usage(&edge_id, &badge.region, &good)
            .await;
        let stored = stored.map_err(status::store)?;
        // Sent again when this fails, and then the records are passed over.
        let noted = self.store.note_key_uses(uses).await;
        noted.map_err(status::store)?;
        let noted = self.store.note_rollout_outcomes(&outcomes).await;
        noted.map_err(status::store)?;
        self.note_lag(&good);
        if stored.too_old > 0 {
            let (count, edge) = (stored.too_old, &edge_id);
            warn!(
                edge.id = edge,
                count,
                "Usage records of edge {edge} are of days that were dropped, and are not stored"
            );
        }
        for (what, many) in [
            ("stored", stored.stored),
            ("duplicate", stored.duplicates),
            ("too_old", stored.too_old),
            ("refused", refused),
        ] {
            counter!("sluice_ingest_record_total", "result" => what).increment(many.into());
        }
        let refused = refused + stored.too_old;
        let (stored, duplicates) = (stored.stored, stored.duplicates);
        Ok(Response::new(ReportResponse {
            stored,
            duplicates,
            refused,
        }))
    }

    async fn deposit(
        &self,
        request: Request<DepositRequest>,
    ) -> Result<Response<DepositResponse>, Status> {
        let badge = door::shown(request.extensions())?;
        door::calls_itself(&badge, &request.get_ref().edge_id)?;
        let taken = self
            .deposits
            .take(&self.store, request.into_inner())
            .await?;
        Ok(Response::new(taken))
    }

    async fn recall(
        &self,
        request: Request<RecallRequest>,
    ) -> Result<Response<RecallResponse>, Status> {
        let badge = door::shown(request.extensions())?;
        door::calls_itself(&badge, &request.get_ref().edge_id)?;
        let told = self.recall.record(&self.store, request.get_ref()).await?;
        Ok(Response::new(told))
    }

    async fn recall_spending(
        &self,
        request: Request<RecallSpendingRequest>,
    ) -> Result<Response<RecallSpendingResponse>, Status> {
        let badge = door::shown(request.extensions())?;
        door::calls_itself(&badge, &request.get_ref().edge_id)?;
        let of = (&self.store, &self.clock);
        let told = self.recall.spending(of, request.get_ref()).await?;
        Ok(Response::new(told))
    }

    async fn give_feedback(
        &self,
        request: Request<GiveFeedbackRequest>,
    ) -> Result<Response<GiveFeedbackResponse>, Status> {
        let badge = door::shown(request.extensions())?;
        door::calls_itself(&badge, &request.get_ref().edge_id)?;
        let kept = self.recall.feedback(&self.store, request.get_ref()).await?;
        Ok(Response::new(kept))
    }
}

/// How a request ended that a rollout assigned. An id that is none belongs to no rollout.
fn outcome(
    (rollout, client): &(Vec<u8>, u32),
    finish: Finish,
    record: &UsageRecord,
) -> Option<Noted> {
    Some(Noted {
        rollout: RolloutId::try_from(rollout.as_slice()).ok()?,
        client: *client,
        id: record.id,
        at_ms: record.at_ms,
        version: record.version,
        revision: record.revision,
        outcome: record.outcome,
        finish: finish as u8,
        duration_us: record.duration_us,
        first_byte_us: record.first_byte_us,
        cost_nano: record.cost_nano,
    })
}
