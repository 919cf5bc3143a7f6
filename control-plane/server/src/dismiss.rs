//! Ends shadows whose time is over, or whose copies have cost what they may.
//!
//! One end is one transaction, as of rollouts: it holds the model and judges what stands there then, so that two replicas that look at once
//! end one once. What copies cost is known when their records have come; what is under way then is paid, too.

use domain::{name::ShadowName, shadow::State};
use lifecycle::clock::Clock;
use policy::revision::Revision;
use prost::Message;
use proto::unknown::Contract;
use store::{Store, StoreError, shadow};
use tracing::{info, warn};

use crate::{
    api::shadow_wire::wire,
    by_itself::{self, ACTOR, Change},
};

/// Ends every shadow that is due.
pub(crate) async fn look(store: &Store, contract: &Contract) -> Result<(), StoreError> {
    for name in shadow::due(store).await? {
        if let Err(error) = look_at(store, contract, &name).await {
            warn!(%error, shadow = %name, "A shadow cannot be ended, trying again");
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
    let end = row.plan.end(row.used, Clock::system().now_ms());
    let Some((state, reason)) = end.filter(|_| row.state == State::Running) else {
        return Ok(());
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
