//! Whoever is set, asked by what a wrapped text begins with.
//!
//! Owns how long a start is patient. Keeps nothing: the key is its caller's to hold.

use std::time::Duration;

use lifecycle::{clock::Clock, settings::Secret};
use tokio::time::{Instant, sleep};

use crate::{
    aws_kms::{self, Kms},
    azure_key_vault::{self, Azure},
    config::Set,
    google_kms::{self, Google},
    unopened::{Unopened, Unusable},
    vault::{self, Transit},
};

/// For how long a service that is away is asked again. Whoever starts processes is to wait out what lasts longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long after the first try the second comes; after it twice as long, and so on.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// What the texts of each service begin with, and the section that sets it.
const MARKS: [(&str, &str); 4] = [
    (vault::MARK, "seal.vault"),
    (aws_kms::MARK, "seal.aws_kms"),
    (google_kms::MARK, "seal.google_kms"),
    (azure_key_vault::MARK, "seal.azure_key_vault"),
];

/// The services that are set.
pub struct Custodian(Vec<Keeper>);

/// One of them.
enum Keeper {
    Vault(Transit),
    Aws(Kms),
    Google(Google),
    Azure(Box<Azure>),
}

/// Whether a text is a key that a service has wrapped, rather than one that can be used as it is.
pub fn is_wrapped(text: &str) -> bool {
    MARKS.iter().any(|(mark, _)| text.starts_with(mark))
}

// === impl Keeper ===

impl Keeper {
    const fn mark(&self) -> &'static str {
        match self {
            Self::Vault(_) => vault::MARK,
            Self::Aws(_) => aws_kms::MARK,
            Self::Google(_) => google_kms::MARK,
            Self::Azure(_) => azure_key_vault::MARK,
        }
    }

    async fn unwrap(&self, wrapped: &str) -> Result<Secret, Unopened> {
        match self {
            Self::Vault(it) => it.unwrap(wrapped).await,
            Self::Aws(it) => it.unwrap(wrapped).await,
            Self::Google(it) => it.unwrap(wrapped).await,
            Self::Azure(it) => it.unwrap(wrapped).await,
        }
    }

    async fn draw(&self) -> Result<String, Unopened> {
        match self {
            Self::Vault(it) => it.draw().await,
            Self::Aws(it) => it.draw().await,
            Self::Google(it) => it.draw().await,
            Self::Azure(it) => it.draw().await,
        }
    }
}

// === impl Custodian ===

impl Custodian {
    /// As the settings have it. Asks nobody yet.
    pub fn open(set: Set<'_>, clock: &Clock) -> Result<Self, Unusable> {
        let mut keepers = Vec::new();
        if let Some(it) = set.vault {
            keepers.push(Keeper::Vault(Transit::open(it)?));
        }
        if let Some(it) = set.aws_kms {
            keepers.push(Keeper::Aws(Kms::open(it, clock)?));
        }
        if let Some(it) = set.google_kms {
            keepers.push(Keeper::Google(Google::open(it, clock)?));
        }
        if let Some(it) = set.azure_key_vault {
            keepers.push(Keeper::Azure(Box::new(Azure::open(it)?)));
        }
        Ok(Self(keepers))
    }

    /// The key of a wrapped text: 32 bytes in base64, unless something else was wrapped.
    pub async fn unwrap(&self, wrapped: &str) -> Result<Secret, Unopened> {
        let keeper = self.0.iter().find(|it| wrapped.starts_with(it.mark()));
        if let Some(keeper) = keeper {
            return keeper.unwrap(wrapped).await;
        }
        let meant = MARKS.iter().find(|(mark, _)| wrapped.starts_with(mark));
        Err(Unopened::NotSet(
            meant.map_or("seal", |(_, section)| section),
        ))
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

    /// A new key, wrapped by the one service that is set; `None` where none or several are.
    pub async fn draw(&self) -> Option<Result<String, Unopened>> {
        match self.0.as_slice() {
            [one] => Some(one.draw().await),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "custodian_test.rs"]
mod tests;
