//! Signs where the chains of the audit trail stand, has edges told, and notes which of them keep it.
//!
//! Owns how often that happens, the key that signs and when it is replaced. Knows nothing of what entries say, and of edges no
//! more than what they are called.

use std::{fmt, sync::Arc, time::Duration};

use checkpoint::{Checkpoint, Signer, key::NoKey};
use metrics::{counter, describe_counter};
use proto::sync;
use seal::{CannotOpen, Ring};
use store::{
    Store, StoreError,
    audit_checkpoint::{Due, Key, Made, Witness},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout_at},
};
use tracing::{info, warn};

use crate::sealed;

/// How often it is looked at the latest what other replicas have signed.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long a key signs; then another one does, for which it answers.
const KEY_LIFE_MS: u64 = 90 * 24 * 3_600_000;

/// How many words of witnesses may wait to be noted.
const WAITING_MAX: usize = 4_096; // Full: it is not noted; the edge's word about the next checkpoint is.

/// What there is to tell.
#[derive(Debug, Default)]
struct Heads {
    keys: Vec<sync::AuditKey>,
    /// Each with its number, the newest first.
    checkpoints: Vec<(u64, sync::AuditCheckpoint)>,
}

/// Signs and notes.
pub struct Attester {
    store: Store,
    sealing: Ring,
    every: Duration,
    heads: watch::Sender<Arc<Heads>>,
    witnesses: mpsc::Receiver<Witness>,
}

/// What the streams of edges need of it. Cheap to clone.
#[derive(Clone)]
pub struct Attested {
    heads: watch::Receiver<Arc<Heads>>,
    witnesses: mpsc::Sender<Witness>,
}

/// What one edge was told so far.
pub struct Telling {
    attested: Attested,
    told: u64,
}

/// Why nothing is signed.
#[derive(Debug)]
enum Unsigned {
    Store(StoreError),
    Sealed(CannotOpen),
    NoKey,
}

/// Registers what is measured here.
pub fn describe() {
    describe_counter!(
        "sluice_audit_checkpoints_total",
        "Checkpoints of chains of the audit trail that this replica signed"
    );
    describe_counter!(
        "sluice_audit_unsigned_total",
        "How often heads of the audit trail could not be signed or read"
    );
    counter!("sluice_audit_checkpoints_total").increment(0);
    counter!("sluice_audit_unsigned_total").increment(0);
}

/// What signs chains that have grown, each this often at most; and what tells edges.
pub fn open(store: &Store, sealing: &Ring, every: Duration) -> (Attester, Attested) {
    let (heads, followed) = watch::channel(Arc::default());
    let (say, witnesses) = mpsc::channel(WAITING_MAX);
    let signing = Attester {
        store: store.clone(),
        sealing: sealing.clone(),
        every,
        heads,
        witnesses,
    };
    let attested = Attested {
        heads: followed,
        witnesses: say,
    };
    (signing, attested)
}

// === impl Attester ===

impl Attester {
    /// Works for as long as the process lives.
    pub async fn run(mut self) -> std::convert::Infallible {
        loop {
            if let Err(why) = self.look().await {
                counter!("sluice_audit_unsigned_total").increment(1);
                warn!(%why, "Heads of the audit trail cannot be signed, trying again");
            }
            self.note(Instant::now() + self.every.min(LOOK_EVERY)).await;
        }
    }

    async fn look(&self) -> Result<(), Unsigned> {
        let keys = self.keys().await?;
        let newest = keys.last().ok_or(Unsigned::NoKey)?;
        let signer = self.open(newest)?;
        let every_ms = u64::try_from(self.every.as_millis()).unwrap_or(u64::MAX);
        let sign = |due| signed(due, &signer);
        let made = self.store.sign_audit_heads(every_ms, sign).await?;
        counter!("sluice_audit_checkpoints_total").increment(made);
        let rows = self.store.newest_audit_checkpoints().await?;
        let keys = keys.into_iter().map(|key| sync::AuditKey {
            public_key: key.public,
            by: key.by,
            signature: key.endorsement,
        });
        let checkpoints = rows.into_iter().map(|row| {
            let told = sync::AuditCheckpoint {
                text: row.said,
                public_key: row.key,
                signature: row.signature,
            };
            (row.number, told)
        });
        let heads = Heads {
            keys: keys.collect(),
            checkpoints: checkpoints.collect(),
        };
        let newest = |heads: &Heads| heads.checkpoints.first().map(|it| it.0);
        self.heads.send_if_modified(|told| {
            let moved = newest(told) != newest(&heads);
            if moved {
                *told = Arc::new(heads);
            }
            moved
        });
        Ok(())
    }

    /// The keys, with one at the end that is good to sign with.
    async fn keys(&self) -> Result<Vec<Key>, Unsigned> {
        let keys = self.store.audit_keys().await?;
        let newest = keys.last();
        if newest.is_some_and(|it| it.age_ms < KEY_LIFE_MS) {
            return Ok(keys);
        }
        let (signer, bytes) = Signer::draw()?;
        let public = signer.public();
        let endorsed = match newest {
            Some(newest) => self.open(newest)?.endorse(public),
            None => signer.endorse(public),
        };
        let key = Key {
            public: public.to_vec(),
            by: endorsed.by.to_vec(),
            endorsement: endorsed.signature.to_vec(),
            sealed: sealed::seal_audit_key(&self.sealing, &public, &bytes),
            age_ms: 0,
        };
        // Where another replica was first, its key is among those that are read now.
        if self.store.add_audit_key(keys.len(), &key).await? {
            info!("Heads of the audit trail are signed by a new key");
        }
        Ok(self.store.audit_keys().await?)
    }

    fn open(&self, key: &Key) -> Result<Signer, Unsigned> {
        let public: [u8; 32] = key.public.as_slice().try_into()?;
        let bytes = sealed::open_audit_key(&self.sealing, &public, &key.sealed)?;
        Ok(Signer::open(&bytes)?)
    }

    /// Notes what edges keep, until then.
    async fn note(&mut self, until: Instant) {
        while let Ok(Some(witness)) = timeout_at(until, self.witnesses.recv()).await {
            if let Err(error) = self.store.witness_audit(&witness).await {
                warn!(%error, "What an edge keeps of the audit trail cannot be noted");
            }
        }
        // Nobody is left who could say anything, but what has been written is signed all the same.
        tokio::time::sleep_until(until).await;
    }
}

fn signed(due: Due, key: &Signer) -> Made {
    let checkpoint = Checkpoint {
        chain: due.head.chain,
        length: due.head.sequence,
        // The database refuses hashes of another length.
        head: due.head.hash.try_into().unwrap_or_default(),
        at_ms: due.at_ms,
        previous: due.previous.try_into().unwrap_or_default(),
    };
    let signed = checkpoint.sign(key);
    Made {
        said: signed.checkpoint().text(),
        hash: signed.hash(),
        key: *signed.key(),
        signature: *signed.signature(),
    }
}

// === impl Attested ===

impl Attested {
    /// Tells an edge from the start.
    pub fn telling(&self) -> Telling {
        let mut attested = self.clone();
        attested.heads.mark_changed();
        Telling { attested, told: 0 }
    }

    /// Notes that an edge keeps a checkpoint. Never waits.
    pub fn kept(&self, witness: Witness) {
        if self.witnesses.try_send(witness).is_err() {
            warn!(
                "Too many edges tell at once what they keep of the audit trail, one is not noted"
            );
        }
    }
}

// === impl Telling ===

impl Telling {
    /// What is new for the edge, as soon as there is something.
    pub async fn next(&mut self) -> sync::AuditHeads {
        loop {
            if self.attested.heads.changed().await.is_err() {
                // What signs is gone, which happens only while the process ends.
                std::future::pending::<()>().await;
            }
            let heads = Arc::clone(&self.attested.heads.borrow_and_update());
            let told = std::mem::replace(
                &mut self.told,
                heads.checkpoints.first().map_or(0, |it| it.0),
            );
            let new = heads.checkpoints.iter().take_while(|it| it.0 > told);
            let checkpoints: Vec<_> = new.map(|it| it.1.clone()).collect();
            if !checkpoints.is_empty() {
                return sync::AuditHeads {
                    keys: heads.keys.clone(),
                    checkpoints,
                };
            }
        }
    }
}

// === impl Unsigned ===

impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(why) => why.fmt(f),
            Self::Sealed(why) => write!(f, "the key that signs cannot be opened: {why}"),
            Self::NoKey => f.write_str("there is no key that signs, and none could be drawn"),
        }
    }
}

impl From<StoreError> for Unsigned {
    fn from(why: StoreError) -> Self {
        Self::Store(why)
    }
}

impl From<CannotOpen> for Unsigned {
    fn from(why: CannotOpen) -> Self {
        Self::Sealed(why)
    }
}

impl From<NoKey> for Unsigned {
    fn from(_: NoKey) -> Self {
        Self::NoKey
    }
}

impl From<std::array::TryFromSliceError> for Unsigned {
    fn from(_: std::array::TryFromSliceError) -> Self {
        Self::NoKey
    }
}
