//! What requests and their answers said, in: sealed before it is stored, and stored only where its project keeps that now.
//!
//! Beside the records and under a bound of its own: what finds no turn stays with the edge, which tries again for a while.

use std::time::Duration;

use policy::{
    id::{OrganizationId, ProjectId},
    keeping::PART_BYTES_MAX,
};
use prost::Message;
use proto::usage::{Deposit, DepositRequest, DepositResponse};
use seal::Ring;
use store::{
    Store,
    usage_content::{self, Kept},
};
use tokio::{sync::Semaphore, time::timeout};
use tonic::Status;
use zeroize::Zeroizing;

use crate::{sealed, status};

/// How many requests of edges are sealed and stored at once.
// Full: the next ones wait for `PATIENCE`, and then the edge is told to come back.
const AT_ONCE_MAX: usize = 4;

/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many contents a request may have.
const TOGETHER_MAX: usize = 64;

/// The longest name of an end user, in bytes.
const END_USER_BYTES_MAX: usize = 128;

/// Takes what edges bring.
pub(crate) struct Deposits {
    sealing: Ring,
    turns: Semaphore,
}

// === impl Deposits ===

impl Deposits {
    /// Seals under this key.
    pub(crate) const fn new(sealing: Ring) -> Self {
        Self {
            sealing,
            turns: Semaphore::const_new(AT_ONCE_MAX),
        }
    }

    /// Keeps them, where their projects keep any. All or none are stored; what is no content refuses all of them.
    pub(crate) async fn take(
        &self,
        store: &Store,
        it: DepositRequest,
    ) -> Result<DepositResponse, Status> {
        if it.deposits.len() > TOGETHER_MAX {
            return Err(status::edge_nonsense(
                &"there are more contents than any edge sends",
            ));
        }
        let turn = timeout(PATIENCE, self.turns.acquire()).await.ok();
        let turn = turn.and_then(Result::ok);
        let _turn = turn.ok_or_else(status::deposits_busy)?;
        let deposits = it.deposits.into_iter();
        let sealed: Result<Vec<_>, _> = deposits.map(|it| self.sealed(it)).collect();
        let sealed = sealed.map_err(|what| status::edge_nonsense(&what))?;
        let all = sealed.len() as u64;
        let kept = usage_content::keep(store, &sealed).await;
        let kept = kept.map_err(status::store)?.min(all);
        for (result, many) in [("kept", kept), ("unwanted", all - kept)] {
            metrics::counter!("sluice_ingest_content_total", "result" => result).increment(many);
        }
        let number = |it: u64| u32::try_from(it).unwrap_or(u32::MAX);
        Ok(DepositResponse {
            kept: number(kept),
            unwanted: number(all - kept),
        })
    }

    /// One as it is stored; or what is wrong with it.
    fn sealed(&self, it: Deposit) -> Result<Kept, &'static str> {
        let id = <[u8; 16]>::try_from(it.record_id.as_slice());
        let id = id.map_err(|_| "record_id is no id")?;
        let organization = OrganizationId::try_from(it.organization_id.as_slice());
        let organization = organization.map_err(|_| "organization_id is no id")?;
        let project = ProjectId::try_from(it.project_id.as_slice());
        let project = project.map_err(|_| "project_id is no id")?;
        let content = it.content.unwrap_or_default();
        let parts = [&content.request, &content.answer];
        if parts.iter().any(|part| part.len() > PART_BYTES_MAX) {
            return Err("the content is longer than any edge sends");
        }
        if it.end_user.len() > END_USER_BYTES_MAX || it.end_user.contains('\0') {
            return Err("end_user is no name");
        }
        let clear = Zeroizing::new(content.encode_to_vec());
        let sealed = sealed::seal_content(&self.sealing, (organization, project, &id), &clear);
        Ok(Kept {
            id,
            organization,
            project,
            end_user: it.end_user,
            sealed,
        })
    }
}
