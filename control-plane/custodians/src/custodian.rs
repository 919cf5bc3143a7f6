//! Whoever is set, asked by what a wrapped text begins with.
//!
//! Owns how long a start is patient. Keeps nothing: the key is its caller's to hold.

use std::time::Duration;

use lifecycle::{clock::Clock, settings::Secret};
use tokio::time::{Instant, sleep};

use crate::{
    aws_kms::{self, Kms},
    config::{AwsKms, Vault},
    unopened::{Unopened, Unusable},
    vault::{self, Transit},
};

/// For how long a service that is away is asked again. Whoever starts processes is to wait out what lasts longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long after the first try the second comes; after it twice as long, and so on.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// The services that are set.
pub struct Custodian {
    vault: Option<Transit>,
    aws_kms: Option<Kms>,
}

/// Whether a text is a key that a service has wrapped, rather than one that can be used as it is.
pub fn is_wrapped(text: &str) -> bool {
    text.starts_with(vault::MARK) || text.starts_with(aws_kms::MARK)
}

// === impl Custodian ===

impl Custodian {
    /// As the settings have it. Asks nobody yet.
    pub fn open(
        vault: Option<&Vault>,
        aws_kms: Option<&AwsKms>,
        clock: &Clock,
    ) -> Result<Self, Unusable> {
        Ok(Self {
            vault: vault.map(Transit::open).transpose()?,
            aws_kms: aws_kms.map(|it| Kms::open(it, clock)).transpose()?,
        })
    }

    /// The key of a wrapped text: 32 bytes in base64, unless something else was wrapped.
    pub async fn unwrap(&self, wrapped: &str) -> Result<Secret, Unopened> {
        if wrapped.starts_with(vault::MARK) {
            let vault = self.vault.as_ref();
            vault
                .ok_or(Unopened::NotSet("seal.vault"))?
                .unwrap(wrapped)
                .await
        } else {
            let aws_kms = self.aws_kms.as_ref();
            aws_kms
                .ok_or(Unopened::NotSet("seal.aws_kms"))?
                .unwrap(wrapped)
                .await
        }
    }

    /// The same, asked again for some seconds while the service is away.
    pub async fn unwrap_patiently(&self, wrapped: &str) -> Result<Secret, Unopened> {
        let (since, mut wait) = (Instant::now(), FIRST_WAIT);
        loop {
            match self.unwrap(wrapped).await {
                Err(why) if why.may_pass() && since.elapsed() + wait < PATIENCE => {}
                done => return done,
            }
            sleep(wait).await;
            wait *= 2;
        }
    }

    /// A new key, wrapped by the one service that is set; `None` where none or both are.
    pub async fn draw(&self) -> Option<Result<String, Unopened>> {
        match (&self.vault, &self.aws_kms) {
            (Some(vault), None) => Some(vault.draw().await),
            (None, Some(aws_kms)) => Some(aws_kms.draw().await),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "custodian_test.rs"]
mod tests;
