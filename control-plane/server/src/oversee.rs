//! Looks after experiments: takes in what has come for their arms, and ends those whose guard is violated.
//!
//! One look at one experiment is one transaction, as of rollouts: it holds the model, so that whoever dies in between has done nothing and two
//! replicas that look at once come one after the other.

use std::time::Duration;

use domain::{
    experiment::{State, Tally},
    gate::Gate,
    name::ExperimentName,
};
use policy::revision::Revision;
use prost::Message;
use proto::unknown::Contract;
use store::{Store, StoreError, experiment};
use tracing::{info, warn};

use crate::{
    api::experiment_wire::wire,
    by_itself::{self, ACTOR, Change},
};

/// How long an outcome rests at least before it counts, so that what is slow comes with what is quick.
const REST: Duration = Duration::from_secs(1);

/// Looks at every experiment that is under way once; whether there is more to do at once.
pub(crate) async fn look(store: &Store, contract: &Contract) -> Result<bool, StoreError> {
    let mut busy = false;
    for name in experiment::under_way(store).await? {
        match look_at(store, contract, &name).await {
            Ok(more) => busy |= more,
            Err(error) => {
                warn!(%error, experiment = %name, "An experiment cannot be looked after, trying again");
            }
        }
    }
    Ok(busy)
}

async fn look_at(
    store: &Store,
    contract: &Contract,
    name: &ExperimentName,
) -> Result<bool, StoreError> {
    let mut write = store.write(ACTOR).await?;
    let mut row = match experiment::lock(&mut write, name, "").await {
        Err(StoreError::NotFound { .. }) => return Ok(false),
        row => row?,
    };
    if row.state != State::Running {
        return Ok(false);
    }
    let more = experiment::take(&mut write, &mut row, REST).await?;
    let Some((arm, at)) = row.tally.violated(&row.plan) else {
        write.commit().await?;
        return Ok(more);
    };
    let arms: Vec<&str> = row
        .arms
        .iter()
        .map(|it| it.version.version.as_str())
        .collect();
    let known = (row.plan.guards.get(at), arms.get(arm));
    let reason = match known {
        (Some(guard), Some(name)) => worse(&row.tally, *guard, (arm, at), name),
        _ => "a guard is violated".to_owned(),
    };
    let change = Change {
        method: "GuardExperiment",
        object: row.name.to_string(),
        message: "Experiment",
        before: wire(&row, Revision(0)).encode_to_vec(),
    };
    let ended = (State::Guarded, reason.as_str());
    let after = experiment::end(&mut write, &row, ended, None).await?;
    let shown = |revision| wire(&after, revision).encode_to_vec();
    let revision = by_itself::commit(contract, write, change, shown).await?;
    info!(experiment = %after.name, %revision, reason, "A guard has ended an experiment");
    Ok(false)
}

fn worse(tally: &Tally, guard: Gate, (arm, at): (usize, usize), name: &str) -> String {
    let evidence = tally.guards.get(arm.saturating_sub(1));
    let evidence = evidence.and_then(|it| it.get(at)).copied();
    let evidence = evidence.unwrap_or_default();
    format!(
        "the {} of {name} is worse: {} in {:.0} requests, {} in {:.0} of the first arm",
        guard.metric,
        guard.metric.shown(evidence.candidate.mean()),
        evidence.candidate.count,
        guard.metric.shown(evidence.stable.mean()),
        evidence.stable.count,
    )
}
