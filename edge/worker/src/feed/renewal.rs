//! Renews the edge's certificate, in good time, until it succeeds.
//!
//! Knows when and again; how is `membership`'s. A control plane that is away costs nothing but another try.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::feed::{backoff::Backoff, dial::Dialer, membership::Proof};

/// How often it is looked whether a certificate is due: no timer sleeps through a suspended machine.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// How long to wait for a first certificate.
const FIRST: Duration = Duration::from_millis(500);

/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Renews for as long as it is run.
pub async fn run(proof: Arc<Proof>, mut dialer: Dialer) -> Infallible {
    let mut backoff = Backoff::up_to(LONGEST_WAIT);
    loop {
        match proof.due_in() {
            None => {
                sleep(FIRST).await;
                continue;
            }
            Some(Duration::ZERO) => {}
            Some(due) => {
                sleep(due.min(LOOK_EVERY)).await;
                if due > LOOK_EVERY {
                    continue;
                }
            }
        }
        let renewed = match dialer.connect().await {
            Ok(channel) => proof.renew(channel).await.map_err(|why| why.to_string()),
            Err(why) => Err(why.to_string()),
        };
        match renewed {
            Ok(()) => {
                backoff = Backoff::up_to(LONGEST_WAIT);
                tracing::info!("this edge's certificate is renewed");
            }
            Err(why) => {
                tracing::error!(
                    why,
                    "this edge's certificate cannot be renewed, trying again"
                );
                sleep(backoff.next(Instant::now()).max(FIRST)).await;
            }
        }
    }
}
