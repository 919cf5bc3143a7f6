//! What reservations left whose edge is gone, until somebody takes care of it.
//!
//! Knows whose it is and nothing of what it says. Noting it never waits; what finds no room is given again when the term of
//! whoever was given it has ended.

use std::sync::{Mutex, MutexGuard, PoisonError};

use policy::id::OrganizationId;
use tokio::sync::Notify;

use crate::reservation::Bequest;

/// How many wait.
// Full: the others come again later.
const WAITING_MAX: usize = 4_096;

/// What all threads of this process were given.
#[derive(Debug, Default)]
pub(crate) struct Estate {
    // Held for one entry, or to take all.
    waiting: Mutex<Vec<(OrganizationId, Bequest)>>,
    /// Rings when something waits.
    pub(crate) bell: Notify,
}

// === impl Estate ===

impl Estate {
    /// Notes what reservations of an organization left.
    pub(crate) fn note(&self, organization: OrganizationId, bequests: Vec<Bequest>) {
        if bequests.is_empty() {
            return;
        }
        let mut waiting = self.waiting();
        let room = WAITING_MAX.saturating_sub(waiting.len());
        let noted = bequests.into_iter().take(room);
        waiting.extend(noted.map(|bequest| (organization, bequest)));
        drop(waiting);
        self.bell.notify_one();
    }

    /// Takes all.
    pub(crate) fn take(&self) -> Vec<(OrganizationId, Bequest)> {
        std::mem::take(&mut *self.waiting())
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(OrganizationId, Bequest)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
