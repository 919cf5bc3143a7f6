//! The drain's phases, in order and on time. Time is the runtime's, and paused.

use std::{future::Future, pin::pin, task::Poll};

use tokio::time::{Instant, advance};

use super::*;

const GRACE: Duration = Duration::from_secs(5);
const DEADLINE: Duration = Duration::from_secs(30);

async fn is_pending(future: impl Future) -> bool {
    let mut future = pin!(future);
    future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[tokio::test(start_paused = true)]
async fn the_phases_follow_each_other_on_time() {
    let (trigger, drain) = channel(GRACE, DEADLINE);
    let other = drain.clone();
    assert!(is_pending(drain.leaving()).await);
    assert_eq!(drain.phase(), Phase::Serving);

    let start = Instant::now();
    trigger.start();
    assert_eq!(drain.phase(), Phase::Leaving);
    drain.leaving().await;
    assert!(is_pending(drain.draining()).await);
    drain.draining().await;
    assert_eq!((drain.phase(), start.elapsed()), (Phase::Draining, GRACE));
    assert!(is_pending(drain.over()).await);
    other.over().await;
    assert_eq!(
        (other.phase(), start.elapsed()),
        (Phase::Over, GRACE + DEADLINE)
    );
}

#[tokio::test(start_paused = true)]
async fn who_asks_late_is_answered_at_once() {
    let (trigger, drain) = channel(Duration::ZERO, Duration::ZERO);
    trigger.start();
    drain.over().await;
    for _ in 0..2 {
        drain.clone().leaving().await;
        drain.draining().await;
        drain.over().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_trigger_that_is_dropped_starts_nothing() {
    let (trigger, drain) = channel(GRACE, DEADLINE);
    drop(trigger);
    advance(GRACE + DEADLINE).await;
    assert!(is_pending(drain.leaving()).await);
    assert_eq!(drain.phase(), Phase::Serving);
}

#[tokio::test]
async fn a_drain_is_followed_on_another_runtime() {
    let (trigger, drain) = channel(Duration::ZERO, Duration::from_mins(10));
    let elsewhere = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(drain.draining());
        drain.phase()
    });
    trigger.start();
    let phase = tokio::task::spawn_blocking(|| elsewhere.join().unwrap())
        .await
        .unwrap();
    assert_eq!(phase, Phase::Draining);
}

#[tokio::test]
async fn the_first_signal_drains_and_the_second_cuts() {
    let (trigger, drain) = channel(Duration::from_mins(10), Duration::from_mins(10));
    let mut signals = Box::pin(signals(trigger));
    // Once polled, the handlers stand; before, the signal would end this process.
    assert!(is_pending(&mut signals).await);
    send("TERM");
    signals.await.unwrap();
    drain.leaving().await;
    assert_eq!(drain.phase(), Phase::Leaving);
    send("INT");
    drain.over().await;
}

fn send(signal: &str) {
    let line = format!("kill -{signal} {}", std::process::id());
    assert!(
        std::process::Command::new("sh")
            .args(["-c", &line])
            .status()
            .unwrap()
            .success()
    );
}
