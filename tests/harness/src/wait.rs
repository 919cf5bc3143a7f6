//! Waiting on a condition, with a deadline. No test sleeps for a fixed time and hopes.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Asks again until there is an answer, and gives it with the time that passed. Panics after [`PATIENCE`],
/// naming `what` was awaited.
pub async fn until<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> (T, Duration) {
    until_within(PATIENCE, what, ask).await
}

/// As [`until`], with another patience.
pub async fn until_within<T>(
    patience: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> (T, Duration) {
    let since = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return (answer, since.elapsed());
        }
        assert!(
            since.elapsed() < patience,
            "waited {patience:?} in vain until {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
