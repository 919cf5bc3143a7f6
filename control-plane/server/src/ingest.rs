//! Usage, up: takes settled records from edges and hands them to the store, and what edges decided to the audit trail.
//!
//! Knows nothing of policy or of how records are kept. A record that can never be stored is refused and counted, so
//! that one bad record does not hold up the others for ever; what is stored already is passed over.

pub mod tally;
mod record;
mod access;

use std::time::Duration;

use domain::segment::EdgeSlug;
use lifecycle::clock::Clock;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use policy::{
    id::{RolloutId, ShadowId},
    remit::Remit,
};
use proto::usage::{
    Access, DepositRequest, DepositResponse, Finish, GiveFeedbackRequest, GiveFeedbackResponse,
    RecallRequest, RecallResponse, RecallSpendingRequest, RecallSpendingResponse, Record,
    ReportRequest, ReportResponse, usage_service_server::UsageService,
};
use seal::Ring;
use store::{
    Store, audit::Stamp, key_use::Use, rollout_outcome::Noted, shadow_record, usage::UsageRecord,
    usage_partial::PARTIAL,
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
        "sluice_ingest_access_total",
        "Decisions of edges for the audit trail, by what became of them"
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

    /// Tells the audit trail what an edge decided: how many decisions are new, how many were told before, how many can never be told.
    async fn tell(
        &self,
        accesses: Vec<Access>,
        (edge_id, remit): (&str, &Remit),
    ) -> Result<[u32; 3], Status> {
        let (mut good, mut refused) = (Vec::with_capacity(accesses.len()), 0);
        for access in accesses {
            match access::read(access, (edge_id, remit)) {
                Ok((access, said)) => {
                    good.push((access, move |object: &str, at: Stamp<'_>| {
                        said.text(object, at)
                    }));
                }
                Err(Malformed(field)) => {
                    refused += 1;
                    warn!(
                        edge.id = edge_id,
                        field, "A decision of edge {edge_id} is refused"
                    );
                }
            }
        }
        let told = self.store.tell_access(edge_id, good).await;
        let told = told.map_err(status::store)?;
        let told = [told.stored, told.duplicates, refused];
        for (what, many) in ["stored", "duplicate", "refused"].into_iter().zip(told) {
            counter!("sluice_ingest_access_total", "result" => what).increment(many.into());
        }
        Ok(told)
    }
}

#[tonic::async_trait]
impl UsageService for Ingest {
    async fn report(
        &self,
        request: Request<ReportRequest>,
    ) -> Result<Response<ReportResponse>, Status> {
        let badge = door::shown(request.extensions())?;
        let ReportRequest {
            edge_id,
            records,
            accesses,
        } = request.into_inner();
        if EdgeSlug::parse(&edge_id).is_err() {
            return Err(status::edge_nonsense(&"edge_id is not the id of an edge"));
        }
        door::calls_itself(&badge, &edge_id)?;
        let Taken {
            good,
            uses,
            outcomes,
            shadowed,
            copies,
            refused,
        } = Taken::of(records, (&edge_id, &badge.remit));
        let stored = self
            .store
            .insert_usage(&edge_id, &badge.remit.region, &good)
            .await;
        let stored = stored.map_err(status::store)?;
        // Sent again when this fails, and then the records are passed over.
        let noted = self.store.note_key_uses(uses).await;
        noted.map_err(status::store)?;
        let noted = self.store.note_rollout_outcomes(&outcomes).await;
        noted.map_err(status::store)?;
        let sides = sides(&good, &shadowed, &copies);
        let noted = self.store.note_shadows(&sides).await;
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
            ("copy", u32::try_from(copies.len()).unwrap_or(u32::MAX)),
            ("duplicate", stored.duplicates),
            ("too_old", stored.too_old),
            ("refused", refused),
        ] {
            counter!("sluice_ingest_record_total", "result" => what).increment(many.into());
        }
        let told = self.tell(accesses, (&edge_id, &badge.remit)).await?;
        let refused = refused + stored.too_old + told[2];
        let (stored, duplicates) = (stored.stored + told[0], stored.duplicates + told[1]);
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
        for it in &request.get_ref().deposits {
            door::serves(&badge, &it.organization_id)?;
        }
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
        door::serves(&badge, &request.get_ref().organization_id)?;
        let told = self.recall.record(&self.store, request.get_ref()).await?;
        Ok(Response::new(told))
    }

    async fn recall_spending(
        &self,
        request: Request<RecallSpendingRequest>,
    ) -> Result<Response<RecallSpendingResponse>, Status> {
        let badge = door::shown(request.extensions())?;
        door::calls_itself(&badge, &request.get_ref().edge_id)?;
        door::serves(&badge, &request.get_ref().organization_id)?;
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
        door::serves(&badge, &request.get_ref().organization_id)?;
        let kept = self.recall.feedback(&self.store, request.get_ref()).await?;
        Ok(Response::new(kept))
    }
}

/// A report, read.
#[derive(Default)]
struct Taken {
    good: Vec<UsageRecord>,
    uses: Vec<Use>,
    outcomes: Vec<Noted>,
    /// The requests of clients that were copied, by their places in `good`.
    shadowed: Vec<(ShadowId, usize)>,
    /// Copies, which are nobody's, and of which requests they are.
    copies: Vec<(ShadowId, [u8; 16], UsageRecord)>,
    refused: u32,
}

// === impl Taken ===

impl Taken {
    fn of(records: Vec<Record>, (edge_id, remit): (&str, &Remit)) -> Self {
        let mut taken = Self::default();
        for record in records {
            if let Err(Malformed(field)) = taken.take(record, remit) {
                taken.refused += 1;
                warn!(
                    edge.id = edge_id,
                    field, "A usage record of edge {edge_id} is refused"
                );
            }
        }
        taken
    }

    /// Takes one, if it is of an organization that the edge serves.
    fn take(&mut self, record: Record, remit: &Remit) -> Result<(), Malformed> {
        let previous = record.previous_secret;
        let part = (record.rollout_id.clone(), record.rollout_client);
        let finish = record.finish();
        let shadow = shadow(&record)?;
        let record = read(record)?;
        if !remit.serves_organization(record.organization) {
            return Err(Malformed("organization_id"));
        }
        if let Some((shadow, Some(of))) = shadow {
            // No key was used for it.
            self.copies.push((shadow, of, record));
            return Ok(());
        }
        let place = self.good.len();
        self.shadowed
            .extend(shadow.map(|(shadow, _)| (shadow, place)));
        self.outcomes.extend(outcome(&part, finish, &record));
        // What a token stands for has a colon in it, and is no key that could be unused.
        if !record.key_id.contains(':') {
            self.uses.push(Use {
                key_id: record.key_id.clone(),
                organization: record.organization,
                at_ms: record.at_ms,
                previous,
            });
        }
        self.good.push(record);
        Ok(())
    }
}

/// A shadow, and of which request it made a copy, if it is the copy's record that says so.
type OfShadow = Option<(ShadowId, Option<[u8; 16]>)>;

/// What a shadow has to do with a record. A copy must say whose it is, so that it is never taken for a client's.
fn shadow(record: &Record) -> Result<OfShadow, Malformed> {
    let shadow = match record.shadow_id.as_slice() {
        [] => None,
        bytes => Some(ShadowId::try_from(bytes).map_err(|_| Malformed("shadow_id"))?),
    };
    let copy_of = match record.copy_of.as_slice() {
        [] => None,
        bytes => Some(<[u8; 16]>::try_from(bytes).map_err(|_| Malformed("copy_of"))?),
    };
    match (shadow, copy_of) {
        (None, Some(_)) => Err(Malformed("copy_of")),
        (shadow, copy_of) => Ok(shadow.map(|it| (it, copy_of))),
    }
}

/// Both sides of requests that were copied: those of clients by their places in `good`, and copies.
fn sides<'a>(
    good: &'a [UsageRecord],
    shadowed: &[(ShadowId, usize)],
    copies: &'a [(ShadowId, [u8; 16], UsageRecord)],
) -> Vec<shadow_record::Noted<'a>> {
    let own = shadowed.iter().filter_map(|(shadow, at)| {
        Some(shadow_record::Noted {
            shadow: *shadow,
            copy_of: None,
            record: good.get(*at)?,
        })
    });
    let copies = copies
        .iter()
        .map(|(shadow, of, record)| shadow_record::Noted {
            shadow: *shadow,
            copy_of: Some(*of),
            record,
        });
    own.chain(copies).collect()
}

/// How a request ended that a rollout assigned. An id that is none belongs to no rollout.
fn outcome(
    (rollout, client): &(Vec<u8>, u32),
    finish: Finish,
    record: &UsageRecord,
) -> Option<Noted> {
    Some(Noted {
        rollout: RolloutId::try_from(rollout.as_slice()).ok()?,
        organization: record.organization,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_does_not_say_its_shadow_is_never_taken_for_a_clients() {
        let record = |shadow_id: &[u8], copy_of: &[u8]| Record {
            shadow_id: shadow_id.to_vec(),
            copy_of: copy_of.to_vec(),
            ..Default::default()
        };
        let id = ShadowId::from_bytes([1; 16]);
        assert_eq!(shadow(&record(&[], &[])), Ok(None));
        assert_eq!(shadow(&record(&[1; 16], &[])), Ok(Some((id, None))));
        let copy = shadow(&record(&[1; 16], &[2; 16]));
        assert_eq!(copy, Ok(Some((id, Some([2; 16])))));
        for (shadow_id, copy_of) in [(&[][..], &[2; 16][..]), (&[1; 16], &[2; 15]), (&[1], &[])] {
            assert!(shadow(&record(shadow_id, copy_of)).is_err());
        }
    }
}
