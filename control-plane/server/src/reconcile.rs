//! Advances rollouts, finishes them and takes them back, by how their requests ended; and looks after experiments and shadows.
//!
//! One look at one rollout is one transaction: it holds the rollout's model, reads where the rollout stands, takes what has
//! come, judges, and writes what becomes of it with the revision by which edges hear of it and its entry in the audit
//! trail. So whoever dies in between has done nothing, two replicas that look at once come one after the other, and no
//! outcome counts twice. Woken by the doorbell and by the clock; the doorbell is never trusted.

use std::{convert::Infallible, time::Duration};

use domain::{
    name::RolloutName,
    rollout::{Next, State},
};
use metrics::{counter, describe_counter};
use policy::revision::Revision;
use prost::Message;
use proto::unknown::Contract;
use store::{Store, StoreError, Write, rollout, rollout::Row, rollout_feedback, rollout_outcome};
use tokio::{sync::watch, time};
use tracing::{info, warn};

use crate::{
    api::rollout_wire::{wire, word},
    by_itself::{self, ACTOR, Change},
    dismiss, oversee,
    publish::tail::Bells,
};

/// How long an outcome rests at least before it counts, so that what is slow comes with what is quick.
const REST: Duration = Duration::from_secs(1);

/// How long nobody looks when no bell is heard.
const SCAN_EVERY: Duration = Duration::from_secs(1);

/// How long after a look the next one comes at the earliest.
const GATHER: Duration = Duration::from_millis(100);

/// How long an outcome is kept after it came, so that a report which comes twice counts once, and a client that sticks is
/// known again.
const KEPT: Duration = Duration::from_hours(48);

/// How long it is known of a request that was copied what became of it and of its copy.
const COPIES_KEPT: Duration = Duration::from_hours(30 * 24);

/// How many looks lie between two sweeps of old outcomes, where the first one found nothing.
const SWEEP_EVERY: u32 = 600;

/// Looks after rollouts.
pub struct Reconciler {
    store: Store,
    contract: Contract,
}

/// What a look has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// Nothing was there to be done, or somebody else is at it.
    Idle,
    /// What has come is taken, and there may be more.
    Taken,
    /// It stands elsewhere now.
    Moved,
}

/// Registers what is measured here.
pub fn describe() {
    describe_counter!(
        "sluice_rollout_transition_total",
        "Steps of rollouts that the control plane made by itself, by what they were"
    );
}

// === impl Reconciler ===

impl Reconciler {
    /// Looks after the rollouts of this store.
    pub const fn new(store: Store, contract: Contract) -> Self {
        Self { store, contract }
    }

    /// Looks, for as long as the process lives.
    pub async fn run(self, bells: Bells) -> Infallible {
        let mut rollouts = bells.rollouts.subscribe();
        let mut revision = bells.revision.subscribe();
        drop(bells);
        let mut sweep_in: u32 = 0;
        loop {
            let busy = match self.look().await {
                Ok(busy) => busy,
                Err(error) => {
                    warn!(%error, "Rollouts cannot be looked after, trying again");
                    false
                }
            };
            sweep_in = match sweep_in {
                0 => self.sweep().await,
                more => more - 1,
            };
            time::sleep(GATHER).await;
            if !busy {
                let rung = heard(&mut rollouts, &mut revision);
                // A look comes without the bells too.
                let _ = time::timeout(SCAN_EVERY, rung).await;
            }
        }
    }

    /// Takes old outcomes away, and says after how many looks to do it again.
    async fn sweep(&self) -> u32 {
        match self.swept().await {
            Ok(0) => SWEEP_EVERY,
            Ok(_) => 0,
            Err(error) => {
                warn!(%error, "Old outcomes of rollouts cannot be swept, trying again later");
                SWEEP_EVERY
            }
        }
    }

    async fn swept(&self) -> Result<u64, StoreError> {
        let outcomes = self.store.sweep_rollout_outcomes(KEPT).await?;
        let feedback = self.store.sweep_rollout_feedback(KEPT).await?;
        let copies = self.store.sweep_shadow_records(COPIES_KEPT).await?;
        Ok(outcomes + feedback + copies)
    }

    /// Looks at every rollout, experiment and shadow that is under way once; whether there is more to do at once.
    pub async fn look(&self) -> Result<bool, StoreError> {
        let mut busy = oversee::look(&self.store, &self.contract).await?;
        dismiss::look(&self.store, &self.contract).await?;
        for name in rollout::under_way(&self.store).await? {
            match self.look_at(&name).await {
                Ok(looked) => busy |= looked != Looked::Idle,
                Err(error) => {
                    warn!(%error, rollout = %name, "A rollout cannot be looked after, trying again");
                }
            }
        }
        Ok(busy)
    }

    /// Looks at one.
    pub async fn look_at(&self, name: &RolloutName) -> Result<Looked, StoreError> {
        let mut write = self.store.write(ACTOR).await?;
        let Some(mut row) = rollout::try_lock(&mut write, name).await? else {
            return Ok(Looked::Idle);
        };
        if row.state.is_over() {
            return Ok(Looked::Idle);
        }
        let (outcomes, taken) = rollout_outcome::take(&mut write, &row, REST).await?;
        for seen in &outcomes {
            row.count(&seen.outcome, seen.is_first);
        }
        let (said, heard) = rollout_feedback::take(&mut write, &row).await?;
        for it in said.iter().filter(|it| it.is_first) {
            row.score(it.score, it.is_candidates);
        }
        let next = row.standing().next();
        let stays = matches!(next, Next::Stay(_));
        if stays && taken + heard == 0 && !row.is_new_step {
            return Ok(Looked::Idle);
        }
        rollout::note(&mut write, &row).await?;
        let before = row.clone();
        let (method, after) = match next {
            Next::Stay(_) => {
                write.commit().await?;
                let full = taken >= rollout_outcome::TAKEN_MAX;
                return Ok(if full { Looked::Taken } else { Looked::Idle });
            }
            Next::Step(step) => {
                let after = rollout::begin_step(&mut write, &row, step).await?;
                ("AdvanceRollout", after)
            }
            Next::Promote => {
                row.state = State::Promoted;
                "every step was passed".clone_into(&mut row.reason);
                ("PromoteRollout", rollout::update(&mut write, &row).await?)
            }
            Next::RollBack(reason) => {
                row.state = State::RolledBack;
                row.reason = reason;
                ("RollBackRollout", rollout::update(&mut write, &row).await?)
            }
        };
        self.commit(write, method, (&before, &after)).await?;
        Ok(Looked::Moved)
    }

    /// Commits a change with its entry in the audit trail.
    async fn commit(
        &self,
        write: Write,
        method: &str,
        (before, after): (&Row, &Row),
    ) -> Result<(), StoreError> {
        let change = Change {
            method,
            object: after.name.to_string(),
            message: "Rollout",
            before: wire(before, Revision(0)).encode_to_vec(),
        };
        let shown = |revision| wire(after, revision).encode_to_vec();
        let revision = by_itself::commit(&self.contract, write, change, shown).await?;
        let state = word(after.state);
        counter!("sluice_rollout_transition_total", "to" => state).increment(1);
        info!(
            rollout = %after.name,
            %revision,
            state,
            step = after.step + 1,
            reason = after.reason,
            "A rollout has moved"
        );
        Ok(())
    }
}

async fn heard(one: &mut watch::Receiver<u64>, other: &mut watch::Receiver<u64>) {
    tokio::select! {
        _ = one.changed() => {}
        _ = other.changed() => {}
    }
}
