//! Keeps the sums of usage folded, makes those of other time zones and of pairs of tags that were asked for, and drops days of records that are older than they are to be kept.
//!
//! Owns how often that is seen to. Every replica tries; who comes second finds nothing, and answers hang on none of it.

use std::{convert::Infallible, time::Duration};

use store::{Store, StoreError};
use tokio::time;
use tracing::{info, warn};

use crate::vector;

/// How long after a fold that found little the next one comes: so late may an export see a record.
const REST: Duration = Duration::from_secs(1);

/// How long after a failure the next one comes.
const REST_FAILED: Duration = Duration::from_secs(10);

/// After how many folds what older code stored is looked for; at once where there was more.
const CATCH_UP_EVERY: u32 = 30;

/// After how many folds old days are looked for.
const DROP_EVERY: u32 = 600;

/// Folds, for as long as the process lives. Records are kept for `days` days; `None` means: for ever.
pub async fn run(store: Store, days: Option<u16>) -> Infallible {
    let (mut folds, mut older) = (0_u32, true);
    loop {
        let catch_up = older || folds.is_multiple_of(CATCH_UP_EVERY);
        let rest = match once(&store, catch_up, &mut older).await {
            Ok(true) => Duration::ZERO,
            Ok(false) => REST,
            Err(error) => {
                warn!(%error, "The sums of usage cannot be folded, trying again later");
                REST_FAILED
            }
        };
        if let Some(days) = days
            && folds.is_multiple_of(DROP_EVERY)
        {
            match store.drop_usage_days(days).await {
                Ok(0) => {}
                Ok(dropped) => info!(dropped, "Old days of usage records are gone"),
                Err(error) => {
                    warn!(%error, "Old days of usage records cannot be dropped, trying again later");
                }
            }
        }
        if folds.is_multiple_of(DROP_EVERY) {
            match store.drop_content().await {
                Ok(0) => {}
                Ok(dropped) => info!(dropped, "Old days of content are gone"),
                Err(error) => {
                    warn!(%error, "Old days of content cannot be dropped, trying again later");
                }
            }
        }
        folds = folds.wrapping_add(1);
        time::sleep(rest).await;
    }
}

/// Whether there is more; `older` says whether there is of what older code stored.
async fn once(store: &Store, catch_up: bool, older: &mut bool) -> Result<bool, StoreError> {
    if catch_up {
        *older = store.catch_up_usage(vector::of_kept).await?;
    }
    let more = store.fold_usage().await?;
    let shifted = store.shift_usage().await?;
    let paired = store.pair_usage(vector::of_kept).await?;
    Ok(*older || more || shifted || paired)
}
