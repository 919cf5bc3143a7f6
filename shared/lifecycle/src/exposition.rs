//! The exposition of metrics: the process's recorder, in the text format of Prometheus.
//!
//! Knows no metric by name, only that what ends in `_seconds` is a histogram with the buckets below. Each
//! module describes its own.

use std::{sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::drain::Drain;

/// Upper bounds in seconds: from a cache hit on the same machine to the longest stream anyone waits for.
const BUCKETS_SECONDS: [f64; 18] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    120.0, 300.0, 600.0,
];

/// How often samples are folded into their histograms. Until then each sample is held by itself.
const UPKEEP: Duration = Duration::from_secs(5);

/// The one static of this crate: the recorder that it reads is the process's too, and cannot be asked for
/// its handle.
static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Makes all metrics of this process go to one recorder, at the first call, and gives the handle that
/// renders them.
///
/// Both planes in one process get the same handle. The caller runs [`upkeep`], or memory grows with every
/// sample.
pub fn install() -> PrometheusHandle {
    HANDLE.get_or_init(first).clone()
}

/// Folds samples into histograms until the drain is over.
pub async fn upkeep(handle: PrometheusHandle, drain: Drain) {
    let mut ticks = interval(UPKEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => handle.run_upkeep(),
            () = drain.over() => return,
        }
    }
}

fn first() -> PrometheusHandle {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS_SECONDS)
        .expect("only an empty list of buckets is refused")
        .build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        warn!("another recorder of metrics was there first, so /metrics stays empty");
    }
    handle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_gives_the_same_recorder_and_seconds_have_buckets() {
        let (one, two) = (install(), install());
        metrics::counter!("sluice_test_calls_total").increment(2);
        metrics::histogram!("sluice_test_wait_seconds").record(0.3);
        one.run_upkeep();
        let text = two.render();
        assert!(text.contains("sluice_test_calls_total 2"), "{text}");
        assert!(
            text.contains("sluice_test_wait_seconds_bucket{le=\"0.25\"} 0"),
            "{text}"
        );
        assert!(
            text.contains("sluice_test_wait_seconds_bucket{le=\"0.5\"} 1"),
            "{text}"
        );
    }
}
