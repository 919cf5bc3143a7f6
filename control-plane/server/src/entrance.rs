//! Proves local users: a name, a password and a code become what may be written of somebody who showed both.
//!
//! Knows how often somebody was wrong, and how many passwords are compared at once; writes nothing else. Why somebody is refused never
//! says which of the three was wrong, nor whether there is anybody of that name.

use std::{fmt, sync::Arc, time::Duration};

use domain::name::LocalUserName;
use factors::{Codes, Passwords};
use keys::Family;
use lifecycle::clock::Clock;
use seal::Ring;
use sha2::{Digest, Sha256};
use store::{
    Store, StoreError,
    local_login::{self, Chosen, Known},
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use zeroize::Zeroizing;

use crate::{crowd::Crowded, sealed, turns::Turns};

/// How many passwords are compared or kept at once: each takes 19 MiB and a core for some ten milliseconds.
const HASHES_MAX: usize = 2; // Full: who comes waits, and is told to come back when it takes too long.

/// How long to wait for one.
const HASH_WITHIN: Duration = Duration::from_secs(5);

/// Proves local users.
pub struct Entrance {
    store: Store,
    sealing: Ring,
    clock: Clock,
    passwords: Arc<Passwords>,
    hashes: Semaphore,
    lookups: Turns,
}

/// Somebody who showed both.
pub struct Proved {
    /// Their id.
    pub id: [u8; 16],
    /// What is kept of the password that they said.
    pub password: String,
    /// The step of the code that they said.
    pub step: u64,
    /// The hash of their name, under which tries are counted.
    pub name_sha256: [u8; 32],
}

/// Somebody whose activation code is taken now.
pub struct Activating {
    id: [u8; 16],
    sha256: [u8; 32],
    code: Codes,
}

/// What they chose, as it may be written.
pub struct Choice {
    id: [u8; 16],
    sha256: [u8; 32],
    password: String,
    step: u64,
}

/// Why somebody is not let in.
#[derive(Debug)]
pub enum NotEntered {
    /// Their address asks too often, or too many ask at once.
    Crowded(Crowded),
    /// They were wrong too often in a row: they may try again after this.
    Paused(Duration),
    /// The name, the password or the code is wrong, or the code was taken before. Whether there is somebody of that name is for the audit
    /// trail alone.
    Refused {
        /// Whether there is.
        is_known: bool,
    },
    /// The activation code is not theirs, was taken, or has ended.
    NotActivated,
    /// The code is not what is to be computed from what they were told.
    CodeRefused,
    /// As many keys of theirs work as may.
    Full,
    /// The store could not be asked.
    Store(StoreError),
    /// Something of ours does not hold.
    Broken(&'static str),
}

// === impl Entrance ===

impl Entrance {
    /// Proves those whom this store keeps, at the time of this clock.
    pub fn new(store: Store, sealing: Ring, clock: Clock) -> Result<Self, factors::Cannot> {
        Ok(Self {
            store,
            sealing,
            clock,
            passwords: Arc::new(Passwords::new()?),
            hashes: Semaphore::new(HASHES_MAX),
            lookups: Turns::new(),
        })
    }

    /// Whether a password and a code are theirs. The try counts until [`local_login::forgive`] is written.
    pub async fn prove(
        &self,
        name: &LocalUserName,
        password: Zeroizing<String>,
        code: &str,
    ) -> Result<Proved, NotEntered> {
        let name_sha256 = Sha256::digest(name.to_string()).into();
        let tried = local_login::try_once(&self.store, &name_sha256).await;
        tried
            .map_err(NotEntered::Store)?
            .map_err(NotEntered::Paused)?;
        let known = self.known(name).await?;
        let refused = NotEntered::Refused {
            is_known: known.is_some(),
        };
        let kept = known.as_ref().and_then(|it| it.password.clone());
        // Nobody's password takes as long as somebody's.
        let fits = self.fits(password, kept.clone()).await?;
        let (Some(known), Some(kept), true) = (known, kept, fits) else {
            return Err(refused);
        };
        let step = self.code(&known, name)?.step(code, self.now_s());
        match step.filter(|step| *step > known.code_step && !known.disabled) {
            Some(step) => Ok(Proved {
                id: known.id,
                password: kept,
                step,
                name_sha256,
            }),
            None => Err(refused),
        }
    }

    /// Whether an activation code is theirs. Its secret has 256 random bits, so tries are not counted.
    pub async fn activating(
        &self,
        name: &LocalUserName,
        text: &str,
    ) -> Result<Activating, NotEntered> {
        let presented = keys::parse(text).map_err(|_| NotEntered::NotActivated)?;
        let known = self.known(name).await?.ok_or(NotEntered::NotActivated)?;
        let matches = |sha256: &[u8; 32]| presented.matches_sha256(sha256);
        let sha256 = known.activation_sha256.filter(matches);
        match sha256 {
            Some(sha256) if presented.family() == Family::Activation && !known.disabled => {
                Ok(Activating {
                    id: known.id,
                    sha256,
                    code: self.code(&known, name)?,
                })
            }
            _ => Err(NotEntered::NotActivated),
        }
    }

    /// What somebody chose who is activating, with a first code of theirs.
    pub async fn choice(
        &self,
        activating: Activating,
        password: Zeroizing<String>,
        code: &str,
    ) -> Result<Choice, NotEntered> {
        let step = activating.code.step(code, self.now_s());
        let step = step.ok_or(NotEntered::CodeRefused)?;
        Ok(Choice {
            id: activating.id,
            sha256: activating.sha256,
            password: self.keep(password).await?,
            step,
        })
    }

    /// What is to be kept of a password.
    pub async fn keep(&self, password: Zeroizing<String>) -> Result<String, NotEntered> {
        let kept = self.hash(move |it| it.keep(&password)).await?;
        kept.map_err(|_| NotEntered::Broken("a password cannot be kept"))
    }

    async fn fits(
        &self,
        password: Zeroizing<String>,
        kept: Option<String>,
    ) -> Result<bool, NotEntered> {
        self.hash(move |it| it.fits(&password, kept.as_deref()))
            .await
    }

    /// Works with passwords in its turn, beside the threads that answer.
    async fn hash<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Passwords) -> T + Send + 'static,
    ) -> Result<T, NotEntered> {
        let busy = NotEntered::Crowded(Crowded::Busy);
        let Ok(Ok(_turn)) = timeout(HASH_WITHIN, self.hashes.acquire()).await else {
            return Err(busy);
        };
        let passwords = Arc::clone(&self.passwords);
        let worked = spawn_blocking(move || work(&passwords)).await;
        worked.map_err(|_| NotEntered::Broken("a password cannot be compared"))
    }

    async fn known(&self, name: &LocalUserName) -> Result<Option<Known>, NotEntered> {
        let turn = self.lookups.take().await;
        let _turn = turn.ok_or(NotEntered::Crowded(Crowded::Busy))?;
        let known = local_login::known(&self.store, name).await;
        known.map_err(NotEntered::Store)
    }

    /// What computes their codes, as authenticators show it: `ada@acme`.
    fn code(&self, known: &Known, name: &LocalUserName) -> Result<Codes, NotEntered> {
        let secret = sealed::open_code_secret(&self.sealing, &known.id, &known.code_secret);
        let secret = secret.map_err(|_| NotEntered::Broken("a code secret does not open"))?;
        let shown = match &name.organization {
            Some(organization) => format!("{}@{organization}", name.local_user),
            None => name.local_user.to_string(),
        };
        Codes::new(&secret, &shown).map_err(|_| NotEntered::Broken("a code secret cannot be read"))
    }

    fn now_s(&self) -> u64 {
        self.clock.now_ms() / 1_000
    }
}

// === impl Proved ===

impl Proved {
    /// As it is compared with what stands when it is written.
    pub fn shown(&self) -> local_login::Shown<'_> {
        local_login::Shown {
            id: self.id,
            password: &self.password,
            step: self.step,
        }
    }
}

// === impl Activating ===

impl Activating {
    /// What their authenticator reads from a picture. It holds a secret.
    pub fn uri(&self) -> Result<Zeroizing<String>, NotEntered> {
        let uri = self.code.uri();
        uri.map_err(|_| NotEntered::Broken("a code secret cannot be shown"))
    }
}

// === impl Choice ===

impl Choice {
    /// As it is written.
    pub fn chosen(&self) -> Chosen<'_> {
        Chosen {
            id: self.id,
            activation_sha256: self.sha256,
            password: &self.password,
            step: self.step,
        }
    }
}

// === impl NotEntered ===

impl NotEntered {
    /// Whether it is of somebody whom there is.
    pub const fn is_told(&self) -> bool {
        matches!(
            self,
            Self::Refused { is_known: true } | Self::CodeRefused | Self::Full
        )
    }

    /// The word by which it is counted.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Refused { .. } | Self::NotActivated | Self::CodeRefused => "refused",
            Self::Paused(_) => "paused",
            Self::Crowded(_) | Self::Full | Self::Store(_) | Self::Broken(_) => "failed",
        }
    }
}

impl fmt::Display for NotEntered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crowded(Crowded::TooOften) => {
                "too many logins come from this address; try again later"
            }
            Self::Crowded(Crowded::Busy) => "too many logins are being checked; try again",
            Self::Paused(left) => {
                let left = left.as_secs_f64().ceil();
                return write!(f, "too many were wrong in a row: try again in {left} s");
            }
            Self::Refused { .. } => {
                "the name, the password or the code is wrong, or the code was used before: a code is taken once, so wait for the next"
            }
            Self::NotActivated => {
                "the activation code is not that of this user, was used, or has ended; an operator makes another one with \
                 `sluice local-users reset`"
            }
            Self::CodeRefused => {
                "the code is not what your authenticator should show now: is its clock right, and did it read the whole secret?"
            }
            Self::Full => "as many keys as may be were given to this user: log out somewhere, or try again when some have ended",
            Self::Store(_) | Self::Broken(_) => "the login could not be checked now; try again",
        })
    }
}

impl std::error::Error for NotEntered {}
