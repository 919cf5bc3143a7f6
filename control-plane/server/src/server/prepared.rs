//! What must be true of the database before anything listens, made true where a first start may do that.
//!
//! Knows the order: schema, pepper, policy, and whether the sealing key opens what rests there. Makes nothing that a start
//! which then fails would have to show.

use std::sync::Arc;

use lifecycle::clock::Clock;
use policy::object::Lane;
use seal::Ring;
use store::Store;
use zeroize::Zeroizing;

use crate::{
    api,
    config::Config,
    custody::Custody,
    publish::{hub::Hub, state::State, tail::Tail, values::Values},
    server::{cannot_start::CannotStart, sealing},
};

/// A control plane that could listen.
pub(crate) struct Prepared {
    pub(crate) store: Store,
    pub(crate) sealing: (Ring, Option<Custody>),
    pub(crate) values: Values,
    pub(crate) hub: Arc<Hub>,
    pub(crate) tail: Tail,
}

/// Opens the store and checks it.
pub(crate) async fn prepare(config: &Config, clock: &Clock) -> Result<Prepared, CannotStart> {
    let (sealing, custody) = sealing::open(&config.seal, clock).await?;
    let values = Values::new(sealing.clone());
    let store = Store::open(&config.database, values.encode()).await?;
    store
        .check_migrations()
        .await
        .map_err(CannotStart::NotMigrated)?;
    api::pepper::ensure(&store, &sealing)
        .await
        .map_err(CannotStart::NoPepper)?;
    let hub = Arc::new(Hub::new());
    let tail = Tail::load(store.clone(), Arc::clone(&hub)).await?;
    hub.read(|state| every_secret_opens(state, &values))?;
    Ok(Prepared {
        store,
        sealing: (sealing, custody),
        values,
        hub,
        tail,
    })
}

/// Better no control plane than one that breaks the stream of each edge that needs a secret.
fn every_secret_opens(state: &State, values: &Values) -> Result<(), CannotStart> {
    for live in state.everywhere(Lane::Secrets) {
        let opened = values.open(Lane::Secrets, (live.kind, &live.key), &live.value);
        drop(Zeroizing::new(
            opened.map_err(CannotStart::WrongSealingKey)?,
        ));
    }
    Ok(())
}
