//! Does something for as long as this replica has a turn that others would take.
//!
//! Knows for how long a turn is taken and how often it must be said that it is kept; knows nothing of what it is for.

use std::time::Duration;

use tokio::time::sleep;

/// For how long a replica has a turn unless it says that it is still there, and how often it does.
pub(crate) const TURN: Duration = Duration::from_secs(6);
const STILL_EVERY: Duration = Duration::from_secs(2);

/// What came of it; `None` where the turn was lost before. `still` keeps the turn, and says whether it was there to be kept; whoever
/// cannot ask says yes: who takes over meanwhile does the same under the same name.
pub(crate) async fn while_held<T, S: Future<Output = bool>>(
    done: impl Future<Output = T>,
    still: impl Fn() -> S,
) -> Option<T> {
    let lost = async {
        loop {
            sleep(STILL_EVERY).await;
            if !still().await {
                return;
            }
        }
    };
    tokio::select! {
        done = done => Some(done),
        () = lost => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::atomic::{AtomicU32, Ordering},
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_done_ends_when_the_turn_is_lost() {
        let asked = AtomicU32::new(0);
        let still = || async { asked.fetch_add(1, Ordering::Relaxed) < 3 };
        assert_eq!(while_held(pending::<()>(), still).await, None);
        assert_eq!(asked.load(Ordering::Relaxed), 4);
        let slow = async {
            sleep(Duration::from_secs(5)).await;
            7
        };
        assert_eq!(while_held(slow, || async { true }).await, Some(7));
    }
}
