//! Brings what rests sealed under the key that seals now, once that is another one.
//!
//! Owns how often it is looked, how much at once, and that one replica does at a time. Knows where values rest as places, and
//! opens none that is in an envelope. Whatever ends it in between, the next look goes on with what is left: a value itself says
//! under which key it is.

use std::{convert::Infallible, time::Duration};

use metrics::{counter, describe_counter, describe_gauge, gauge};
use prost::Message;
use proto::{admin::Sealing, unknown::Contract};
use seal::Ring;
use store::{
    Store, StoreError, pepper_rotation,
    sealed_value::{Kept, Place},
};
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::{
    api::sealing_wire,
    by_itself::{self, ACTOR, Change},
    sealed,
};

/// How often it is looked what is left: while a key only opens, and else, when only a key that is missing can be found.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const IDLE_EVERY: Duration = Duration::from_hours(1);

/// For how long a replica has the turn unless it says that it is still there, which it does before each batch.
const TURN: Duration = Duration::from_secs(10);

/// How many values are brought at once, and how many of those that may be long.
const BATCH: u16 = 100; // Full: the others come next.
const BATCH_LONG: u16 = 10; // Full: as above.

/// How long after a batch the next one comes, so that writers get their turn.
const REST: Duration = Duration::from_millis(20);

/// Brings values under another key.
pub struct Resealer {
    store: Store,
    sealing: Ring,
    contract: Contract,
    replica: [u8; 16],
}

/// What a walk through all places came to.
#[derive(Debug, Default, Clone, Copy)]
struct Walked {
    renewed: u64,
    failed: u64,
}

/// Registers what is measured here.
pub fn describe() {
    describe_gauge!(
        "sluice_sealing_left",
        "Sealed values that are still to be brought under the key that seals"
    );
    describe_gauge!(
        "sluice_sealing_missing",
        "Sealed values under keys that this replica does not have"
    );
    describe_counter!(
        "sluice_sealing_renewed_total",
        "Sealed values that this replica brought under the key that seals, by where they rest"
    );
    describe_counter!(
        "sluice_sealing_failed_total",
        "Sealed values that could not be brought under the key that seals, by where they rest"
    );
}

// === impl Resealer ===

impl Resealer {
    /// Brings the values of this store under the key of this ring that seals.
    pub fn new(store: Store, (sealing, contract): (Ring, Contract), replica: [u8; 16]) -> Self {
        Self {
            store,
            sealing,
            contract,
            replica,
        }
    }

    /// Looks, for as long as the process lives.
    pub async fn run(self) -> Infallible {
        let every = match self.sealing.opening_ids().next() {
            Some(_) => LOOK_EVERY,
            None => IDLE_EVERY,
        };
        loop {
            if let Err(error) = self.look().await {
                warn!(%error, "Sealed values cannot be looked after, trying again");
            }
            sleep(every).await;
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        let before = self.told().await?;
        for (id, values) in sealing_wire::missing(&before) {
            error!(
                key_id = id,
                values,
                "Values rest under a sealing key that is not here: name its file in seal.open_key_files and start again"
            );
        }
        if before.left == 0 {
            return Ok(());
        }
        let turn = self.store.take_sealing_turn(self.replica, TURN).await?;
        let Some(turn) = turn else {
            return Ok(());
        };
        let Some(walked) = self.walk().await? else {
            return Ok(());
        };
        self.store.leave_sealing_turn(turn).await?;
        let Walked { renewed, failed } = walked;
        let after = self.told().await?;
        info!(renewed, failed, left = after.left, key_id = %after.key_id, "Sealed values are under the key that seals");
        if renewed > 0 {
            self.audit(&before, &after).await?;
        }
        Ok(())
    }

    /// What rests where, and says so in metrics.
    async fn told(&self) -> Result<Sealing, StoreError> {
        let counts = self.store.sealed_counts().await?;
        let peppers = pepper_rotation::standing(&self.store).await?;
        let told = sealing_wire::wire(&self.sealing, &counts, &peppers);
        let missing = sealing_wire::missing(&told).iter().map(|it| it.1).sum();
        gauge!("sluice_sealing_left").set(counted(told.left));
        gauge!("sluice_sealing_missing").set(counted(missing));
        Ok(told)
    }

    /// Goes through all places once; `None` when another replica has taken over.
    async fn walk(&self) -> Result<Option<Walked>, StoreError> {
        let (mark, mut walked) = (self.sealing.mark(), Walked::default());
        for place in Place::ALL {
            let batch = match place {
                Place::Content => BATCH_LONG,
                _ => BATCH,
            };
            let mut after = place.start().to_owned();
            loop {
                let turn = self.store.take_sealing_turn(self.replica, TURN).await?;
                if turn.is_none() {
                    return Ok(None);
                }
                let asked = (after.as_str(), mark.as_slice(), batch);
                let some = self.store.sealed_behind(place, asked).await?;
                let Some(last) = some.last() else {
                    break;
                };
                after.clone_from(&last.row);
                for kept in some.iter().filter(|it| !it.sealed.is_empty()) {
                    self.renew(place, kept, &mut walked).await?;
                }
                sleep(REST).await;
            }
        }
        Ok(Some(walked))
    }

    async fn renew(
        &self,
        place: Place,
        kept: &Kept,
        walked: &mut Walked,
    ) -> Result<(), StoreError> {
        match sealed::renew(&self.sealing, place, kept) {
            Ok(Some(new)) => {
                // Where it is another one by now, whoever wrote it has sealed it, and the next look sees under which key.
                if self.store.replace_sealed(place, kept, &new).await? {
                    counter!("sluice_sealing_renewed_total", "place" => place.word()).increment(1);
                    walked.renewed += 1;
                }
            }
            Ok(None) => {}
            Err(why) => {
                counter!("sluice_sealing_failed_total", "place" => place.word()).increment(1);
                warn!(place = place.word(), row = kept.row, %why, "A sealed value stays as it is");
                walked.failed += 1;
            }
        }
        Ok(())
    }

    async fn audit(&self, before: &Sealing, after: &Sealing) -> Result<(), StoreError> {
        let write = self.store.write(ACTOR).await?;
        let change = Change {
            method: "RenewSealing",
            object: "sealing".to_owned(),
            message: "Sealing",
            before: before.encode_to_vec(),
        };
        let after = |_| after.encode_to_vec();
        by_itself::commit(&self.contract, write, change, after).await?;
        Ok(())
    }
}

/// A count as a gauge has it.
fn counted(it: i64) -> f64 {
    f64::from(u32::try_from(it).unwrap_or(u32::MAX))
}
