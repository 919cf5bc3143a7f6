//! The exposition of metrics: the process's recorder, in the text format of Prometheus.
//!
//! Knows no metric by name, only that what ends in `_seconds` is a histogram with the buckets below, finer ones where
//! it ends in `_call_seconds` or `_overhead_seconds`. Each module describes its own.

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

/// Upper bounds in seconds of what is mostly far below a millisecond: our own work, and calls in the same network.
const FINE_SECONDS: [f64; 14] = [
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 1.0,
];

/// Ends of names that get [`FINE_SECONDS`]. Ends are tried in the order of the alphabet, and these come before
/// `_seconds`; a test looks.
const FINE: [&str; 2] = ["_call_seconds", "_overhead_seconds"];

/// How often samples are folded into their histograms. Until then each sample is held by itself.
const UPKEEP: Duration = Duration::from_secs(1);

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

/// A handle of a recorder to which nothing goes: it renders nothing, and whoever measures does it in vain.
pub fn unheard() -> PrometheusHandle {
    PrometheusBuilder::new().build_recorder().handle()
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
    let mut builder = PrometheusBuilder::new();
    let fine = FINE.map(|end| (end, &FINE_SECONDS[..]));
    for (end, buckets) in [("_seconds", &BUCKETS_SECONDS[..])].into_iter().chain(fine) {
        builder = builder
            .set_buckets_for_metric(Matcher::Suffix(end.to_owned()), buckets)
            .expect("only an empty list of buckets is refused");
    }
    let recorder = builder.build_recorder();
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
        metrics::histogram!("sluice_test_overhead_seconds").record(0.000_07);
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
        for line in ["{le=\"0.00005\"} 0", "{le=\"0.0001\"} 1"] {
            let line = format!("sluice_test_overhead_seconds_bucket{line}");
            assert!(text.contains(&line), "{line} is missing from {text}");
        }
    }
}
