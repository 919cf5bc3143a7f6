//! Ends shadows whose time is over, or whose copies have cost what they may; and has them rest whose copies have cost what they may in a day.
//!
//! One such step is one transaction, as of rollouts: it holds the model and judges what stands there then, so that two replicas that look at once
//! do it once. What copies cost is known when their records have come; what is under way then is paid, too.

use domain::{name::ShadowName, shadow::State};
use lifecycle::clock::Clock;
use policy::revision::Revision;
use prost::Message;
use proto::unknown::Contract;
use store::{
    Store, StoreError, Write,
    shadow::{self, Row},
};
use tracing::{info, warn};

use crate::{
    api::shadow_wire::wire,
    by_itself::{self, ACTOR, Change},
};

/// Ends every shadow that is due, or has it rest.
pub(crate) async fn look(store: &Store, contract: &Contract) -> Result<(), StoreError> {
    for name in shadow::due(store).await? {
        if let Err(error) = look_at(store, contract, &name).await {
            warn!(%error, shadow = %name, "A shadow can neither end nor rest, trying again");
        }
    }
    Ok(())
}

async fn look_at(store: &Store, contract: &Contract, name: &ShadowName) -> Result<(), StoreError> {
    let mut write = store.write(ACTOR).await?;
    let row = match shadow::lock(&mut write, name, "").await {
        Err(StoreError::NotFound { .. }) => return Ok(()),
        row => row?,
    };
    if row.state != State::Running {
        return Ok(());
    }
    let now_ms = Clock::system().now_ms();
    let Some((state, reason)) = row.plan.end(row.used, now_ms) else {
        return rest(contract, write, &row, now_ms).await;
    };
    let change = Change {
        method: "EndShadow",
        object: row.name.to_string(),
        message: "Shadow",
        before: wire(&row, Revision(0)).encode_to_vec(),
    };
    let after = shadow::end(&mut write, &row, (state, &reason)).await?;
    let shown = |revision| wire(&after, revision).encode_to_vec();
    let revision = by_itself::commit(contract, write, change, shown).await?;
    info!(shadow = %after.name, %revision, reason, "A shadow has ended by itself");
    Ok(())
}

/// Has one rest that has cost today what it may in a day, unless it does already.
async fn rest(
    contract: &Contract,
    mut write: Write,
    row: &Row,
    now_ms: u64,
) -> Result<(), StoreError> {
    let until_ms = row.plan.rest(row.used, now_ms);
    let Some(until_ms) = until_ms.filter(|until| row.rests_until_ms() < Some(*until)) else {
        return Ok(());
    };
    let change = Change {
        method: "RestShadow",
        object: row.name.to_string(),
        message: "Shadow",
        before: wire(row, Revision(0)).encode_to_vec(),
    };
    let after = shadow::rest(&mut write, row, until_ms).await?;
    let shown = |revision| wire(&after, revision).encode_to_vec();
    let revision = by_itself::commit(contract, write, change, shown).await?;
    info!(shadow = %after.name, %revision, until_ms, "A shadow rests: its copies have cost what they may in a day");
    Ok(())
}
