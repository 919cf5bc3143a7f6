//! What must be true of the database before anything listens, made true where a first start may do that.
//!
//! Knows the order: schema, pepper, policy, and whether the sealing key opens what rests there. Makes nothing that a start
//! which then fails would have to show.

use std::sync::Arc;

use lifecycle::settings::{self, Secret};
use policy::object::Lane;
use seal::{Ring, SealingKey};
use store::Store;
use zeroize::Zeroizing;

use crate::{
    api,
    config::{Config, Seal},
    publish::{hub::Hub, state::State, tail::Tail, values::Values},
    server::cannot_start::CannotStart,
};

/// A control plane that could listen.
pub(crate) struct Prepared {
    pub(crate) store: Store,
    pub(crate) sealing: Ring,
    pub(crate) values: Values,
    pub(crate) hub: Arc<Hub>,
    pub(crate) tail: Tail,
}

/// Opens the store and checks it.
pub(crate) async fn prepare(config: &Config) -> Result<Prepared, CannotStart> {
    let sealing = sealing_keys(&config.seal)?;
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
        sealing,
        values,
        hub,
        tail,
    })
}

/// The keys that are set: what seals, and what only opens.
pub(crate) fn sealing_keys(config: &Seal) -> Result<Ring, CannotStart> {
    let text = settings::secret(&config.key, &config.key_file, "seal.key");
    let text = text
        .map_err(CannotStart::Seal)?
        .ok_or(CannotStart::NoSealingKey)?;
    let parse = |text: &Secret, name| {
        SealingKey::parse(text.expose()).map_err(|_| CannotStart::InvalidSealingKey(name))
    };
    let sealing = parse(&text, "seal.key")?;
    let mut opening = Vec::new();
    for path in &config.open_key_files {
        let name = "seal.open_key";
        let text = settings::secret(&None, &Some(path.clone()), name);
        let text = text
            .map_err(CannotStart::Seal)?
            .ok_or(CannotStart::NoSealingKey)?;
        opening.push(parse(&text, "seal.open_key_files")?);
    }
    Ring::new(sealing, opening).map_err(CannotStart::TooManySealingKeys)
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
