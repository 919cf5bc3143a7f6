//! Lets one pepper take another one's place: tags keys anew under it, and takes the one before away.
//!
//! Owns the pace, and that one replica does at a time; the order is the store's. Holds the hash of a secret for as long as it
//! takes to tag it. A key is never without a tag that edges can check: it is tagged anew when all have the new pepper, and the
//! old one goes when all know the new tag.

use std::{convert::Infallible, time::Duration};

use domain::name::KeyName;
use metrics::{counter, describe_counter};
use policy::credential::Pepper;
use prost::Message;
use proto::unknown::Contract;
use seal::{CannotOpen, Ring};
use store::{
    Store, StoreError,
    pepper_rotation::{self as rows, Tagged},
};
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::{
    api::{pepper, sealing_wire},
    by_itself::{self, ACTOR, Change},
    sealed,
};

/// How often it is looked whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// For how long a replica has the turn unless it says that it is still there, which it does before each batch.
const TURN: Duration = Duration::from_secs(10);

/// How many keys are tagged in one write.
const BATCH: u16 = 50; // Full: the others come next.

/// How long after a batch the next one comes, so that operators get their turn.
const REST: Duration = Duration::from_millis(50);

/// Rotates peppers.
pub struct Repepperer {
    store: Store,
    sealing: Ring,
    contract: Contract,
    replica: [u8; 16],
}

/// Registers what is measured here.
pub fn describe() {
    describe_counter!(
        "sluice_pepper_tagged_total",
        "Keys that this replica tagged anew under another pepper"
    );
}

// === impl Repepperer ===

impl Repepperer {
    /// Rotates the peppers of this store.
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
        loop {
            if let Err(error) = self.look().await {
                warn!(%error, "The rotation of the pepper does not go on, trying again");
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        if !rows::is_under_way(&self.store).await? || !self.has_turn().await? {
            return Ok(());
        }
        if rows::use_newest(&self.store).await? {
            info!("Every edge has the new pepper: keys are tagged under it from now on");
        }
        let newest = match pepper::current(&self.store, &self.sealing).await {
            Ok(newest) => newest,
            Err(why) => {
                error!(%why, "No key can be tagged anew");
                return Ok(());
            }
        };
        if !self.tag_all(&newest).await? {
            return Ok(());
        }
        rows::note_left(&self.store, newest.version).await?;
        match rows::spent(&self.store).await? {
            Some(version) => self.retire(version).await,
            None => Ok(()),
        }
    }

    async fn has_turn(&self) -> Result<bool, StoreError> {
        let turn = self.store.take_sealing_turn(self.replica, TURN).await?;
        Ok(turn.is_some())
    }

    /// Tags every key anew that an older pepper has tagged; whether this replica still has its turn.
    async fn tag_all(&self, pepper: &Pepper) -> Result<bool, StoreError> {
        let mut after = [0; 16];
        loop {
            let some = rows::behind(&self.store, (pepper.version, after, BATCH)).await?;
            let Some((last, _)) = some.last() else {
                return Ok(true);
            };
            if !self.has_turn().await? {
                return Ok(false);
            }
            after = *last;
            self.tag(pepper, some.into_iter().map(|(_, name)| name))
                .await?;
            sleep(REST).await;
        }
    }

    async fn tag(
        &self,
        pepper: &Pepper,
        keys: impl Iterator<Item = KeyName>,
    ) -> Result<(), StoreError> {
        let (mut write, mut tagged) = (self.store.write(ACTOR).await?, 0);
        for name in keys {
            let Some(key) = rows::lock(&mut write, &name).await? else {
                continue;
            };
            match self.tags(pepper, &key) {
                Ok(tags) => {
                    rows::retag(&mut write, &key, pepper.version, tags).await?;
                    tagged += 1;
                }
                Err(why) => {
                    error!(key = %name, %why, "A key keeps its tag, and its pepper with it");
                }
            }
        }
        write.commit().await?;
        counter!("sluice_pepper_tagged_total").increment(tagged);
        Ok(())
    }

    fn tags(
        &self,
        pepper: &Pepper,
        key: &Tagged,
    ) -> Result<([u8; 32], Option<[u8; 32]>), CannotOpen> {
        let id = key.name.key.as_str();
        let tag = |sealed: &Vec<u8>| -> Result<[u8; 32], CannotOpen> {
            let hash = sealed::open_key_secret(&self.sealing, id, sealed)?;
            Ok(keys::tag(&pepper.secret, id, &hash))
        };
        let previous = key.previous.as_ref().map(tag).transpose()?;
        Ok((tag(&key.secret)?, previous))
    }

    async fn retire(&self, version: u32) -> Result<(), StoreError> {
        let stood = rows::standing(&self.store).await?;
        let stood = stood.iter().find(|it| it.version == version);
        let before = stood.map(|it| sealing_wire::pepper(it).encode_to_vec());
        let mut write = self.store.write(ACTOR).await?;
        rows::retire(&mut write, version).await?;
        let change = Change {
            method: "RetirePepper",
            object: format!("peppers/{version}"),
            message: "PepperState",
            before: before.unwrap_or_default(),
        };
        by_itself::commit(&self.contract, write, change, |_| Vec::new()).await?;
        info!(version, "A pepper that no key needs is gone");
        Ok(())
    }
}
