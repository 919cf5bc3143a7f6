//! How many questions about keys are put to the store at once.
//!
//! A key id costs its bearer nothing to make up, and a question costs a connection that revocations need too. Knows
//! nothing of keys or SQL; who gets no turn in time is told to come back.

use std::time::Duration;

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// The most questions at once.
const AT_ONCE_MAX: usize = 4; // Full: who comes waits for a turn, and is told to come back when it takes too long.

/// How long to wait for a turn.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// The turns of one door.
#[derive(Debug)]
pub struct Turns(Semaphore);

// === impl Turns ===

impl Turns {
    /// All free.
    pub const fn new() -> Self {
        Self(Semaphore::const_new(AT_ONCE_MAX))
    }

    /// A turn, for as long as it is held; `None` when none came in time.
    pub async fn take(&self) -> Option<SemaphorePermit<'_>> {
        timeout(WAIT_MAX, self.0.acquire()).await.ok()?.ok()
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self::new()
    }
}
