//! Looks after experiments: takes in what has come for their arms, gives them the shares that follow from it, and takes out those that violate a
//! guard.
//!
//! One look at one experiment is one transaction, as of rollouts: it holds the model, so that whoever dies in between has done nothing and two
//! replicas that look at once come one after the other.

use std::time::Duration;

use domain::{
    allocation,
    experiment::{State, Tally},
    gate::Gate,
    name::ExperimentName,
};
use policy::revision::Revision;
use prost::Message;
use proto::unknown::Contract;
use store::{
    Store, StoreError, Write,
    experiment::{self, Row},
    experiment_shares::{self, CHANGES_MAX, Change as Shares},
    experiment_take,
};
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
    let more = experiment_take::take(&mut write, &mut row, REST).await?;
    if let Some(violated) = row.tally.violated(&row.plan) {
        guard(contract, write, row, violated).await?;
    } else if row.is_due {
        weigh(contract, write, row).await?;
    } else {
        write.commit().await?;
    }
    Ok(more)
}

/// Takes out the arm that violates a guard, or ends the experiment where no other would be left beside the first one.
async fn guard(
    contract: &Contract,
    mut write: Write,
    mut row: Row,
    (arm, at): (usize, usize),
) -> Result<(), StoreError> {
    let name = row.arms.get(arm).map(|it| it.version.version.as_str());
    let reason = match row.plan.guards.get(at).zip(name) {
        Some((guard, name)) => worse(&row.tally, *guard, (arm, at), name),
        None => "a guard is violated".to_owned(),
    };
    let change = change("GuardExperiment", &row);
    let others = (1..row.arms.len()).filter(|it| *it != arm && !row.plan.is_out(*it));
    if row.plan.allocation.is_some() && others.count() > 0 {
        let before: Vec<u16> = row.plan.all_shares().collect();
        experiment_shares::begin_period(&mut write, &mut row).await?;
        let shares = Shares {
            shares: &allocation::without(&before, arm),
            chances: &[],
            reason: &reason,
            out: Some(arm),
        };
        return share(contract, write, (&row, change), shares).await;
    }
    let ended = (State::Guarded, reason.as_str());
    let after = experiment::end(&mut write, &row, ended, None).await?;
    let shown = |revision| shown(&after, revision);
    let revision = by_itself::commit(contract, write, change, shown).await?;
    info!(experiment = %after.name, %revision, reason, "A guard has ended an experiment");
    Ok(())
}

/// Begins a period, with the shares that follow from what is known.
async fn weigh(contract: &Contract, mut write: Write, mut row: Row) -> Result<(), StoreError> {
    let before: Vec<u16> = row.plan.all_shares().collect();
    experiment_shares::begin_period(&mut write, &mut row).await?;
    let follows = row.plan.allocation.zip(row.tally.chances(&row.plan));
    let Some((allocation, chances)) = follows else {
        write.commit().await?;
        return Ok(());
    };
    let shares = allocation.next(&before, &chances);
    let is_full = experiment_shares::changes(&mut write, &row).await? >= CHANGES_MAX;
    if shares == before || is_full {
        write.commit().await?;
        return Ok(());
    }
    let reason = format!("by what is known of the {}", allocation.goal);
    let change = change("WeighExperiment", &row);
    let shares = Shares {
        shares: &shares,
        chances: &chances,
        reason: &reason,
        out: None,
    };
    share(contract, write, (&row, change), shares).await
}

/// Gives the arms these shares, with the revision from which on edges share so.
async fn share(
    contract: &Contract,
    mut write: Write,
    (row, change): (&Row, Change<'_>),
    shares: Shares<'_>,
) -> Result<(), StoreError> {
    let after = experiment_shares::change(&mut write, row, shares).await?;
    let mut numbered = write.number().await?;
    experiment_shares::stamp(&mut numbered, row.id).await?;
    let shown = |revision| shown(&after, revision);
    let revision = by_itself::settle(contract, numbered, change, shown).await?;
    let reason = shares.reason;
    info!(experiment = %after.name, %revision, reason, "The arms of an experiment have other shares");
    Ok(())
}

fn change(method: &'static str, row: &Row) -> Change<'static> {
    Change {
        method,
        object: row.name.to_string(),
        message: "Experiment",
        before: shown(row, Revision(0)),
    }
}

/// As the audit trail keeps it: of the shares that its arms have had the newest alone, since each change has an entry.
fn shown(row: &Row, revision: Revision) -> Vec<u8> {
    let mut shown = wire(row, revision);
    shown.weights.truncate(1);
    shown.encode_to_vec()
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
