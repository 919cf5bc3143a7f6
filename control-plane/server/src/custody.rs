//! Looks whether who keeps the sealing keys wrapped still unwraps them, so that it is known before a start needs it.
//!
//! Owns how often. Holds no key: what it is given again it lets go. That a service is away changes nothing for a process that
//! runs.

use std::{convert::Infallible, time::Duration};

use custodians::{Custodian, Unopened};
use metrics::{describe_gauge, gauge};
use tokio::time::sleep;
use tracing::{info, warn};

/// The most often that it is looked.
const EVERY_MIN: Duration = Duration::from_millis(100);

/// Looks after keys that a service keeps.
pub struct Custody {
    custodian: Custodian,
    wrapped: Vec<String>,
    every: Duration,
}

/// Registers what is measured here.
pub fn describe() {
    describe_gauge!(
        "sluice_sealing_custodian",
        "1 while the service that keeps the sealing key wrapped unwraps it, 0 while it does not"
    );
}

// === impl Custody ===

impl Custody {
    /// Of these wrapped keys, which were just unwrapped; `None` where there are none.
    pub fn new(custodian: Custodian, wrapped: Vec<String>, every: Duration) -> Option<Self> {
        let every = every.max(EVERY_MIN);
        (!wrapped.is_empty()).then_some(Self {
            custodian,
            wrapped,
            every,
        })
    }

    /// Looks, for as long as the process lives.
    pub async fn run(self) -> Infallible {
        let mut was_well = true;
        loop {
            gauge!("sluice_sealing_custodian").set(u8::from(was_well));
            sleep(self.every).await;
            let found = self.look().await;
            match &found {
                Err(why) if was_well => {
                    warn!(%why, "This process goes on, and another start would fail");
                }
                Ok(()) if !was_well => info!("The sealing key is unwrapped again"),
                Ok(()) | Err(_) => {}
            }
            was_well = found.is_ok();
        }
    }

    async fn look(&self) -> Result<(), Unopened> {
        for wrapped in &self.wrapped {
            drop(self.custodian.unwrap(wrapped).await?);
        }
        Ok(())
    }
}
