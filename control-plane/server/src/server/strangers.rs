//! Puts together what proves those who have no key yet.
//!
//! Knows settings and what may fail at a start; runs nothing itself.

use std::sync::Arc;

use lifecycle::clock::Clock;
use seal::Ring;
use signers::Signers;
use store::Store;

use crate::{
    api::Proofs, config::Config, entrance::Entrance, exchange::Exchange,
    server::cannot_start::CannotStart,
};

/// What proves them, and what has the keys of issuers and must be run.
pub(super) fn proofs(
    store: &Store,
    config: &Config,
    (sealing, clock): (&Ring, &Clock),
) -> Result<(Proofs, Signers), CannotStart> {
    let signers = Signers::open(&config.issuers)
        .map_err(|_| CannotStart::Broken("issuers cannot be asked over TLS"))?;
    let exchange = Exchange::new(store.clone(), signers.clone());
    let entrance = Entrance::new(store.clone(), sealing.clone(), clock.clone());
    let entrance =
        entrance.map_err(|_| CannotStart::Broken("there is no memory for one password"))?;
    let proofs = Proofs {
        exchange: Arc::new(exchange),
        entrance: Arc::new(entrance),
    };
    Ok((proofs, signers))
}
