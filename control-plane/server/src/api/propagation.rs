//! Waits until the fleet has come to a revision, or says who has not.
//!
//! Knows the edges' table and a bell; trusts only the table. The bell makes a wait short, the scan makes it right.

use std::time::Duration;

use policy::{region::Region, revision::Revision};
use store::{
    Store, StoreError,
    edge::{self, Propagation},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

/// The longest between two looks, whatever the bell says.
const SCAN_INTERVAL: Duration = Duration::from_millis(250);

/// The shortest between two looks, however often the bell rings.
const SCAN_PAUSE: Duration = Duration::from_millis(20);

/// The most stragglers that are named.
// Full: the rest is not named; whoever waits has enough to look at.
const STRAGGLERS_MAX: i64 = 1000;

/// Which edges are to have come how far.
#[derive(Debug, Clone)]
pub(crate) struct Goal {
    /// How far.
    pub(crate) revision: Revision,
    /// Whose edges; `None` means: everyone's.
    pub(crate) region: Option<Region>,
}

/// Looks until every edge is there or `deadline` has passed; the last look is the answer.
pub(crate) async fn wait(
    store: &Store,
    mut bells: watch::Receiver<u64>,
    goal: &Goal,
    deadline: Instant,
) -> Result<Propagation, StoreError> {
    loop {
        // What rings from here on may be news to the look that follows.
        bells.mark_unchanged();
        let region = goal.region.as_ref();
        let seen = edge::behind(store, goal.revision, region, STRAGGLERS_MAX).await?;
        let looked = Instant::now();
        if seen.stragglers.is_empty() || looked >= deadline {
            return Ok(seen);
        }
        sleep_until(deadline.min(looked + SCAN_PAUSE)).await;
        let next = deadline.min(looked + SCAN_INTERVAL);
        if let Ok(Err(_)) = timeout_at(next, bells.changed()).await {
            // Nobody rings any more, as when the process ends: the scan alone goes on.
            sleep_until(next).await;
        }
    }
}
