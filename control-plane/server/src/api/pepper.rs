//! The pepper under which new keys are tagged.
//!
//! Owns its first start and its reading; knows nothing of keys. Among replicas that start at once the first
//! one's pepper stands, and all use it.

use std::fmt;

use keys::Family;
use policy::credential::Pepper;
use seal::{CannotOpen, Ring};
use store::{Store, StoreError, pepper};

use crate::sealed;

/// Why there is no pepper to use.
#[derive(Debug)]
pub enum NoPepper {
    /// None was made yet.
    Missing,
    /// It was sealed under another key.
    OtherKey(CannotOpen),
    /// The store declined or failed.
    Store(StoreError),
}

/// Makes the first pepper where there is none, and checks that the newest one opens.
pub async fn ensure(store: &Store, key: &Ring) -> Result<(), NoPepper> {
    match current(store, key).await {
        Err(NoPepper::Missing) => {}
        found => return found.map(drop),
    }
    let first = Pepper {
        version: 1,
        secret: draw(),
    };
    let sealed = sealed::seal_pepper(key, &first);
    let row = pepper::create(store, &first, &sealed)
        .await
        .map_err(NoPepper::Store)?;
    // Another replica may have been first, perhaps under another key.
    sealed::open_pepper(key, row.version, &row.sealed).map_err(NoPepper::OtherKey)?;
    Ok(())
}

/// The bytes of a new pepper: the hash of a fresh 256-bit secret that nobody keeps, as random as a pepper must be.
pub fn draw() -> [u8; 32] {
    keys::mint(Family::Operator).secret_sha256
}

/// The newest pepper that is used.
pub async fn current(store: &Store, key: &Ring) -> Result<Pepper, NoPepper> {
    let row = pepper::newest(store)
        .await
        .map_err(NoPepper::Store)?
        .ok_or(NoPepper::Missing)?;
    sealed::open_pepper(key, row.version, &row.sealed).map_err(NoPepper::OtherKey)
}

// === impl NoPepper ===

impl fmt::Display for NoPepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no pepper yet; start the control plane once more"),
            Self::OtherKey(CannotOpen::Other) => f.write_str(
                "the database was sealed under another key: give the `[seal] key` it was started with, \
                 or name its file in `open_key_files`",
            ),
            Self::OtherKey(why @ CannotOpen::NoKey(_)) => write!(f, "the pepper {why}"),
            Self::Store(why) => write!(f, "read the pepper: {why}"),
        }
    }
}

impl std::error::Error for NoPepper {}
