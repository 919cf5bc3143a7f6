//! `AuditService`: who did what, as it was written.

use std::time::SystemTime;

use domain::violation::Violations;
use lifecycle::clock::Clock;
use proto::admin::{self, audit_service_server::AuditService};
use store::{
    StoreError,
    audit::{Filter, Head, Row},
    audit_checkpoint::{Key, Row as Signed, Witnessed},
};
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Desk},
        moment,
        page::List,
    },
    status,
};

/// How far back is told where nobody says.
const RANGE_DEFAULT_MS: u64 = 30 * 24 * 3_600_000;

/// The service.
#[derive(Clone)]
pub(crate) struct Audits {
    desk: Desk,
    clock: Clock,
}

// === impl Audits ===

impl Audits {
    /// The service before this desk, with now told by this clock.
    pub(crate) fn new(desk: Desk, clock: Clock) -> Self {
        Self { desk, clock }
    }
}

#[tonic::async_trait]
impl AuditService for Audits {
    async fn list_audit_entries(
        &self,
        request: Request<admin::ListAuditEntriesRequest>,
    ) -> Result<Response<admin::ListAuditEntriesResponse>, Status> {
        let asked = request.into_inner();
        let filter = filter(&asked, self.clock.now_ms()).map_err(status::invalid)?;
        let list = List {
            method: "ListAuditEntries",
            parent: &asked.parent,
        };
        let size = (asked.page_size, asked.page_token.as_str());
        let page = self.desk.root_page(list, size)?;
        let listed = self.desk.store().audit_list(&filter, &page).await;
        let listed = listed.map_err(status::store)?;
        Ok(Response::new(admin::ListAuditEntriesResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            audit_entries: listed.rows.into_iter().map(wire).collect(),
        }))
    }

    async fn list_audit_chains(
        &self,
        _: Request<admin::ListAuditChainsRequest>,
    ) -> Result<Response<admin::ListAuditChainsResponse>, Status> {
        let store = self.desk.store();
        let read = async {
            // What edges keep is read first, so that its checkpoints lie on what is read then.
            let witnesses = store.audit_witnesses().await?;
            let keys = store.audit_keys().await?;
            Ok::<_, StoreError>((witnesses, keys, store.audit_heads().await?))
        };
        let (witnesses, keys, heads) = read.await.map_err(status::store)?;
        let wire = |head: Head| admin::AuditChain {
            chain: head.chain,
            sequence: number(head.sequence),
            hash: head.hash,
        };
        Ok(Response::new(admin::ListAuditChainsResponse {
            audit_chains: heads.into_iter().map(wire).collect(),
            audit_keys: keys.into_iter().map(key).collect(),
            audit_witnesses: witnesses.into_iter().map(witness).collect(),
        }))
    }

    async fn export_audit_entries(
        &self,
        request: Request<admin::ExportAuditEntriesRequest>,
    ) -> Result<Response<admin::ExportAuditEntriesResponse>, Status> {
        let asked = request.into_inner();
        let Ok(after) = u64::try_from(asked.after_sequence) else {
            return Err(status::invalid_field(
                "after_sequence",
                "must not be negative",
            ));
        };
        let rows = self.desk.store().audit_after(&asked.chain, after).await;
        let rows = rows.map_err(status::store)?;
        let until = rows.last().map_or(after, |it| it.sequence);
        let store = self.desk.store();
        let signed = store.audit_checkpoints(&asked.chain, (after, until)).await;
        let signed = signed.map_err(status::store)?;
        Ok(Response::new(admin::ExportAuditEntriesResponse {
            audit_checkpoints: signed.into_iter().map(checkpoint).collect(),
            audit_entries: rows.into_iter().map(wire).collect(),
        }))
    }
}

fn filter(asked: &admin::ListAuditEntriesRequest, now_ms: u64) -> Result<Filter, Violations> {
    let mut violations = Violations::new();
    let organization = violations.take("parent", desk::keeper(&asked.parent));
    let end_ms = asked.end_time.as_ref().map_or(Ok(now_ms), moment::millis);
    let end_ms = violations.take("end_time", end_ms).unwrap_or(now_ms);
    let start_ms = asked.start_time.as_ref().map_or_else(
        || Ok(end_ms.saturating_sub(RANGE_DEFAULT_MS)),
        moment::millis,
    );
    let start_ms = violations.take("start_time", start_ms).unwrap_or(0);
    let since = violations.take("start_time", moment::from_millis(start_ms));
    // What was written in this millisecond is wanted, too.
    let until = violations.take("end_time", moment::from_millis(end_ms.saturating_add(1)));
    match (organization, since, until, violations.is_empty()) {
        (Some(organization), Some(since), Some(until), true) => Ok(Filter {
            organization,
            actor: asked.actor.clone(),
            object: asked.object.clone(),
            since,
            until,
        }),
        _ => Err(violations),
    }
}

fn wire(row: Row) -> admin::AuditEntry {
    admin::AuditEntry {
        chain: row.chain,
        sequence: number(row.sequence),
        entry: row.entry,
        hash: row.hash,
    }
}

fn key(key: Key) -> admin::AuditKey {
    admin::AuditKey {
        public_key: key.public,
        by: key.by,
        signature: key.endorsement,
    }
}

fn checkpoint(signed: Signed) -> admin::AuditCheckpoint {
    admin::AuditCheckpoint {
        text: signed.said,
        public_key: signed.key,
        signature: signed.signature,
        length: number(signed.length),
    }
}

fn witness(it: Witnessed) -> admin::AuditWitness {
    admin::AuditWitness {
        chain: it.chain,
        length: number(it.length),
        checkpoint_hash: it.witness.hash,
        edge: it.witness.edge,
        identity: it.witness.identity,
        certified: it.witness.certified,
        witness_time: Some(SystemTime::from(it.at).into()),
    }
}

fn number(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}
