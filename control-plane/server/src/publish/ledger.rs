//! Tells edges what the ledger says was used of quotas in their region, so that a Redis that forgot may remember.
//!
//! Knows the store and messages; whose counts they are is the store's to read. No edge waits for it with a request in hand.

use std::sync::Arc;

use lifecycle::clock::Clock;
use policy::{
    applying::Whose,
    id::{LimitId, ModelId, ProjectId, ProviderId},
    region::Region,
    remit::Remit,
};
use proto::sync::{LedgerCount, LedgerLevel, ReadLedgerRequest, ReadLedgerResponse};
use store::{Store, StoreError, limit_share, spent::Counted};
use tokio::sync::Semaphore;

use crate::publish::hub::Hub;

/// The most counts that one call asks for.
// Full: the call is refused; edges ask for no more.
pub const COUNTS_MAX: usize = 64;

/// How many calls are answered at once.
// Full: the next one waits; edges give up by themselves.
const READERS_MAX: usize = 4;

/// The most characters of what a count names.
const TEXT_MAX: usize = 256;

/// Reads the ledger for edges.
pub struct Ledger {
    store: Store,
    hub: Arc<Hub>,
    clock: Clock,
    readers: Semaphore,
}

/// Why nothing is told.
#[derive(Debug)]
pub enum Untold {
    /// What is asked makes no sense; what is wrong.
    Nonsense(&'static str),
    /// The store failed.
    Store(StoreError),
}

// === impl Ledger ===

impl Ledger {
    /// Nobody reads yet.
    pub const fn new(store: Store, hub: Arc<Hub>, clock: Clock) -> Self {
        Self {
            store,
            hub,
            clock,
            readers: Semaphore::const_new(READERS_MAX),
        }
    }

    /// What was used of each count in the region of an edge, of limits of which it may know; of others nothing is told.
    pub async fn read(
        &self,
        remit: &Remit,
        asked: ReadLedgerRequest,
    ) -> Result<ReadLedgerResponse, Untold> {
        if !(1..=COUNTS_MAX).contains(&asked.counts.len()) {
            return Err(Untold::Nonsense("counts must be 1 to 64"));
        }
        let counts = asked.counts.into_iter().map(counted);
        let counts = counts.collect::<Result<Vec<_>, _>>()?;
        // It is never closed; and without a place it is read all the same.
        let _reading = self.readers.acquire().await.ok();
        let mut levels = Vec::with_capacity(counts.len());
        for it in &counts {
            if !self.hub.concerns(remit, it.limit.as_bytes()) {
                levels.push(LedgerLevel::default());
                continue;
            }
            let used = self
                .store
                .spent(&remit.region, it, self.clock.now_ms())
                .await;
            let used = used.map_err(Untold::Store)?;
            let given = self.given(&remit.region, it).await?;
            let (given_back, asked_back) = given.unwrap_or_default();
            levels.push(LedgerLevel {
                used: used.unwrap_or(0).saturating_add(given_back),
                known: used.is_some(),
                asked_back,
                later: given.is_none(),
            });
        }
        Ok(ReadLedgerResponse { levels })
    }

    /// What the counts of a region hold beside what was used, and what they may hold; `None` where that cannot be told yet. Of limits
    /// with members nothing is given back.
    async fn given(&self, region: &Region, of: &Counted) -> Result<Option<(u64, u64)>, Untold> {
        if of.whose.is_some() {
            return Ok(Some((0, 0)));
        }
        let period = of.period_from_ms.saturating_add(1);
        let given = limit_share::given_back(&self.store, of.limit, region, period);
        given.await.map_err(Untold::Store)
    }
}

fn counted(it: LedgerCount) -> Result<Counted, Untold> {
    let limit = some(&it.limit_id)?.ok_or(Untold::Nonsense("limit_id must be 16 bytes"))?;
    if it.key_id.len() > TEXT_MAX || it.end_user.len() > TEXT_MAX * 4 {
        return Err(Untold::Nonsense("key_id and end_user must be short"));
    }
    let (project, model) = (some(&it.project_id)?, some(&it.model_id)?);
    let provider = some(&it.provider_id)?;
    Ok(Counted {
        limit: LimitId::from_bytes(limit),
        period_from_ms: it.period_from_ms,
        whose: project.map(|project| Whose {
            project: ProjectId::from_bytes(project),
            key_id: it.key_id,
            model: model.map(ModelId::from_bytes),
            end_user: it.end_user,
            provider: provider.map(ProviderId::from_bytes),
        }),
    })
}

/// An id, where there is one.
fn some(bytes: &[u8]) -> Result<Option<[u8; 16]>, Untold> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let id = bytes.try_into();
    id.map(Some)
        .map_err(|_| Untold::Nonsense("ids must be 16 bytes"))
}
