//! From the settings to the keys that seal and open: read, and unwrapped where a service keeps them.
//!
//! Owns which setting gives which key. What was unwrapped is held for as long as the process lives, one key that seals and a few
//! that only open, so that nothing after the start waits for a service.

use custodians::{Custodian, is_wrapped};
use lifecycle::{
    clock::Clock,
    settings::{self, Secret},
};
use seal::{Ring, SealingKey};

use crate::{config::Seal, custody::Custody, server::cannot_start::CannotStart};

/// The keys that are set, and what looks after those that a service keeps, if any does.
pub(crate) async fn open(
    config: &Seal,
    clock: &Clock,
) -> Result<(Ring, Option<Custody>), CannotStart> {
    let text = settings::secret(&config.key, &config.key_file, "seal.key");
    let text = text
        .map_err(CannotStart::Seal)?
        .ok_or(CannotStart::NoSealingKey)?;
    let custodian = custodian(config, clock)?;
    let mut wrapped = Vec::new();
    let sealing = key(&custodian, (&text, "seal.key"), &mut wrapped).await?;
    let mut opening = Vec::new();
    for path in &config.open_key_files {
        let text = settings::secret(&None, &Some(path.clone()), "seal.open_key");
        let text = text
            .map_err(CannotStart::Seal)?
            .ok_or(CannotStart::NoSealingKey)?;
        opening.push(key(&custodian, (&text, "seal.open_key_files"), &mut wrapped).await?);
    }
    let ring = Ring::new(sealing, opening).map_err(CannotStart::TooManySealingKeys)?;
    let custody = Custody::new(custodian, wrapped, config.look_every());
    Ok((ring, custody))
}

/// A new key, as the one service that is set wraps it.
pub(crate) async fn draw(config: &Seal, clock: &Clock) -> Result<String, CannotStart> {
    let drawn = custodian(config, clock)?.draw().await;
    drawn
        .ok_or(CannotStart::NoCustodian)?
        .map_err(CannotStart::Wrapped)
}

fn custodian(config: &Seal, clock: &Clock) -> Result<Custodian, CannotStart> {
    let set = custodians::Set {
        vault: config.vault.as_ref(),
        aws_kms: config.aws_kms.as_ref(),
        google_kms: config.google_kms.as_ref(),
        azure_key_vault: config.azure_key_vault.as_ref(),
    };
    Custodian::open(set, clock).map_err(CannotStart::Custodian)
}

/// The key of a text. One that is wrapped is noted.
async fn key(
    custodian: &Custodian,
    (text, setting): (&Secret, &'static str),
    wrapped: &mut Vec<String>,
) -> Result<SealingKey, CannotStart> {
    let invalid = |_| CannotStart::InvalidSealingKey(setting);
    if !is_wrapped(text.expose()) {
        return SealingKey::parse(text.expose()).map_err(invalid);
    }
    wrapped.push(text.expose().to_owned());
    let plain = custodian.unwrap_patiently(text.expose()).await;
    let plain = plain.map_err(CannotStart::Wrapped)?;
    SealingKey::parse(plain.expose()).map_err(invalid)
}
