//! Keeps the change log from growing for ever.
//!
//! Owns how much is kept and how often that is seen to. Every replica sweeps; who comes second finds nothing. A
//! publisher that is behind what is kept loads everything anew, so no more is lost than the history of edits.

use std::{convert::Infallible, time::Duration};

use store::Store;
use tokio::time;
use tracing::{debug, warn};

/// The rows that are kept whatever their age: enough for a replica that was away to go on where it was.
const ROWS_KEPT: i64 = 100_000;

/// How long a row is kept at least, however many come after it.
const AGE_KEPT: Duration = Duration::from_hours(7 * 24);

/// How long after a sweep that found little the next one comes.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// How long after a sweep that left some the next one comes, so that writers get their turn.
const REST: Duration = Duration::from_secs(1);

/// Sweeps, for as long as the process lives.
pub async fn run(store: Store) -> Infallible {
    loop {
        let rest = match store.sweep_log(ROWS_KEPT, AGE_KEPT).await {
            Ok(0) => SWEEP_EVERY,
            Ok(rows) => {
                debug!(rows, "Old rows of the change log are gone");
                REST
            }
            Err(error) => {
                warn!(%error, "The change log cannot be swept, trying again later");
                SWEEP_EVERY
            }
        };
        time::sleep(rest).await;
    }
}
